//go:build unix

package asyncio_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// A sleep of the loop is a switch of the system's, which it counts; those of the Go runtime are few.
func TestLoop_thatHasGivenGoroutinesWork_letsThemRunBeforeItSleeps(t *testing.T) {
	const calls = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	null := func() (int, error) { return 0, nil }
	few := func(what string, do func(ctx context.Context) error) {
		run(t, func(ctx context.Context) error {
			before := switches(t)
			if err := do(ctx); err != nil {
				return err
			}
			if n := switches(t) - before; n > calls/2 {
				t.Errorf("%d calls of %s took %d switches to other threads of the system", calls, what, n)
			}
			return nil
		})
	}
	few("ToThread", func(ctx context.Context) error {
		for range calls {
			if _, err := asyncio.ToThread(ctx, null); err != nil {
				return err
			}
		}
		return nil
	})
	few("RunThreadsafe", func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			for range calls {
				s := asyncio.RunThreadsafe(loop, func(context.Context) (int, error) { return 0, nil })
				if _, err := s.Wait(context.Background()); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		return err
	})
	few("Send and Recv", func(ctx context.Context) error {
		ask, answer := make(chan int), make(chan int)
		defer close(ask)
		go func() {
			for v := range ask {
				answer <- v
			}
		}()
		for i := range calls {
			if err := asyncio.Send(ctx, ask, i); err != nil {
				return err
			}
			if _, _, err := asyncio.Recv(ctx, answer); err != nil {
				return err
			}
		}
		return nil
	})
}

// switches is how often a thread of this process has begun to wait.
func switches(t *testing.T) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return int64(u.Nvcsw)
}
