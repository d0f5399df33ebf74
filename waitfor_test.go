package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// slowToEnd is a coroutine that never ends by itself, and takes a minute to
// clean up when it is cancelled; ended is set then. It returns v and err, or its
// cause.
func slowToEnd(ended *bool, v int, err error) asyncio.Coroutine[int] {
	return func(ctx context.Context) (int, error) {
		cause := asyncio.Sleep(ctx, 1000*time.Hour)
		asyncio.Shield(ctx, sleepFor(time.Minute))
		*ended = true
		if v == 0 && err == nil {
			return 0, cause
		}
		return v, err
	}
}

// waitForms are the two ways to wait for at most d for a coroutine that is
// cancelled then.
var waitForms = map[string]func(ctx context.Context, d time.Duration, fn asyncio.Coroutine[int]) (int, error){
	"WaitFor": asyncio.WaitFor[int],
	"WaitForTask": func(ctx context.Context, d time.Duration, fn asyncio.Coroutine[int]) (int, error) {
		task := asyncio.CreateTask(context.WithoutCancel(ctx), fn)
		v, err := asyncio.WaitForTask(ctx, d, task)
		if !task.Done() {
			return -1, errors.New("the task has not ended")
		}
		return v, err
	},
}

// conformance: wait_for-01 wait_for-12
// pitfall: 7
func TestWaitFor_cancelled_endsWhenTheFunctionHas(t *testing.T) {
	for name, waitFor := range waitForms {
		for _, d := range []time.Duration{time.Hour, forEver} {
			run(t, func(ctx context.Context) error {
				cause := errors.New("cause")
				ended := false
				task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					return waitFor(ctx, d, slowToEnd(&ended, 0, nil))
				})
				asyncio.Sleep(ctx, time.Second)
				task.Cancel(cause)
				asyncio.Sleep(ctx, time.Second)
				if task.Done() {
					t.Errorf("%s: it did not wait for the clean-up", name)
				}
				_, err := task.Await(ctx)
				if err != cause || !task.Cancelled() || !ended {
					t.Errorf("%s: %v, %v, ended %v", name, err, task, ended)
				}
				return nil
			}, noReports(t))
		}
	}
}

// conformance: wait_for-02 wait_for-06 wait_for-10
// pitfall: 7
func TestWaitFor_theTimeIsUp_endsWhenTheFunctionHas(t *testing.T) {
	for name, waitFor := range waitForms {
		run(t, func(ctx context.Context) error {
			ended := false
			v, err := waitFor(ctx, time.Second, slowToEnd(&ended, 0, nil))
			wantTimeout(t, err, time.Second)
			if v != 0 || !ended || asyncio.RunningLoop(ctx).Time() != time.Second+time.Minute {
				t.Errorf("%s: %d, ended %v, at %v", name, v, ended, asyncio.RunningLoop(ctx).Time())
			}
			return asyncio.Yield(ctx)
		}, noReports(t))
	}
}

// conformance: wait_for-03
// pitfall: 8
func TestWaitForTask_done_givesTheResultWhateverTheTimeAndTheContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		done, failed := newFuture[int](ctx), newFuture[int](ctx)
		done.SetResult(7)
		failed.SetError(boom)
		for _, d := range []time.Duration{0, -1, time.Second} {
			wantNoTurn(t, ctx, func() {
				v, err := asyncio.WaitForTask(below, d, done)
				_, failure := asyncio.WaitForTask(below, d, failed)
				if v != 7 || err != nil || failure != boom {
					t.Errorf("%v: got %v, %v, %v", d, v, err, failure)
				}
			})
		}
		return nil
	}, fifo)
}

// conformance: wait_for-04
// pitfall: 8
func TestWaitFor_noTime_theFunctionIsNotStarted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		never := func(context.Context) (int, error) { t.Error("it was started"); return 1, nil }
		for _, d := range []time.Duration{0, -time.Second} {
			turns := 0
			asyncio.RunningLoop(ctx).CallSoon(func() { turns++ })
			v, err := asyncio.WaitFor(ctx, d, never)
			wantTimeout(t, err, d)
			if v != 0 || turns != 1 {
				t.Errorf("got %v, %d turns", v, turns)
			}
		}
		cause := errors.New("cause")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(cause)
		if _, err := asyncio.WaitFor(below, 0, never); err != cause {
			t.Errorf("under a done context: %v", err)
		}
		return nil
	})
}

// conformance: wait_for-05
// pitfall: 7 8
func TestWaitForTask_noTime_theTaskIsCancelledAndHasEnded(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		run(t, func(ctx context.Context) error {
			ended := false
			task := asyncio.CreateTask(ctx, slowToEnd(&ended, 0, nil))
			_, err := asyncio.WaitForTask(ctx, d, task)
			wantTimeout(t, err, d)
			if !task.Cancelled() || !ended {
				t.Errorf("%v, ended %v", task, ended)
			}
			return nil
		})
	}
}

