package asyncio_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/go-asyncio/asyncio"
)

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

var _ io.Closer = closerFunc(nil)

func TestAddCloser_notTakenBack_isClosedAtTheEnd(t *testing.T) {
	var closed []string
	closer := func(name string) io.Closer {
		return closerFunc(func() error { closed = append(closed, name); return nil })
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.AddCloser(closer("first"))
		remove := loop.AddCloser(closer("taken back"))
		loop.AddCloser(closer("last"))
		remove()
		return nil
	})
	if err != nil || len(closed) != 2 || closed[0] != "last" || closed[1] != "first" {
		t.Errorf("Run = %v, closed = %v, want last and first", err, closed)
	}
}

func TestAddCloser_removeIsHeld_deadlocksAreStillReported(t *testing.T) {
	var remove func()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		remove = asyncio.RunningLoop(ctx).AddCloser(closerFunc(func() error { return nil }))
		var never asyncio.Event
		return never.Wait(ctx)
	})
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) {
		t.Errorf("Run = %v, want a deadlock", err)
	}
	runtime.KeepAlive(remove)
}
