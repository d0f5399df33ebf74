package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// conformance: loop-07 loop-26
// pitfall: 32
func TestCallSoon_runsInOrderInTheNextTurn(t *testing.T) {
	loop := clockLoop(t)
	var order []int
	for i := range 200 {
		loop.CallSoon(func() { order = append(order, i) })
	}
	if len(order) != 0 {
		t.Error("a callback ran inside CallSoon")
	}
	if !loop.RunOnce() || len(order) != 200 || order[0] != 0 || order[199] != 199 {
		t.Errorf("%v ran", order)
	}
	if loop.RunOnce() {
		t.Error("RunOnce reported work where there was none")
	}
}

// conformance: loop-12
// pitfall: 32
func TestCallSoon_insideACallback_waitsForTheNextTurn(t *testing.T) {
	loop := clockLoop(t)
	turns := 0
	var again func()
	again = func() { turns++; loop.CallSoon(again) }
	loop.CallSoon(again)
	for want := 1; want <= 5; want++ {
		if loop.RunOnce(); turns != want {
			t.Fatalf("%d calls after %d turns", turns, want)
		}
	}
}

func TestCallSoon_tasksAndCallbacksTakeTurnsInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var order []string
		say := func(s string) func() { return func() { order = append(order, s) } }
		loop.CallSoon(say("callback 1"))
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			say("task")()
			loop.CallSoon(say("callback 3"))
			asyncio.Yield(ctx)
			say("task again")()
			return nil
		})
		loop.CallSoon(say("callback 2"))
		task.Await(ctx)
		if got := strings.Join(order, ", "); got != "callback 1, task, callback 2, callback 3, task again" {
			t.Errorf("order: %s", got)
		}
		return nil
	}, fifo)
}

// conformance: loop-09 loop-25
func TestCallLater_schedulesATimerAndNothingElse(t *testing.T) {
	loop := clockLoop(t)
	var fired []string
	loop.CallLater(time.Second, func() { fired = append(fired, fmt.Sprint("later ", loop.Time())) })
	loop.CallSoon(func() { fired = append(fired, fmt.Sprint("soon ", loop.Time())) })
	loop.RunOnce()
	if fmt.Sprint(fired) != "[soon 0s]" {
		t.Errorf("after a turn: %v", fired)
	}
	loop.RunOnce()
	if fmt.Sprint(fired) != "[soon 0s later 1s]" {
		t.Errorf("at the end: %v", fired)
	}
}

// conformance: loop-11
func TestCallAt_isOnTheLoopsClock_andNeverEarly(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var done asyncio.Event
		for i := range 20 {
			when := loop.Time() + time.Duration(i)*100*time.Microsecond
			loop.CallAt(when, func() {
				if now := loop.Time(); now < when {
					t.Errorf("called at %v, want not before %v", now, when)
				}
				if i == 19 {
					done.Set()
				}
			})
		}
		return done.Wait(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

// conformance: loop-timers-01
func TestRunOnce_stoppedTimersAtTheHead_doNotCostATurn(t *testing.T) {
	loop := clockLoop(t)
	for i := range 10 {
		loop.CallAt(time.Duration(i), func() { t.Error("fired") }).Stop()
	}
	fired := false
	loop.CallAt(time.Hour, func() { fired = true })
	if !loop.RunOnce() || !fired || loop.Time() != time.Hour {
		t.Errorf("after one turn: fired %v, time %v", fired, loop.Time())
	}
}

// conformance: loop-timers-03
func TestRunOnce_tinySleeps_doNotSpin(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	task := asyncio.Go(loop.Context(), func(ctx context.Context) error {
		for _, d := range []time.Duration{1, 10, 100, 1000, 10_000} {
			if err := asyncio.Sleep(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
	turns := 0
	for ; !task.Done(); turns++ {
		loop.RunOnce()
	}
	if turns > 20 {
		t.Errorf("%d turns for five tiny sleeps", turns)
	}
}

// conformance: loop-20
func TestRunOnce_embeddedInAnotherLoop_whoIsRunningIsRightInBetween(t *testing.T) {
	run(t, func(ctx context.Context) error {
		outer := asyncio.RunningLoop(ctx)
		inner := clockLoop(t)
		steps := 0
		asyncio.Go(inner.Context(), func(ictx context.Context) error {
			for range 3 {
				steps++
				if !inner.OnLoop() || asyncio.RunningLoop(ictx) != inner {
					t.Error("the inner loop's task is not on the inner loop")
				}
				asyncio.Yield(ictx)
			}
			return nil
		})
		for inner.RunOnce() {
			if inner.OnLoop() || !outer.OnLoop() || asyncio.RunningLoop(ctx) != outer {
				t.Error("the outer loop's task is not on the outer loop")
			}
			asyncio.Yield(ctx)
		}
		if steps != 3 {
			t.Errorf("%d steps", steps)
		}
		return nil
	})
}

func TestRunOnce_insideItself_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		mustPanic(t, "asyncio: Loop.RunOnce: the event loop is running already", func() { loop.RunOnce() })
		return nil
	})
}

// conformance: loop-21 loop-22 loop-34
func TestRun_insideARunningLoop_isRefused_andTheLoopRunsOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		main := func(context.Context) error { t.Error("ran"); return nil }
		if err := asyncio.Run(ctx, main); err == nil || !strings.Contains(err.Error(), "asyncio: Run: called on a running event loop") {
			t.Errorf("another loop: %v", err)
		}
		if err := loop.Run(ctx, main); err == nil || !strings.Contains(err.Error(), "asyncio: Run: called on a running event loop") {
			t.Errorf("the same loop: %v", err)
		}
		if asyncio.RunningLoop(ctx) != loop || !loop.OnLoop() {
			t.Error("the loop is not the running one any more")
		}
		return asyncio.Yield(ctx)
	})
}

