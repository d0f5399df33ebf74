package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// conformance: shield-01 shield-02 shield-03 shield-13
func TestShield_returnsWhatItsFunctionReturns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		wantErr(t, "nil", asyncio.Shield(ctx, func(context.Context) error { return nil }), nil)
		wantErr(t, "boom", asyncio.Shield(ctx, failing2(boom)), boom)
		f := newFuture[int](ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { f.Cancel(boom) })
		err := asyncio.Shield(ctx, func(ctx context.Context) error { _, err := f.Await(ctx); return err })
		wantErr(t, "cancelled inside", err, boom)
		return asyncio.Yield(ctx)
	})
}

// conformance: shield-04 shield-09
// pitfall: 19
func TestShield_cancelledOutside_runsToItsEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		cause := errors.New("cause")
		var inside, after error
		task := asyncio.Go(context.WithValue(ctx, key("k"), 1), func(ctx context.Context) error {
			inside = asyncio.Shield(ctx, func(ctx context.Context) error {
				if ctx.Value(key("k")) != 1 || ctx.Done() == nil {
					t.Error("the values are lost, or Done is nil")
				}
				return asyncio.Sleep(ctx, time.Hour)
			})
			after = asyncio.Yield(ctx)
			return after
		})
		asyncio.Yield(ctx)
		task.Cancel(cause)
		task.Await(ctx)
		if inside != nil || after != cause || loop.Time() != time.Hour || !task.Cancelled() {
			t.Errorf("inside %v, after it %v, at %v", inside, after, loop.Time())
		}
		return nil
	})
}

func TestShield_enteredWhenCancelled_waits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Cancel()
			wantErr(t, "outside", asyncio.Sleep(ctx, time.Second), context.Canceled)
			return asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
		})
	})
}

func TestShield_ofTimeout_timeoutOfShield(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			return asyncio.Shield(ctx, func(ctx context.Context) error {
				return asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
					return asyncio.Sleep(ctx, time.Hour)
				})
			})
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) || timeout.After != time.Minute || loop.Time() != time.Minute {
			t.Errorf("got %v at %v", err, loop.Time())
		}
		return nil
	})
}

// conformance: shield-10
func TestShield_aroundGather_gatherGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var got []int
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Shield(ctx, func(ctx context.Context) (err error) {
				got, err = asyncio.Gather(ctx, sleeper(1), sleeper(2))
				return err
			})
		})
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		if err != nil || len(got) != 2 || got[1] != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
}

// conformance: shield-11
func TestGather_ofAwaitsCancelled_leavesWhatIsAwaitedAlone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := newFuture[int](ctx), newFuture[int](ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.Gather(ctx, a.Await, b.Await)
			return err
		})
		asyncio.Sleep(ctx, time.Second)
		task.Cancel()
		_, err := task.Await(ctx)
		wantErr(t, "Gather", err, context.Canceled)
		if a.Done() || b.Done() {
			t.Error("the futures are done")
		}
		return nil
	})
}

// conformance: shield-08
func TestShield_ofWhatIsDone_givesItAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		f.SetResult(1)
		turn := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { turn++ })
		err := asyncio.Shield(ctx, func(ctx context.Context) error { _, err := f.Await(ctx); return err })
		if err != nil || turn != 0 {
			t.Errorf("got %v, after %d turns", err, turn)
		}
		return nil
	}, fifo)
}

// conformance: shield-05 shield-06 shield-07
// pitfall: 19
func TestTask_itsWaitersCancelled_itsErrorIsReportedOnce(t *testing.T) {
	for _, boom := range []error{nil, errors.New("boom")} {
		reports := 0
		run(t, func(ctx context.Context) error {
			inner := asyncio.Go(ctx, func(ctx context.Context) error { asyncio.Sleep(ctx, time.Hour); return boom })
			for range 3 {
				outer := asyncio.Go(ctx, func(ctx context.Context) error { _, err := inner.Await(ctx); return err })
				asyncio.Yield(ctx)
				outer.Cancel()
				_, err := outer.Await(ctx)
				wantErr(t, "outer", err, context.Canceled)
			}
			return asyncio.Sleep(ctx, 2*time.Hour)
		}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
			reports++
			wantErr(t, "report", i.Err, boom)
		}))
		if want := map[bool]int{true: 0, false: 1}[boom == nil]; reports != want {
			t.Errorf("%v: %d reports, want %d", boom, reports, want)
		}
	}
}

func TestShield_panicInside_leavesTheBlock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		before := lowlevel.CurrentContext(loop)
		func() {
			defer func() { recover() }()
			asyncio.Shield(ctx, func(ctx context.Context) error {
				if lowlevel.CurrentContext(loop) != ctx {
					t.Error("the block is not the innermost")
				}
				panic("x")
			})
		}()
		if lowlevel.CurrentContext(loop) != before {
			t.Error("the block is still the innermost")
		}
		return nil
	})
}

// conformance: shield-12
func TestBlocks_withoutALoop_areRefused(t *testing.T) {
	ctx := context.Background()
	never := func(context.Context) error { t.Error("it ran"); return nil }
	wantErr(t, "Shield", asyncio.Shield(ctx, never), asyncio.ErrNotOnLoop)
	wantErr(t, "Enter", asyncio.Enter(ctx, func() error { return never(ctx) }), asyncio.ErrNotOnLoop)
	wantErr(t, "Sleep", asyncio.Sleep(ctx, time.Second), asyncio.ErrNotOnLoop)
	wantErr(t, "Yield", asyncio.Yield(ctx), asyncio.ErrNotOnLoop)
	mustPanic(t, "does not belong to an event loop", func() { asyncio.After(ctx, time.Second, 1) })
	mustPanic(t, "does not belong to an event loop", func() { asyncio.RunningLoop(ctx) })
	mustPanic(t, "does not belong to an event loop", func() { asyncio.WithCancel(ctx) })
}

func TestEnter_makesTheContextTheInnermostBlock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		below, cancel := context.WithCancel(ctx)
		defer cancel()
		before := lowlevel.CurrentContext(loop)
		boom := errors.New("boom")
		err := asyncio.Enter(below, func() error {
			if lowlevel.CurrentContext(loop) != below {
				t.Error("not the innermost")
			}
			return boom
		})
		wantErr(t, "Enter", err, boom)
		if lowlevel.CurrentContext(loop) != before {
			t.Error("still the innermost")
		}
		elsewhere(func() {
			if lowlevel.CurrentContext(loop) != nil || loop.OnLoop() {
				t.Error("another goroutine is taken for the loop")
			}
		})
		return nil
	})
}
