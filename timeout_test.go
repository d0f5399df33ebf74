package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: timeout-01 timeout-03 timeout-08
func TestTimeout_timeIsUp_endsTheWaitsAndSaysSo(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var inside error
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			inside = asyncio.Sleep(ctx, time.Hour)
			wantErr(t, "ctx.Err", ctx.Err(), context.DeadlineExceeded)
			wantErr(t, "second wait", asyncio.Sleep(ctx, time.Hour), context.DeadlineExceeded)
			return fmt.Errorf("inside: %w", inside)
		})
		var timeout *asyncio.TimeoutError
		var netErr net.Error
		if !errors.As(err, &timeout) || timeout.After != time.Second || timeout != inside {
			t.Errorf("got %v", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &netErr) || !netErr.Timeout() {
			t.Errorf("%v is no context.DeadlineExceeded, or no net.Error", err)
		}
		if loop.Time() != time.Second {
			t.Errorf("at %v", loop.Time())
		}
		return nil
	})
}

func TestTimeout_functionReturnsTheStandardError_givesTheTimeoutError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			asyncio.Sleep(ctx, time.Hour)
			return ctx.Err()
		})
		wantTimeout(t, err, time.Second)
		return nil
	})
}

// conformance: timeout-04 timeout-07 timeout-10
func TestTimeout_functionReturnsInTime_itsErrorPassesAndTheTimerIsGone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		for _, want := range []error{nil, boom} {
			err := asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
				asyncio.Sleep(ctx, time.Second)
				return want
			})
			wantErr(t, "Timeout", err, want)
		}
		wantErr(t, "timed out", asyncio.Timeout(ctx, time.Second, sleepFor(time.Hour)), context.DeadlineExceeded)
		wantErr(t, "wait after it", asyncio.Sleep(ctx, 2*time.Hour), nil)
		return nil
	})
	loop := clockLoop(t)
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Hour, asyncio.Yield)
	})
	runAll(loop)
	if loop.Time() != 0 {
		t.Errorf("a timer was left: the clock is at %v", loop.Time())
	}
}

// sleepFor is a function that sleeps for d.
func sleepFor(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error { return asyncio.Sleep(ctx, d) }
}

func TestTimeout_functionSucceedsAfterTheTime_isASuccess(t *testing.T) {
	run(t, func(ctx context.Context) error {
		wantErr(t, "Timeout", asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			asyncio.Sleep(ctx, time.Hour)
			return nil
		}), nil)
		return asyncio.Yield(ctx)
	})
}

// conformance: timeout-02
// pitfall: 9
func TestTimeout_nestedWithEqualTimes_theOuterOneEndsBoth(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var inner, innerCause error
		var innerCtx context.Context
		outer := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			inner = asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				innerCtx = ctx
				return asyncio.Sleep(ctx, time.Hour)
			})
			innerCause = context.Cause(innerCtx)
			wantErr(t, "between", asyncio.Yield(ctx), context.DeadlineExceeded)
			return inner
		})
		if inner != outer || innerCause != outer || !errors.Is(outer, context.DeadlineExceeded) {
			t.Errorf("inner %v, its cause %v, outer %v", inner, innerCause, outer)
		}
		return asyncio.Yield(ctx)
	})
}

func TestTimeout_nested_eachEndsItsOwnFunction(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		err := asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			err := asyncio.Timeout(ctx, time.Second, sleepFor(time.Hour))
			wantErr(t, "inner", err, context.DeadlineExceeded)
			if loop.Time() != time.Second {
				t.Errorf("inner at %v", loop.Time())
			}
			err = asyncio.Timeout(ctx, time.Hour, sleepFor(time.Hour))
			var timeout *asyncio.TimeoutError
			if !errors.As(err, &timeout) || timeout.After != time.Minute {
				t.Errorf("ended by the outer one: %v", err)
			}
			return err
		})
		wantErr(t, "outer", err, context.DeadlineExceeded)
		if loop.Time() != time.Minute {
			t.Errorf("outer at %v", loop.Time())
		}
		return nil
	})
}

// conformance: timeout-06
// pitfall: 10
func TestTimeout_ofNoTime_entersTheFunctionAndEndsItsFirstWait(t *testing.T) {
	for _, d := range []time.Duration{0, -1, -1 << 63} {
		run(t, func(ctx context.Context) error {
			entered := false
			err := asyncio.Timeout(ctx, d, func(ctx context.Context) error {
				entered = true
				wantErr(t, "Err", ctx.Err(), context.DeadlineExceeded)
				return asyncio.Yield(ctx)
			})
			wantErr(t, fmt.Sprint(d), err, context.DeadlineExceeded)
			past := asyncio.RunningLoop(ctx).Now().Add(-time.Second)
			wantErr(t, "TimeoutAt", asyncio.TimeoutAt(ctx, past, asyncio.Yield), context.DeadlineExceeded)
			if !entered {
				t.Errorf("%v: not entered", d)
			}
			return asyncio.Yield(ctx)
		})
	}
}