// conformance: loop-35
func TestRunningLoop_insideAndOutside(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.Go(ctx, func(ctx context.Context) error {
			if asyncio.RunningLoop(ctx) != loop {
				t.Error("another Loop in another task")
			}
			return nil
		}).Await(ctx)
		elsewhere(func() {
			if loop.OnLoop() || lowlevel.CurrentContext(loop) != nil {
				t.Error("a foreign goroutine is on the loop")
			}
			mustPanic(t, "asyncio: RunningLoop: asyncio: called from a goroutine that is not the event loop's", func() { asyncio.RunningLoop(ctx) })
		})
		return nil
	})
	mustPanic(t, "asyncio: RunningLoop: asyncio: the context does not belong to an event loop", func() { asyncio.RunningLoop(context.Background()) })
}

func TestLoop_methodsOnAForeignGoroutine_panic(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
		calls := map[string]func(){
			"Loop.CallSoon":            func() { loop.CallSoon(func() {}) },
			"Loop.CallLater":           func() { loop.CallLater(1, func() {}) },
			"Loop.CallAt":              func() { loop.CallAt(1, func() {}) },
			"AddCloser":                func() { lowlevel.AddCloser(loop, nil) },
			"Loop.SetExceptionHandler": func() { loop.SetExceptionHandler(nil) },
			"Loop.CallException":       func() { loop.CallException(asyncio.ExceptionInfo{}) },
			"Go":                       func() { asyncio.Go(ctx, func(context.Context) error { return nil }) },
			"After":                    func() { asyncio.After(ctx, 1, 1) },
			"Task.Cancel":              func() { task.Cancel() },
		}
		elsewhere(func() {
			for name, call := range calls {
				mustPanic(t, "asyncio: "+name+": asyncio: called from a goroutine that is not the event loop's", call)
			}
		})
		_, err := task.Await(ctx)
		return err
	})
}

// conformance: loop-14
func TestAwait_aFutureOfAnotherLoop_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		future := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		elsewhere(func() {
			onAnotherLoop(t, func(ctx context.Context) error { _, err := future.Await(ctx); return err })
		})
		return nil
	})
}

func TestLoop_runsAgainAndAgain(t *testing.T) {
	loop := clockLoop(t)
	before := asyncio.Go(loop.Context(), func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
	for i := range 3 {
		boom := errors.New("boom")
		err := loop.Run(context.Background(), func(ctx context.Context) error {
			if asyncio.RunningLoop(ctx) != loop || ctx.Err() != nil {
				t.Errorf("run %d: another loop, or %v from the start", i, ctx.Err())
			}
			before.Await(ctx)
			asyncio.Sleep(ctx, time.Hour)
			return boom
		})
		if err != boom {
			t.Errorf("run %d returned %v", i, err)
		}
	}
	if loop.Time() != 3*time.Hour+time.Second || before.Err() != nil {
		t.Errorf("the time is %v, the first task %v", loop.Time(), before)
	}
}

func TestLoop_now_followsTheClock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		start := loop.Now()
		asyncio.Sleep(ctx, 1000*time.Hour)
		if d := loop.Now().Sub(start); d != 1000*time.Hour {
			t.Errorf("the wall clock went on by %v", d)
		}
		asyncio.Sleep(ctx, math.MaxInt64)
		before := loop.Time()
		asyncio.Sleep(ctx, math.MaxInt64)
		if loop.Time() < before {
			t.Errorf("the clock went back from %v to %v", before, loop.Time())
		}
		return nil
	})
}

