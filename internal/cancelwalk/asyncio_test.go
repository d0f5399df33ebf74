//go:build linux || darwin || freebsd || dragonfly

package cancelwalk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// What of the root package waits for the world outside the loop; the rest is held by its own tests.
func TestAsyncio(t *testing.T) {
	testAll(t, []walk{
		{"CallOn", 0, callsOn},
		{"Loop.AddReader", 0, waitsForDescriptor},
	})
}

// When CallOn returns, the function on the other loop has ended.
func callsOn(_ context.Context, s *stage) error {
	ctx, cancel := context.WithCancel(context.Background())
	loops := make(chan *asyncio.Loop)
	var running sync.WaitGroup
	running.Go(func() {
		_ = asyncio.Run(ctx, func(ctx context.Context) error {
			loops <- asyncio.RunningLoop(ctx)
			return asyncio.Sleep(ctx, asyncio.Forever)
		})
	})
	s.cleanup(running.Wait)
	s.cleanup(cancel)
	other := <-loops
	began, ended := 0, 0
	s.do = func(ctx context.Context) error {
		_, err := asyncio.CallOn(ctx, other, func(ctx context.Context) (asyncio.None, error) {
			began++
			defer func() { ended++ }()
			return asyncio.None{}, asyncio.Sleep(ctx, 5*time.Millisecond)
		})
		return err
	}
	s.check = func(_ context.Context, err error) error {
		if began != ended || err == nil && ended != 1 {
			return fmt.Errorf("the function has begun %d times and ended %d times", began, ended)
		}
		return nil
	}
	return nil
}

// Who waits for a descriptor takes his callback back.
func waitsForDescriptor(ctx context.Context, s *stage) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	s.cleanup(func() { r.Close() })
	s.cleanup(func() { w.Close() })
	s.nudge = func() { w.Write([]byte("x")) }
	loop, fd := asyncio.RunningLoop(ctx), r.Fd()
	s.do = func(ctx context.Context) error {
		ready := asyncio.NewFuture[asyncio.None](loop)
		if err := loop.AddReader(fd, func() {
			loop.RemoveReader(fd)
			ready.SetResult(asyncio.None{})
		}); err != nil {
			return err
		}
		defer loop.RemoveReader(fd)
		_, err := ready.Await(ctx)
		return err
	}
	s.check = func(context.Context, error) error {
		if loop.RemoveReader(fd) {
			return errors.New("the callback is there")
		}
		return nil
	}
	return nil
}