// conformance: timeout-09
// pitfall: 9
func TestTimeout_cancelledFromElsewhere_staysThat(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Hour, sleepFor(2*time.Hour)) })
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || !task.Cancelled() {
			t.Errorf("got %v, cancelled %v", err, task.Cancelled())
		}
		return nil
	})
}

// conformance: timeout-11
// pitfall: 10
func TestTimeout_bothPassedWhileTheLoopWasBlocked_bothAreOver(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		outer := asyncio.Timeout(ctx, 2*time.Millisecond, func(ctx context.Context) error {
			inner := asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
				time.Sleep(5 * time.Millisecond)
				return asyncio.Sleep(ctx, time.Hour)
			})
			wantErr(t, "inner", inner, context.DeadlineExceeded)
			return asyncio.Sleep(ctx, time.Hour)
		})
		wantErr(t, "outer", outer, context.DeadlineExceeded)
		return asyncio.Yield(ctx)
	})
	wantErr(t, "Run", err, nil)
}

// conformance: timeout-14 timeout-15
func TestTimeout_inTheCleanUpOfACancelledTask_worksUnderShield(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Sleep(ctx, time.Hour)
			err := asyncio.Shield(ctx, func(ctx context.Context) error {
				return asyncio.Timeout(ctx, time.Second, sleepFor(time.Minute))
			})
			wantErr(t, "shielded", err, context.DeadlineExceeded)
			if loop.Time() != time.Second {
				t.Errorf("at %v", loop.Time())
			}
			return asyncio.Timeout(ctx, time.Second, sleepFor(time.Minute))
		})
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		wantErr(t, "unshielded", err, context.Canceled)
		return nil
	})
}

// conformance: timeout-05
func TestContext_withoutATimeout_hasNoDeadline(t *testing.T) {
	run(t, func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); ok {
			t.Error("it has")
		}
		return asyncio.Sleep(ctx, 1e6*time.Hour)
	})
}

// conformance: timeout-18
func TestTimeout_outsideATask_isRefused(t *testing.T) {
	never := func(context.Context) error { t.Error("it ran"); return nil }
	wantErr(t, "without a loop", asyncio.Timeout(context.Background(), time.Second, never), asyncio.ErrNotOnLoop)
	wantErr(t, "without a loop", asyncio.TimeoutAt(context.Background(), time.Now(), never), asyncio.ErrNotOnLoop)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.CallSoon(func() {
			wantErr(t, "in a callback", asyncio.Timeout(loop.Context(), time.Second, never), asyncio.ErrWrongContext)
		})
		elsewhere(func() {
			wantErr(t, "elsewhere", asyncio.Timeout(ctx, time.Second, never), asyncio.ErrWrongGoroutine)
		})
		return asyncio.Yield(ctx)
	})
}

// conformance: timeout-19
func TestTimeout_aroundAGroupWithAFailingCleanUp_theFailureIsReturned(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				g.Go(func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Hour)
					return errors.Join(boom, err)
				})
				return nil
			})
		})
		wantErr(t, "the failure", err, boom)
		wantErr(t, "the timeout", err, context.DeadlineExceeded)
		return nil
	})
}

func TestWithTimeout_endsTheWaitsUnderIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		own, cancel := asyncio.WithTimeout(ctx, time.Second)
		wantErr(t, "Sleep", asyncio.Sleep(own, time.Hour), context.DeadlineExceeded)
		cancel()
		wantErr(t, "after cancel", context.Cause(own), context.DeadlineExceeded)
		wantErr(t, "outside", asyncio.Sleep(ctx, time.Second), nil)

		own, cancel = asyncio.WithDeadline(ctx, loop.Now().Add(time.Hour))
		if at, ok := own.Deadline(); !ok || at.Sub(loop.Now()) != time.Hour {
			t.Errorf("deadline %v, %v", at, ok)
		}
		loop.CallLater(time.Second, cancel)
		wantErr(t, "Sleep", asyncio.Sleep(own, time.Hour), context.Canceled)
		cancel()
		if d := loop.Time(); d != 3*time.Second {
			t.Errorf("at %v", d)
		}
		return nil
	})
}

func TestWithTimeout_madeInACallback_boundsTheTaskCreatedUnderIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		done := newFuture[error](ctx)
		loop.CallSoon(func() {
			own, cancel := asyncio.WithTimeout(loop.Context(), time.Second)
			asyncio.Go(own, sleepFor(time.Hour)).AddDoneCallback(func(t *asyncio.Task[asyncio.None]) {
				cancel()
				done.SetResult(t.Err())
			})
		})
		err, _ := done.Await(ctx)
		wantErr(t, "task", err, context.DeadlineExceeded)
		return nil
	})
}

func TestTimeout_panicInside_leavesTheBlockAndItsTimer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		func() {
			defer func() { recover() }()
			asyncio.Timeout(ctx, time.Second, func(context.Context) error { panic("x") })
		}()
		return asyncio.Sleep(ctx, time.Hour)
	})
}
