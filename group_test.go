package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

type group = *asyncio.TaskGroup

// fails is a function that fails with err after d, or with its context.
func fails(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		if e := asyncio.Sleep(ctx, d); e != nil {
			return e
		}
		return err
	}
}

// failsWhenCancelled is a function that fails with err when it is cancelled.
func failsWhenCancelled(err error) func(context.Context) error {
	return func(ctx context.Context) error {
		asyncio.Sleep(ctx, 1000*time.Hour)
		return err
	}
}

// conformance: taskgroup-01
func TestGroup_waitsForAllItsTasks(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var a, b *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			a = asyncio.Spawn(g, after(time.Minute, 1, nil))
			asyncio.Sleep(ctx, time.Second)
			b = asyncio.Spawn(g, after(time.Hour, 2, nil))
			return nil
		})
		va, _ := a.Result()
		vb, _ := b.Result()
		if err != nil || va != 1 || vb != 2 || loop.Time() != time.Hour+time.Second {
			t.Errorf("got %v, %v, %v at %v", err, va, vb, loop.Time())
		}
		return nil
	})
}

// conformance: taskgroup-02
func TestGroup_aTaskCancelledByItself_doesNotDisturbTheOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var gone *asyncio.Task[int]
		other := false
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			gone = asyncio.Spawn(g, sleeper(1))
			g.Go(func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Hour)
				other = err == nil
				return err
			})
			asyncio.Yield(ctx)
			gone.Cancel()
			return asyncio.Sleep(ctx, time.Second)
		})
		if err != nil || !gone.Cancelled() || !other {
			t.Errorf("got %v, cancelled %v, the other slept to its end: %v", err, gone.Cancelled(), other)
		}
		return nil
	})
}

// conformance: taskgroup-03 taskgroup-27 taskgroup-33
func TestGroup_aTaskFails_theOthersAndTheFunctionAreCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		a, b := errors.New("a"), errors.New("b")
		var inFn, inTask error
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(fails(time.Second, a))
			g.Go(fails(time.Second, b))
			g.Go(func(ctx context.Context) error {
				inTask = asyncio.Sleep(ctx, time.Hour)
				return inTask
			})
			inFn = asyncio.Sleep(ctx, time.Hour)
			return inFn
		})
		wantErr(t, "a", err, a)
		wantErr(t, "b", err, b)
		if errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "cancelled") {
			t.Errorf("the cancelled ones' errors are in %v", err)
		}
		wantErr(t, "in the function", inFn, context.Canceled)
		wantErr(t, "in a task", inTask, context.Canceled)
		if !strings.Contains(inTask.Error(), "another task of the group failed: a") || loop.Time() != time.Second {
			t.Errorf("the cause says %v, at %v", inTask, loop.Time())
		}
		return asyncio.Sleep(ctx, time.Second)
	}, noReports(t), fifo)
}

func TestGroup_oneError_isReturnedAsItIs(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error { g.Go(failing2(boom)); return nil })
		if err != boom {
			t.Errorf("got %#v", err)
		}
		return nil
	})
}

// conformance: taskgroup-04 taskgroup-05
// pitfall: 12
func TestGroup_itsOwnerCancelled_cancelsAllAndReturnsTheCause(t *testing.T) {
	for _, inFunction := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			cause := errors.New("cause")
			saw := 0
			wait := func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Hour)
				if err == cause {
					saw++
				}
				asyncio.Shield(ctx, sleepFor(time.Second))
				return err
			}
			owner := asyncio.Go(ctx, func(ctx context.Context) error {
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					g.Go(wait)
					g.Go(wait)
					if inFunction {
						return wait(ctx)
					}
					return nil
				})
			})
			asyncio.Sleep(ctx, time.Second)
			owner.Cancel(cause)
			_, err := owner.Await(ctx)
			if err != cause || saw != map[bool]int{true: 3, false: 2}[inFunction] || !owner.Cancelled() {
				t.Errorf("in the function %v: got %v, seen %d times", inFunction, err, saw)
			}
			return nil
		}, noReports(t))
	}
}