// A loop that always has something ready still serves everybody else.
func TestLoop_neverIdle_starvesNobody(t *testing.T) {
	spinners := map[string]func(ctx context.Context){
		"a task that yields": func(ctx context.Context) {
			asyncio.Go(ctx, func(ctx context.Context) error {
				for asyncio.Yield(ctx) == nil {
				}
				return nil
			})
		},
		"a callback that asks for itself": func(ctx context.Context) {
			loop := asyncio.RunningLoop(ctx)
			var again func()
			again = func() {
				if ctx.Err() == nil {
					loop.CallSoon(again)
				}
			}
			again()
		},
		"tasks that start tasks": func(ctx context.Context) {
			var again func(ctx context.Context) error
			again = func(inner context.Context) error {
				if ctx.Err() == nil {
					asyncio.Go(ctx, again)
				}
				return nil
			}
			again(ctx)
		},
		"two tasks at a queue": func(ctx context.Context) {
			q := asyncio.NewQueue[int](1)
			asyncio.Go(ctx, func(ctx context.Context) error {
				for q.Put(ctx, 1) == nil {
				}
				return nil
			})
			asyncio.Go(ctx, func(ctx context.Context) error {
				for {
					if _, err := q.Get(ctx); err != nil {
						return nil
					}
				}
			})
		},
		"a task whose waits all fail": func(ctx context.Context) {
			asyncio.Go(ctx, func(outer context.Context) error {
				done, cancel := asyncio.WithCancel(outer)
				cancel(nil)
				var never asyncio.Event
				for outer.Err() == nil {
					never.Wait(done)
				}
				return nil
			})
		},
	}
	for name, spin := range spinners {
		t.Run(name, func(t *testing.T) {
			err := asyncio.Run(context.Background(), func(ctx context.Context) error {
				inner, stop := asyncio.WithCancel(ctx)
				defer stop(nil)
				spin(inner)
				loop := asyncio.RunningLoop(ctx)
				if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
				if _, err := asyncio.ToThread(ctx, func() (int, error) { return 1, nil }); err != nil {
					return err
				}
				var called asyncio.Event
				go loop.CallSoonThreadsafe(called.Set)
				return called.Wait(ctx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoop_nilFunctions_panic(t *testing.T) {
	loop := clockLoop(t)
	mustPanic(t, "asyncio: Loop.CallSoon: nil function", func() { loop.CallSoon(nil) })
	mustPanic(t, "asyncio: Loop.CallLater: nil function", func() { loop.CallLater(1, nil) })
	mustPanic(t, "asyncio: Loop.CallAt: nil function", func() { loop.CallAt(1, nil) })
}

func TestCallbacks_mustNotWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var err error
		loop.CallSoon(func() { err = asyncio.Sleep(loop.Context(), 1) })
		asyncio.Yield(ctx)
		if !errors.Is(err, asyncio.ErrWrongContext) || !strings.Contains(err.Error(), "a callback must not wait") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestNewLoop_withAnUnknownPoller_isAnError(t *testing.T) {
	if _, err := asyncio.NewLoop(asyncio.WithPoller("magic")); err == nil || !strings.Contains(err.Error(), "asyncio: new loop: ") {
		t.Errorf("got %v", err)
	}
}

func TestLoop_sleeps_givesBackTheCoroutinesThatABurstHasLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		const burst = 20_000
		before := runtime.NumGoroutine()
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for range burst {
				g.Go(asyncio.Yield)
			}
			return nil
		})
		if left := runtime.NumGoroutine() - before; left < burst/2 {
			t.Errorf("the burst has left %d coroutines: there is nothing to see", left)
		}
		gone := make(chan int)
		go func() {
			for runtime.NumGoroutine()-before > 200 {
				time.Sleep(time.Millisecond) // the loop is not to be woken
			}
			close(gone)
		}()
		asyncio.Recv(ctx, gone)
		return err
	}, asyncio.WithWatchdog(0))
}