// conformance: wait_for-07
func TestWaitFor_forEver_waitsAsLongAsNeeded(t *testing.T) {
	for name, waitFor := range waitForms {
		run(t, func(ctx context.Context) error {
			v, err := waitFor(ctx, forEver, after(10000*time.Hour, 7, nil))
			if v != 7 || err != nil {
				t.Errorf("%s: got %v, %v", name, v, err)
			}
			return nil
		})
	}
}

// conformance: wait_for-08
// pitfall: 6
func TestWaitFor_completedInTheTurnInWhichTheTimeIsUp_givesTheResult(t *testing.T) {
	waits := map[string]func(ctx context.Context, f *intFuture) (int, error){
		"WaitFor": func(ctx context.Context, f *intFuture) (int, error) {
			return asyncio.WaitFor(ctx, time.Second, f.Await)
		},
		"WaitForTask": func(ctx context.Context, f *intFuture) (int, error) { return asyncio.WaitForTask(ctx, time.Second, f) },
	}
	for name, wait := range waits {
		run(t, func(ctx context.Context) error {
			f := asyncio.After(ctx, time.Second, 7) // due at the very time, and first
			v, err := wait(ctx, f)
			if v != 7 || err != nil {
				t.Errorf("%s: got %v, %v", name, v, err)
			}
			return asyncio.Yield(ctx)
		})
	}
	run(t, func(ctx context.Context) error { // the timeout is first, and the result comes before the task resumes
		f := newFuture[int](ctx)
		below, cancel := asyncio.WithCancel(ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { cancel(nil); f.SetResult(7) })
		v, err := asyncio.WaitForTask(below, time.Second, f)
		if v != 7 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		wantErr(t, "the next wait", asyncio.Yield(below), context.Canceled)
		return nil
	})
}

// conformance: wait_for-09
// pitfall: 6
func TestWaitFor_theFunctionSucceedsThoughTheTimeIsUp_isASuccess(t *testing.T) {
	for name, waitFor := range waitForms {
		run(t, func(ctx context.Context) error {
			ended := false
			v, err := waitFor(ctx, time.Second, slowToEnd(&ended, 7, nil))
			if v != 7 || err != nil || !ended {
				t.Errorf("%s: got %v, %v", name, v, err)
			}
			return asyncio.Yield(ctx)
		})
	}
}

// conformance: wait_for-11
// pitfall: 7
func TestWaitFor_theCleanUpFails_thatIsTheError(t *testing.T) {
	boom := errors.New("boom")
	for name, waitFor := range waitForms {
		run(t, func(ctx context.Context) error {
			ended := false
			_, err := waitFor(ctx, time.Second, slowToEnd(&ended, 0, boom))
			if err != boom || !ended {
				t.Errorf("%s: got %v", name, err)
			}
			return nil
		}, noReports(t))
	}
}

// conformance: wait_for-13
// pitfall: 6
func TestWaitFor_completedAndCancelledInOneTurn_losesNeither(t *testing.T) {
	for name, waitFor := range map[string]func(context.Context, *intTask) (int, error){
		"WaitFor": func(ctx context.Context, task *intTask) (int, error) {
			return asyncio.WaitFor(ctx, time.Hour, task.Await)
		},
		"WaitForTask": func(ctx context.Context, task *intTask) (int, error) {
			return asyncio.WaitForTask(ctx, time.Hour, task)
		},
	} {
		for _, first := range []string{"the result", "the cancellation"} {
			run(t, func(ctx context.Context) error {
				cause := errors.New("cause")
				var outer *intTask
				inner := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					asyncio.Sleep(ctx, time.Second)
					if first == "the cancellation" {
						outer.Cancel(cause)
					}
					return 7, nil
				})
				if first == "the result" {
					inner.AddDoneCallback(func(*intTask) { outer.Cancel(cause) })
				}
				outer = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					v, err := waitFor(ctx, inner)
					if (v != 7 || err != nil) && (name == "WaitForTask" || first == "the result") {
						t.Errorf("%s, first comes %s: %v, %v", name, first, v, err)
					}
					return v, asyncio.Yield(ctx)
				})
				_, err := outer.Await(ctx)
				v, innerErr := inner.Result()
				if err != cause || !outer.Cancelled() || v != 7 || innerErr != nil {
					t.Errorf("%s: outer %v, %v; inner %v, %v", name, outer, err, v, innerErr)
				}
				return nil
			})
		}
	}
}

