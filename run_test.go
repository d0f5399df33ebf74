package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// run runs main on a loop with a virtual clock and fails the test on an error.
func run(t *testing.T, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	opts = append([]asyncio.Option{asyncio.WithVirtualClock()}, opts...)
	if err := asyncio.Run(context.Background(), main, opts...); err != nil {
		t.Fatal(err)
	}
}

func TestRun_returnsWhatMainReturns(t *testing.T) {
	boom := errors.New("boom")
	if err := asyncio.Run(context.Background(), func(ctx context.Context) error { return boom }); err != boom {
		t.Fatalf("got %v, want boom", err)
	}
	run(t, func(ctx context.Context) error { return nil })
}

func TestRun_virtualClock_hoursTakeNoTime(t *testing.T) {
	start := time.Now()
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		before := loop.Time()
		if err := asyncio.Sleep(ctx, 10*time.Hour); err != nil {
			return err
		}
		if d := loop.Time() - before; d != 10*time.Hour {
			t.Errorf("slept %v of virtual time, want 10h", d)
		}
		return nil
	})
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestSleep_tasksTakeTurns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var order []string
		say := func(name string, d time.Duration) asyncio.Coroutine[string] {
			return func(ctx context.Context) (string, error) {
				err := asyncio.Sleep(ctx, d)
				order = append(order, name)
				return name, err
			}
		}
		got, err := asyncio.Gather(ctx, say("c", 3*time.Second), say("a", time.Second), say("b", 2*time.Second))
		if err != nil || got[0] != "c" || got[1] != "a" || got[2] != "b" {
			t.Errorf("got %v, %v", got, err)
		}
		if order[0]+order[1]+order[2] != "abc" {
			t.Errorf("order %v", order)
		}
		return nil
	})
}