// conformance: taskgroup-06 taskgroup-29
// pitfall: 12
func TestGroup_aTaskFailsWhileItsOwnerIsCancelled_theFailureWinsAndTheCancellationStays(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom, cause := errors.New("boom"), errors.New("cause")
		var inGroup error
		cleaned := false
		owner := asyncio.Go(ctx, func(ctx context.Context) error {
			inGroup = asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(failsWhenCancelled(boom))
				g.Go(func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Hour)
					asyncio.Shield(ctx, sleepFor(time.Minute))
					cleaned = true
					return err
				})
				return nil
			})
			if !cleaned {
				t.Error("Group returned before its tasks had ended")
			}
			return asyncio.Yield(ctx)
		})
		asyncio.Sleep(ctx, time.Second)
		owner.Cancel(cause)
		_, err := owner.Await(ctx)
		if inGroup != boom || err != cause {
			t.Errorf("Group returned %v, the next wait %v", inGroup, err)
		}
		return nil
	})
}

// conformance: taskgroup-07 taskgroup-12 taskgroup-13 taskgroup-22 taskgroup-15
func TestGroup_itsFunctionFails_thatErrorIsAmongThose(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	run(t, func(ctx context.Context) error {
		started := false
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(func(ctx context.Context) error { started = true; return failsWhenCancelled(b)(ctx) })
			return a // before the task has started
		})
		wantErr(t, "its own", err, a)
		wantErr(t, "the task's", err, b)
		if !started {
			t.Error("the task has not started")
		}
		err = asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(failing2(a))
			asyncio.Sleep(ctx, time.Hour)
			return b // the clean-up fails
		})
		wantErr(t, "the task's", err, a)
		wantErr(t, "the clean-up's", err, b)
		err = asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(failing2(a))
			return errors.Join(asyncio.Sleep(ctx, time.Hour), b)
		})
		wantErr(t, "the task's", err, a)
		wantErr(t, "the clean-up's, joined", err, b)
		return asyncio.Sleep(ctx, time.Second)
	})
}

// conformance: taskgroup-08
func TestGroup_nested_failuresDuringAnOuterCancellationComeOut(t *testing.T) {
	run(t, func(ctx context.Context) error {
		inner, outer := errors.New("inner"), errors.New("outer")
		owner := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(failsWhenCancelled(outer))
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					g.Go(failsWhenCancelled(inner))
					return nil
				})
			})
		})
		asyncio.Sleep(ctx, time.Second)
		owner.Cancel()
		_, err := owner.Await(ctx)
		wantErr(t, "inner", err, inner)
		wantErr(t, "outer", err, outer)
		return nil
	})
}

// conformance: taskgroup-28
// pitfall: 13
func TestGroup_nested_bothFail_eachHasItsOwnErrorsAndTheOuterStaysCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
		var inner, afterInner error
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(fails(time.Second, a))
			inner = asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(fails(time.Second, b))
				g.Go(failsWhenCancelled(c))
				return asyncio.Sleep(ctx, time.Hour)
			})
			afterInner = asyncio.Sleep(ctx, time.Hour)
			return inner
		})
		wantErr(t, "inner: b", inner, b)
		wantErr(t, "inner: c", inner, c)
		if errors.Is(inner, a) || !errors.Is(afterInner, context.Canceled) {
			t.Errorf("the inner returned %v, the next wait in the outer %v", inner, afterInner)
		}
		for _, e := range []error{a, b, c} {
			wantErr(t, "outer", err, e)
		}
		return asyncio.Sleep(ctx, time.Second) // nothing of it is left outside
	}, noReports(t))
}

// conformance: taskgroup-09
func TestGroup_nested_aTaskOfTheOuterFails_theInnerIsCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var inner error
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(fails(time.Second, boom))
			inner = asyncio.Group(ctx, func(ctx context.Context, g group) error { g.Go(sleepFor(time.Hour)); return nil })
			return inner
		})
		wantErr(t, "inner", inner, context.Canceled)
		if err != boom {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

// conformance: taskgroup-10
func TestGroup_nested_anErrorOfTheInnerPassesThroughTheOuter(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var other *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			other = asyncio.Spawn(g, sleeper(1))
			return asyncio.Group(ctx, func(ctx context.Context, g group) error { g.Go(fails(time.Second, boom)); return nil })
		})
		if err != boom || !other.Cancelled() {
			t.Errorf("got %v, other cancelled %v", err, other.Cancelled())
		}
		return nil
	})
}