// conformance: wait_for-14
func TestWaitForTask_cancelledWhileItEndsTheTask_waitsAllTheSame(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		ended := false
		inner := asyncio.CreateTask(ctx, slowToEnd(&ended, 0, nil))
		outer := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			_, err := asyncio.WaitForTask(ctx, time.Second, inner)
			wantTimeout(t, err, time.Second)
			if !ended {
				t.Error("it did not wait for the end")
			}
			return 0, asyncio.Yield(ctx)
		})
		asyncio.Sleep(ctx, 2*time.Second)
		outer.Cancel(cause)
		_, err := outer.Await(ctx)
		wantErr(t, "the next wait", err, cause)
		return nil
	})
}

// Awaiting does not own, so the Await of a task is what asyncio's shield of it is.

// conformance: wait_for-15
func TestWaitFor_noTimeForAnAwait_theTaskGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, after(time.Second, 7, nil))
		_, err := asyncio.WaitFor(ctx, 0, task.Await)
		wantTimeout(t, err, 0)
		v, err := task.Await(ctx)
		if v != 7 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: wait_for-16 wait_for-17
func TestWaitFor_anAwait_theTaskGoesOn_itsResultCanBeHadLater(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, after(time.Minute, 7, nil))
		_, err := asyncio.WaitFor(ctx, time.Second, task.Await)
		wantTimeout(t, err, time.Second)
		if task.Cancelling() {
			t.Error("the task is cancelled")
		}
		for range 2 {
			v, err := asyncio.WaitFor(ctx, forEver, task.Await)
			if v != 7 || err != nil {
				t.Errorf("got %v, %v", v, err)
			}
		}
		return nil
	})
}

func TestWaitForTask_aFuture_isCancelledWithTheCause(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		_, err := asyncio.WaitForTask(ctx, time.Second, f)
		wantTimeout(t, err, time.Second)
		wantTimeout(t, f.Err(), time.Second)
		if !f.Cancelled() {
			t.Error("the future is not cancelled")
		}
		cause := errors.New("cause")
		gone := newFuture[int](ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { gone.Cancel(cause) })
		_, err = asyncio.WaitForTask(ctx, time.Second, gone)
		wantErr(t, "cancelled by somebody else", err, cause)
		return nil
	})
}

// A task may make light of its cancellation: with whatever error it says that,
// the cause is what the owner gets.
func TestWaitForTask_theTaskReturnsABareError_theOwnerGetsTheTimeout(t *testing.T) {
	for _, bare := range []error{context.Canceled, context.DeadlineExceeded} {
		run(t, func(ctx context.Context) error {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { asyncio.Sleep(ctx, time.Hour); return 0, bare })
			_, err := asyncio.WaitForTask(ctx, time.Second, task)
			wantTimeout(t, err, time.Second)
			return nil
		})
	}
}

func TestWaitFor_misuse_isRefused(t *testing.T) {
	other := clockLoop(t)
	run(t, func(ctx context.Context) error {
		mustPanic(t, "asyncio: WaitFor: nil function", func() { asyncio.WaitFor[int](ctx, 1, nil) })
		mustPanic(t, "asyncio: WaitForTask: the task or future is nil", func() { asyncio.WaitForTask[int](ctx, 1, nil) })
		_, err := asyncio.WaitFor(context.Background(), 1, value(1))
		wantErr(t, "WaitFor", err, asyncio.ErrNotOnLoop)
		_, err = asyncio.WaitFor(context.Background(), 0, value(1))
		wantErr(t, "WaitFor without time", err, asyncio.ErrNotOnLoop)
		foreign := asyncio.NewFuture[int](other)
		if _, err = asyncio.WaitForTask(ctx, 0, foreign); err == nil || foreign.Done() {
			t.Errorf("a future of another loop: %v, done %v", err, foreign.Done())
		}
		var self *intTask
		self = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			_, err := asyncio.WaitForTask(ctx, 0, self)
			if err == nil || self.Cancelling() {
				t.Errorf("itself: %v, cancelling %v", err, self.Cancelling())
			}
			return 0, nil
		})
		_, err = self.Await(ctx)
		return err
	})
}

// A loop that is closed lets nobody wait any more, not even an owner.
func TestWaitForTask_theLoopIsClosed_isUnwound(t *testing.T) {
	loop := clockLoop(t)
	var got error
	never := asyncio.NewFuture[int](loop)
	asyncio.CreateTask(loop.Context(), func(ctx context.Context) (int, error) {
		v, err := asyncio.WaitForTask(ctx, time.Hour, never)
		got = err
		return v, err
	})
	loop.RunOnce()
	if err := loop.Close(); err != nil || got == nil {
		t.Errorf("Close: %v; WaitForTask: %v", err, got)
	}
}