// conformance: taskgroup-11
func TestGroup_aTaskFailsWhileTheFunctionDelaysItsEnd_theFailureIsReturned(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		inGroup := func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(fails(time.Second, boom))
				err := asyncio.Sleep(ctx, time.Hour)
				asyncio.Shield(ctx, sleepFor(time.Minute))
				return err
			})
		}
		if err := inGroup(ctx); err != boom {
			t.Errorf("got %v", err)
		}
		task := asyncio.Go(ctx, inGroup)
		if _, err := task.Await(ctx); err != boom || task.Cancelled() {
			t.Errorf("through a task: %v", err)
		}
		return asyncio.Yield(ctx)
	})
}

// conformance: taskgroup-16
func TestGroup_livingLong_doesNotGrow(t *testing.T) {
	n := 200_000
	if raceEnabled {
		n = 20_000
	}
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for range n {
				g.Go(func(context.Context) error { return nil })
				asyncio.Yield(ctx)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
				t.Errorf("the heap has grown by %d KB", grown>>10)
			}
			return nil
		})
	})
}

// conformance: taskgroup-17
func TestGroup_itsTasksStartTasks_alsoWhileItWaits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		count := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			var grow func(ctx context.Context) error
			grow = func(ctx context.Context) error {
				if count++; count < 100 {
					g.Go(grow)
				}
				return nil
			}
			g.Go(grow)
			return nil
		})
		if count != 100 {
			t.Errorf("%d tasks", count)
		}
		return err
	})
}

// conformance: taskgroup-18
func TestGroup_itsTasksKeepStartingTasks_allEndWhenOneFails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		running := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			var breed func(ctx context.Context) error
			breed = func(ctx context.Context) error {
				running++
				defer func() { running-- }()
				for {
					if err := asyncio.Sleep(ctx, time.Second); err != nil {
						return err
					}
					if running < 100 {
						g.Go(breed)
					}
				}
			}
			g.Go(breed)
			g.Go(fails(time.Minute, boom))
			return nil
		})
		if err != boom || running != 0 {
			t.Errorf("got %v, %d running", err, running)
		}
		return nil
	})
}

// conformance: taskgroup-21 taskgroup-32
func TestGroup_tasksStartedAfterAFailure_seeACancelledContextAndAreAwaited(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var late *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(failing2(boom))
			asyncio.Sleep(ctx, time.Hour)
			late = asyncio.Spawn(g, sleeper(1))
			return nil
		})
		if err != boom || !late.Cancelled() {
			t.Errorf("got %v, late cancelled %v", err, late.Cancelled())
		}
		return nil
	})
}

// conformance: taskgroup-24 taskgroup-25
func TestSpawn_inAGroupThatHasEndedOrNeverBegan_panics(t *testing.T) {
	mustPanic(t, "the group has ended", func() { (&asyncio.TaskGroup{}).Go(asyncio.Yield) })
	run(t, func(ctx context.Context) error {
		var over group
		asyncio.Group(ctx, func(ctx context.Context, g group) error {
			over = g
			mustPanic(t, "nil function", func() { g.Go(nil) })
			mustPanic(t, "nil function", func() { asyncio.Spawn[int](g, nil) })
			elsewhere(func() {
				mustPanic(t, "not the event loop's", func() { g.Go(asyncio.Yield) })
				mustPanic(t, "not the event loop's", func() { g.Cancel() })
			})
			return nil
		})
		mustPanic(t, "the group has ended", func() { over.Go(asyncio.Yield) })
		return nil
	})
}

// conformance: taskgroup-26
func TestGroup_outsideATask_isRefused(t *testing.T) {
	never := func(context.Context, group) error { t.Error("it ran"); return nil }
	wantErr(t, "without a loop", asyncio.Group(context.Background(), never), asyncio.ErrNotOnLoop)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.CallSoon(func() {
			wantErr(t, "in a callback", asyncio.Group(loop.Context(), never), asyncio.ErrWrongContext)
		})
		elsewhere(func() { wantErr(t, "elsewhere", asyncio.Group(ctx, never), asyncio.ErrWrongGoroutine) })
		return asyncio.Yield(ctx)
	})
}

func TestGroup_Cancel_endsItWithoutAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var child *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			child = asyncio.Spawn(g, sleeper(1))
			loop.CallLater(time.Second, g.Cancel)
			return asyncio.Sleep(ctx, time.Hour)
		})
		if err != nil || !child.Cancelled() || loop.Time() != time.Second {
			t.Errorf("got %v, child cancelled %v, at %v", err, child.Cancelled(), loop.Time())
		}
		boom := errors.New("boom")
		err = asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(failsWhenCancelled(boom))
			asyncio.Yield(ctx)
			g.Cancel()
			return nil
		})
		wantErr(t, "a failure", err, boom)
		return asyncio.Sleep(ctx, time.Second)
	})
}

func TestGroup_aTaskPanics_thatIsAnErrorOfTheGroup(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(explode("boom"))
			g.Go(sleepFor(time.Hour))
			return nil
		})
		var p *asyncio.PanicError
		if !errors.As(err, &p) || p.Value != "boom" {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestGroup_itsFunctionPanics_thePanicGoesOnWhenItsTasksHaveEnded(t *testing.T) {
	var reports []error
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		ended := 0
		mustPanic(t, "the function", func() {
			asyncio.Group(ctx, func(ctx context.Context, g group) error {
				for range 3 {
					g.Go(func(ctx context.Context) error {
						asyncio.Sleep(ctx, time.Hour)
						asyncio.Shield(ctx, sleepFor(time.Second))
						ended++
						return nil
					})
				}
				g.Go(failsWhenCancelled(boom))
				asyncio.Yield(ctx)
				panic("the function")
			})
		})
		if ended != 3 || loop.Time() != time.Second {
			t.Errorf("%d ended at %v", ended, loop.Time())
		}
		return asyncio.Sleep(ctx, time.Hour)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i.Err) }))
	if len(reports) != 1 || reports[0] != boom {
		t.Errorf("reports %v, want boom", reports)
	}
}

func TestGroup_itsFunctionCallsGoexit_itsTasksEndFirst(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended := false
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(func(ctx context.Context) error {
					asyncio.Sleep(ctx, time.Hour)
					ended = true
					return nil
				})
				asyncio.Yield(ctx)
				runtime.Goexit()
				return nil
			})
		})
		_, err := task.Await(ctx)
		wantErr(t, "task", err, asyncio.ErrGoexit)
		if !ended {
			t.Error("the group's task has not ended")
		}
		return nil
	})
}

// conformance: taskgroup-14
func TestGroup_aTaskCallsGoexit_thatIsAnErrorOfTheGroup(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var other *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			other = asyncio.Spawn(g, sleeper(1))
			g.Go(func(context.Context) error { runtime.Goexit(); return nil })
			return nil
		})
		if err != asyncio.ErrGoexit || !other.Cancelled() {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestGroup_insideATimeout_returnsTheTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				for range 3 {
					g.Go(func(ctx context.Context) error { asyncio.Sleep(ctx, time.Hour); return ctx.Err() })
				}
				return nil
			})
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) || fmt.Sprint(err) != "asyncio: timed out after 1s" {
			t.Errorf("got %v", err)
		}
		return asyncio.Yield(ctx)
	})
}

func TestGroup_joinedUnderACancelledContext_stillWaitsForItsTasks(t *testing.T) {
	run(t, func(ctx context.Context) error {
		below, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		ended := false
		err := asyncio.Group(below, func(ctx context.Context, g group) error {
			g.Go(func(ctx context.Context) error {
				defer func() { ended = true }()
				return asyncio.Shield(ctx, sleepFor(time.Hour))
			})
			return nil
		})
		if err != nil || !ended {
			t.Errorf("got %v, ended %v", err, ended)
		}
		return nil
	})
}

func TestGroup_tasksCreatedInItByCreateTask_areNotAwaitedButCancelledAtItsEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var loose *asyncio.Task[int]
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			loose = asyncio.CreateTask(ctx, sleeper(1))
			return asyncio.Yield(ctx)
		})
		if err != nil || loose.Done() {
			t.Errorf("got %v, done %v", err, loose.Done())
		}
		_, err = loose.Await(ctx)
		wantErr(t, "loose", err, context.Canceled)
		return nil
	})
}
