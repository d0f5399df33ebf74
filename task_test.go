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

// sleeper is a coroutine that sleeps for an hour and returns v.
func sleeper[T any](v T) asyncio.Coroutine[T] {
	return func(ctx context.Context) (T, error) { return v, asyncio.Sleep(ctx, time.Hour) }
}

// value is a coroutine that returns v at once.
func value[T any](v T) asyncio.Coroutine[T] {
	return func(context.Context) (T, error) { return v, nil }
}

// failing is a coroutine that fails with err at once.
func failing[T any](err error) asyncio.Coroutine[T] {
	return func(context.Context) (v T, _ error) { return v, err }
}

// conformance: task-01 task-19
func TestTask_valuesFlowBackThroughNestedAwaits(t *testing.T) {
	var nested func(ctx context.Context, depth int) (int, error)
	nested = func(ctx context.Context, depth int) (int, error) {
		if depth == 0 {
			return 1, asyncio.Yield(ctx)
		}
		v, err := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return nested(ctx, depth-1) }).Await(ctx)
		return v + 1, err
	}
	for _, debug := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			v, err := nested(ctx, 100)
			if v != 101 || err != nil {
				t.Errorf("debug %v: got %d, %v, want 101", debug, v, err)
			}
			return nil
		}, asyncio.WithDebug(debug))
	}
}

// conformance: task-08 task-26 task-31
func TestTask_runsToItsEnd_andKeepsTheResult(t *testing.T) {
	var task *asyncio.Task[int]
	run(t, func(ctx context.Context) error {
		task = asyncio.CreateTask(ctx, value(42))
		if task.Done() {
			t.Error("done before it has run")
		}
		if _, err := task.Result(); !errors.Is(err, asyncio.ErrInvalidState) {
			t.Errorf("Result of a task that runs: %v", err)
		}
		wantErr(t, "Err of a task that runs", task.Err(), nil)
		v, err := task.Await(ctx)
		if v != 42 || err != nil || !task.Done() || task.Cancelled() {
			t.Errorf("got %d, %v, done %v, cancelled %v", v, err, task.Done(), task.Cancelled())
		}
		v, err = task.Await(ctx)
		if v != 42 || err != nil {
			t.Errorf("awaited again: %d, %v", v, err)
		}
		return nil
	})
	v, err := task.Result() // the loop is closed
	if v != 42 || err != nil || task.Err() != nil {
		t.Errorf("after the loop's end: %d, %v", v, err)
	}
}

func TestTask_startsInTheNextTurn_inTheOrderOfCreation(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var order []int
		for i := range 5 {
			asyncio.Go(ctx, func(context.Context) error { order = append(order, i); return nil })
		}
		if len(order) != 0 {
			t.Error("ran inside CreateTask")
		}
		asyncio.Yield(ctx)
		if fmt.Sprint(order) != "[0 1 2 3 4]" {
			t.Errorf("order %v", order)
		}
		return nil
	}, fifo)
}

func TestTask_veryManyOfThem_takeTurnsInOrder(t *testing.T) {
	const n, rounds = 3000, 5
	run(t, func(ctx context.Context) error {
		step := 0
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range n {
				g.Go(func(ctx context.Context) error {
					for round := range rounds {
						if want := round*n + i; step != want {
							return fmt.Errorf("task %d runs in step %d of round %d", i, step, round)
						}
						step++
						if err := asyncio.Yield(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	}, fifo)
}

func TestTask_ofACancelledContext_startsAndSeesIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		started := false
		task := asyncio.Go(below, func(ctx context.Context) error {
			started = true
			wantErr(t, "Cause", context.Cause(ctx), boom)
			return asyncio.Sleep(ctx, time.Hour)
		})
		_, err := task.Await(ctx)
		wantErr(t, "Await", err, boom)
		if !started || !task.Cancelled() {
			t.Errorf("started %v, cancelled %v", started, task.Cancelled())
		}
		return nil
	})
}

// conformance: task-06 task-13 gather-10
func TestAwait_ofAnotherLoopsFuture_isRefusedAndSaysSo(t *testing.T) {
	other, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	theirs := asyncio.NewFuture[int](other)
	run(t, func(ctx context.Context) error {
		_, err := theirs.Await(ctx)
		if err == nil || !strings.Contains(err.Error(), "another event loop") {
			t.Errorf("got %v", err)
		}
		mine := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		_, err = asyncio.Gather(ctx, mine.Await, theirs.Await)
		if err == nil || !strings.Contains(err.Error(), "another event loop") {
			t.Errorf("Gather: got %v", err)
		}
		return nil
	})
}

// conformance: task-07
func TestAwait_ofTheTaskItself_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var self *asyncio.Task[int]
		self = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return self.Await(ctx) })
		_, err := self.Await(ctx)
		if err == nil || !strings.Contains(err.Error(), "itself") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

// conformance: task-15 task-18 future-47
func TestTask_String_showsNameStateAndWhatItWaitsFor(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		want := func(task fmt.Stringer, s string) {
			t.Helper()
			if got := task.String(); got != s {
				t.Errorf("%q, want %q", got, s)
			}
		}
		var me *asyncio.Task[any]
		me = asyncio.CreateTask(ctx, func(ctx context.Context) (any, error) {
			want(me, "me (running)")
			fut.Await(ctx)
			return me, nil
		}, asyncio.Name("me"))
		want(me, "me (not started yet)")
		asyncio.Yield(ctx)
		want(me, "me (waits for a Future[int])")
		fut.SetResult(1)
		want(me, "me (ready)")
		me.Await(ctx)
		want(me, "me (finished)")

		bad := asyncio.CreateTask(ctx, failing[int](errors.New("boom")), asyncio.Name("bad"))
		slow := asyncio.CreateTask(ctx, sleeper(1), asyncio.Name("slow"))
		bad.Await(ctx)
		want(bad, "bad (failed)")
		want(slow, "slow (waits for a timer)")
		stubborn := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
		}, asyncio.Name("stubborn"))
		asyncio.Yield(ctx)
		slow.Cancel()
		stubborn.Cancel()
		want(slow, "slow (ready, cancelling)")
		want(stubborn, "stubborn (waits for a timer, cancelling)")
		slow.Await(ctx)
		want(slow, "slow (cancelled)")
		return nil
	}, fifo)
}

// conformance: task-16 task-34 taskgroup-19 taskgroup-31
func TestTask_name_isTheGivenOneOrCounted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a := asyncio.CreateTask(ctx, value(1))
		b := asyncio.Go(ctx, asyncio.Yield)
		var na, nb int
		fmt.Sscanf(a.Name(), "Task-%d", &na)
		fmt.Sscanf(b.Name(), "Task-%d", &nb)
		if na == 0 || nb != na+1 {
			t.Errorf("names %s, %s", a.Name(), b.Name())
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for _, task := range []*asyncio.Task[string]{
				asyncio.CreateTask(ctx, asyncioName, asyncio.Name("x")), asyncio.Spawn(g, asyncioName, asyncio.Name("x")),
			} {
				inside, err := task.Await(ctx)
				if inside != "x" || err != nil || task.Name() != "x" {
					t.Errorf("name %q, inside %q, %v", task.Name(), inside, err)
				}
			}
			if name := g.Go(asyncio.Yield, asyncio.Name("y")).Name(); name != "y" {
				t.Errorf("name %q", name)
			}
			return nil
		})
	})
}

func asyncioName(ctx context.Context) (string, error) { return asyncio.CurrentTask(ctx).Name(), nil }

// conformance: task-22 task-40
func TestTask_isAnAwaitable_andCannotBeSetFromOutside(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var a asyncio.Awaitable[int] = asyncio.CreateTask(ctx, value(7))
		if _, ok := a.(interface{ SetResult(int) error }); ok {
			t.Error("a Task has SetResult")
		}
		if _, ok := a.(interface{ SetError(error) error }); ok {
			t.Error("a Task has SetError")
		}
		if v, err := a.Await(ctx); v != 7 || err != nil || !a.Done() {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: task-27
func TestTask_thatReturnsAFuture_givesTheFutureItself(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		got, err := asyncio.CreateTask(ctx, value(fut)).Await(ctx)
		if got != fut || err != nil || fut.Done() {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
}

func TestTask_doneCallbacks_runLaterInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var order []int
		task := asyncio.CreateTask(ctx, value(5))
		for i := range 3 {
			task.AddDoneCallback(func(task *asyncio.Task[int]) {
				if v, err := task.Result(); v != 5 || err != nil || asyncio.RunningLoop(ctx) == nil {
					t.Errorf("the callback sees %v, %v", v, err)
				}
				order = append(order, i)
			})
		}
		task.Await(ctx)
		task.AddDoneCallback(func(*asyncio.Task[int]) { order = append(order, 3) })
		letWait(t, ctx)
		if fmt.Sprint(order) != "[0 1 2 3]" {
			t.Errorf("order %v", order)
		}
		mustPanic(t, "nil function", func() { task.AddDoneCallback(nil) })
		return nil
	})
}

// conformance: task-cancel-05 task-cancel-01
func TestTask_cancelled_endsItsWaitAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		task := asyncio.CreateTask(ctx, sleeper(1))
		asyncio.Yield(ctx)
		if task.Cancelling() || !task.Cancel() || !task.Cancelling() || !task.Cancel() {
			t.Error("Cancel is not true while the task has not ended")
		}
		if task.Done() {
			t.Error("done inside Cancel")
		}
		v, err := task.Await(ctx)
		wantErr(t, "Await", err, context.Canceled)
		if v != 1 || !task.Done() || !task.Cancelled() || task.Cancel() || task.Cancelling() {
			t.Errorf("value %v, done %v, cancelled %v", v, task.Done(), task.Cancelled())
		}
		if loop.Time() != 0 {
			t.Errorf("it took %v", loop.Time())
		}
		return nil
	})
}

// conformance: sleep-03
func TestTask_cancelledWhileItSleeps_leavesNoTimerBehind(t *testing.T) {
	loop := clockLoop(t)
	task := asyncio.CreateTask(loop.Context(), sleeper(1))
	loop.RunOnce()
	task.Cancel()
	runAll(loop)
	if !task.Cancelled() || loop.Time() != 0 {
		t.Errorf("cancelled %v; the loop has waited until %v", task.Cancelled(), loop.Time())
	}
}

// conformance: task-cancel-06 task-cancel-07 task-04
func TestTask_cancelledWithACause_everybodySeesIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("no longer wanted")
		var seen error
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			seen = asyncio.Sleep(ctx, time.Hour)
			wantErr(t, "ctx.Err", ctx.Err(), context.Canceled)
			return 0, seen
		})
		waiter := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := task.Await(ctx)
			return fmt.Errorf("waiter: %w", err)
		})
		asyncio.Yield(ctx)
		task.Cancel(cause)
		task.Cancel(errors.New("too late: it is cancelled already"))
		_, err := task.Await(ctx)
		_, again := task.Result()
		if seen != cause || err != cause || again != cause || task.Err() != cause || !task.Cancelled() {
			t.Errorf("the task saw %v; Await %v, Result %v, Err %v", seen, err, again, task.Err())
		}
		_, err = waiter.Await(ctx)
		if !errors.Is(err, cause) || err == cause || waiter.Cancelled() {
			t.Errorf("waiter: %v, cancelled %v", err, waiter.Cancelled())
		}
		return nil
	})
}

// conformance: task-cancel-08
// pitfall: 2
func TestTask_cancelledBeforeItsFirstStep_stillStarts(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		saw := errors.New("did not run")
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			saw = asyncio.Sleep(ctx, time.Hour)
			return 0, saw
		})
		task.Cancel(cause)
		_, err := task.Await(ctx)
		if saw != cause || err != cause || !task.Cancelled() {
			t.Errorf("it saw %v and ended with %v, cancelled %v", saw, err, task.Cancelled())
		}
		return nil
	})
}

// conformance: task-cancel-09
func TestTask_cancelledWhileItYields_seesItThere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, asyncio.Yield)
		zero := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) })
		asyncio.Go(ctx, func(context.Context) error { task.Cancel(); zero.Cancel(); return nil })
		_, err := task.Await(ctx)
		wantErr(t, "Yield", err, context.Canceled)
		_, err = zero.Await(ctx)
		wantErr(t, "Sleep(0)", err, context.Canceled)
		return nil
	})
}

// conformance: task-cancel-10 task-cancel-19
// pitfall: 5
func TestAwait_waiterAndAwaited_doNotOwnOneAnother(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		cancelled := asyncio.CreateTask(ctx, fut.Await)
		goesOn := asyncio.CreateTask(ctx, fut.Await)
		asyncio.Yield(ctx)
		cancelled.Cancel()
		_, err := cancelled.Await(ctx)
		wantErr(t, "cancelled waiter", err, context.Canceled)
		if fut.Done() || !cancelled.Cancelled() {
			t.Error("cancelling a waiter cancelled the future, or did not cancel the waiter")
		}
		cause := errors.New("cause")
		fut.Cancel(cause)
		_, err = goesOn.Await(ctx)
		if err != cause || goesOn.Cancelled() {
			t.Errorf("the waiter of a cancelled future: %v, cancelled %v", err, goesOn.Cancelled())
		}
		return nil
	})
}

// conformance: task-cancel-11
func TestTask_cancelledTogetherWithWhatItAwaits_endsCancelled(t *testing.T) {
	for _, futureFirst := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
			task := asyncio.CreateTask(ctx, fut.Await)
			asyncio.Yield(ctx)
			if futureFirst {
				fut.Cancel()
			}
			task.Cancel()
			fut.Cancel()
			_, err := task.Await(ctx)
			wantErr(t, "Await", err, context.Canceled)
			if !task.Cancelled() || !fut.Cancelled() {
				t.Error("not cancelled")
			}
			return nil
		})
	}
}

// conformance: task-cancel-04
// pitfall: 1
func TestAwait_resultAndCancellationInTheSameTurn_theResultIsKeptAndTheNextWaitReports(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			v, err := fut.Await(ctx)
			if v != 3 || err != nil {
				t.Errorf("got %v, %v, want 3", v, err)
			}
			return v, asyncio.Yield(ctx)
		})
		asyncio.Yield(ctx)
		fut.SetResult(3)
		task.Cancel()
		v, err := task.Await(ctx)
		wantErr(t, "the next wait", err, context.Canceled)
		if v != 3 || !task.Cancelled() {
			t.Errorf("the task returned %d, cancelled %v", v, task.Cancelled())
		}

		second := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		task = asyncio.CreateTask(ctx, second.Await)
		asyncio.Yield(ctx)
		task.Cancel()
		second.SetResult(3)
		_, err = task.Await(ctx)
		wantErr(t, "cancelled first", err, context.Canceled)
		return nil
	}, fifo)
}

func TestAwait_ofWhatIsDone_givesItAtOnceUnderACancelledContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, value(1))
		task.Await(ctx)
		below, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		if v, err := task.Await(below); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: task-cancel-12 task-cancel-13 task-cancel-02
// pitfall: 3
func TestTask_thatEndsWellAlthoughCancelled_isFinished(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fut := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			_, err := fut.Await(ctx)
			wantErr(t, "first wait", err, context.Canceled)
			_, err = fut.Await(ctx)
			wantErr(t, "second wait", err, context.Canceled)
			wantErr(t, "wait under Shield", asyncio.Shield(ctx, func(ctx context.Context) error {
				return asyncio.Sleep(ctx, time.Second)
			}), nil)
			wantErr(t, "after Shield", asyncio.Yield(ctx), context.Canceled)
			return "well", nil
		})
		asyncio.Yield(ctx)
		task.Cancel()
		v, err := task.Await(ctx)
		if v != "well" || err != nil || task.Cancelled() || fut.Done() {
			t.Errorf("got %q, %v, cancelled %v, future done %v", v, err, task.Cancelled(), fut.Done())
		}
		return nil
	})
}

// conformance: task-cancel-03
// pitfall: 4
func TestScopes_eachTurnsOnlyItsOwnEndIntoItsResult(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom, cause := errors.New("boom"), errors.New("cause")
		var afterTimeout, afterGroup, outer error
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			outer = asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
				wantErr(t, "the inner timeout", asyncio.Timeout(ctx, time.Second, sleepFor(time.Minute)), context.DeadlineExceeded)
				afterTimeout = asyncio.Yield(ctx)
				wantErr(t, "the group", asyncio.Group(ctx, func(ctx context.Context, g group) error {
					g.Go(failing2(boom))
					return asyncio.Sleep(ctx, time.Minute)
				}), boom)
				afterGroup = asyncio.Yield(ctx)
				return asyncio.Timeout(ctx, time.Minute, sleepFor(time.Hour)) // the task's cancellation comes here
			})
			return outer
		})
		asyncio.Sleep(ctx, 2*time.Second)
		if afterTimeout != nil || afterGroup != nil {
			t.Errorf("a scope that had ended goes on outside of itself: %v, %v", afterTimeout, afterGroup)
		}
		task.Cancel(cause)
		_, err := task.Await(ctx)
		if outer != cause || err != cause || !task.Cancelled() {
			t.Errorf("the timeout returned %v, the task %v", outer, err)
		}
		return nil
	})
}

// pitfall: 5
func TestTask_cancelled_reachesAllThatItOwnsAndNothingThatItAwaits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		awaited := asyncio.CreateTask(ctx, sleeper("awaited"))
		var seen []string
		see := func(name string, err error) error {
			if err != cause {
				t.Errorf("%s: %v", name, err)
			}
			seen = append(seen, name)
			return err
		}
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return see("timeout", asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
				return see("group", asyncio.Group(ctx, func(ctx context.Context, g group) error {
					g.Go(func(ctx context.Context) error {
						_, err := asyncio.Gather(ctx, awaited.Await, func(ctx context.Context) (string, error) {
							return "", see("sleep", asyncio.Sleep(ctx, time.Hour))
						})
						return see("gather", err)
					})
					return nil
				}))
			}))
		})
		asyncio.Sleep(ctx, time.Second)
		task.Cancel(cause)
		_, err := task.Await(ctx)
		if see("task", err); strings.Join(seen, " ") != "sleep gather group timeout task" || !task.Cancelled() || awaited.Cancelling() {
			t.Errorf("seen by %v; awaited %v", seen, awaited)
		}
		v, err := awaited.Await(ctx)
		if v != "awaited" {
			t.Errorf("awaited: %q", v)
		}
		return err
	})
}

func TestTask_cancelledWait_letsOthersRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		below, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		rounds := 0
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for range 100 {
				asyncio.Yield(ctx)
			}
			return nil
		})
		for !other.Done() {
			if asyncio.Sleep(below, time.Hour) == nil {
				t.Fatal("slept under a cancelled context")
			}
			rounds++
		}
		if rounds > 110 {
			t.Errorf("%d failed waits beside 100 turns", rounds)
		}
		return nil
	})
}

// conformance: task-cancel-14
// pitfall: 2
func TestTask_thatCancelsItself_isCancelledAtItsNextWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var self *asyncio.Task[int]
		self = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			self.Cancel()
			return 1, asyncio.Sleep(ctx, time.Hour)
		})
		_, err := self.Await(ctx)
		wantErr(t, "Await", err, context.Canceled)
		if !self.Cancelled() || asyncio.RunningLoop(ctx).Time() != 0 {
			t.Errorf("cancelled %v after %v", self.Cancelled(), asyncio.RunningLoop(ctx).Time())
		}
		return nil
	})
}

// conformance: task-cancel-15
// pitfall: 2
func TestTask_thatCancelsItselfAndReturnsAValue_isFinished(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var self *asyncio.Task[int]
		self = asyncio.CreateTask(ctx, func(context.Context) (int, error) { self.Cancel(); return 1, nil })
		if v, err := self.Await(ctx); v != 1 || err != nil || self.Cancelled() {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: task-cancel-16
// pitfall: 2
func TestTask_cancelledBeforeItAwaitsItsSubTask_cancelsThatToo(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var self, sub, below *asyncio.Task[int]
		self = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			self.Cancel()
			sub = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				below = asyncio.CreateTask(ctx, sleeper(1))
				return below.Await(ctx)
			})
			return sub.Await(ctx)
		})
		self.Await(ctx)
		letWait(t, ctx)
		if !self.Cancelled() || !sub.Cancelled() || !below.Cancelled() {
			t.Errorf("self: %v, sub: %v, below it: %v", self, sub, below)
		}
		return nil
	})
}

// conformance: task-cancel-20
func TestTask_cancelled_eachLevelOfItsCallsCanHandleIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var levels []string
		inner := func(ctx context.Context) error {
			err := asyncio.Sleep(ctx, time.Hour)
			levels = append(levels, "inner")
			return fmt.Errorf("inner: %w", err)
		}
		middle := func(ctx context.Context) error {
			err := inner(ctx)
			levels = append(levels, "middle")
			return err
		}
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			err := middle(ctx)
			levels = append(levels, "outer")
			return err
		})
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		wantErr(t, "Await", err, context.Canceled)
		if fmt.Sprint(levels) != "[inner middle outer]" || !task.Cancelled() {
			t.Errorf("levels %v, cancelled %v", levels, task.Cancelled())
		}
		return nil
	})
}

// What a task returns decides whether its cancellation is why it ended.
func TestTask_cancelled_endsCancelledOnlyIfItsErrorSaysNothingElse(t *testing.T) {
	boom, cause := errors.New("boom"), errors.New("cause")
	cases := []struct {
		name      string
		end       func(err error) error
		cancelled bool
	}{
		{"the cause", func(err error) error { return err }, true},
		{"the cause, wrapped", func(err error) error { return fmt.Errorf("x: %w", err) }, true},
		{"context.Canceled", func(error) error { return context.Canceled }, true},
		{"another error", func(error) error { return boom }, false},
		{"the cause and another error", func(err error) error { return errors.Join(err, boom) }, false},
		{"the cause twice", func(err error) error { return errors.Join(err, context.Canceled) }, true},
		{"a panic with the cause", func(err error) error { panic(err) }, false},
		{"a panic with context.Canceled", func(error) error { panic(context.Canceled) }, false},
	}
	for _, c := range cases {
		run(t, func(ctx context.Context) error {
			task := asyncio.Go(ctx, func(ctx context.Context) error { return c.end(asyncio.Sleep(ctx, time.Hour)) })
			asyncio.Yield(ctx)
			task.Cancel(cause)
			task.Await(ctx)
			if task.Cancelled() != c.cancelled {
				t.Errorf("%s: cancelled %v with %v", c.name, task.Cancelled(), task.Err())
			}
			return nil
		})
	}
	run(t, func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			task := asyncio.Go(ctx, func(ctx context.Context) error { asyncio.Sleep(ctx, time.Hour); return ctx.Err() })
			task.Await(context.WithoutCancel(ctx))
			if !task.Cancelled() {
				t.Errorf("ctx.Err() after a timeout: failed with %v", task.Err())
			}
			return nil
		})
	})
}

// conformance: task-24
func TestTask_panicWhileItIsCancelled_isItsErrorAndNotACancellation(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			defer func() { panic("clean-up") }()
			return asyncio.Sleep(ctx, time.Hour)
		})
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		var p *asyncio.PanicError
		if !errors.As(err, &p) || p.Value != "clean-up" || task.Cancelled() {
			t.Errorf("got %v, cancelled %v", err, task.Cancelled())
		}
		return nil
	})
}

func TestTask_panic_isItsErrorWithTheStackOfThePanic(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		_, err := asyncio.Go(ctx, explode(boom)).Await(ctx)
		var p *asyncio.PanicError
		if !errors.As(err, &p) || !errors.Is(err, boom) || !strings.Contains(string(p.Stack), "TestTask_panic_isItsError") {
			t.Errorf("got %v", err)
		}
		_, err = asyncio.Go(ctx, func(context.Context) error { var none []int; none[len(none)]++; return nil }).Await(ctx)
		var re runtime.Error
		if !errors.As(err, &re) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func explode(v any) func(context.Context) error {
	return func(ctx context.Context) error {
		asyncio.Yield(ctx)
		panic(v)
	}
}

func TestTask_goexit_runsItsDeferredFunctionsAndEndsOnlyIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for range 3 {
			cleaned := 0
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				defer func() { cleaned++ }()
				defer func() { asyncio.Sleep(ctx, time.Second); cleaned++ }()
				asyncio.Yield(ctx)
				runtime.Goexit()
				return nil
			})
			atOnce := asyncio.Go(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			_, err := task.Await(ctx)
			wantErr(t, "Await", err, asyncio.ErrGoexit)
			_, err = atOnce.Await(ctx)
			wantErr(t, "Await", err, asyncio.ErrGoexit)
			if cleaned != 2 {
				t.Errorf("%d of 2 deferred functions ran", cleaned)
			}
		}
		return asyncio.Sleep(ctx, time.Second)
	})
}

func TestTask_panicAfterGoexit_isItsErrorAndEndsOnlyIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for range 3 {
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				defer func() { panic("clean-up") }()
				asyncio.Yield(ctx)
				runtime.Goexit()
				return nil
			})
			_, err := task.Await(ctx)
			var p *asyncio.PanicError
			if !errors.As(err, &p) || p.Value != "clean-up" {
				t.Errorf("got %v", err)
			}
		}
		return asyncio.Sleep(ctx, time.Second)
	})
}

// conformance: task-09 task-29
func TestCreateTask_withoutALoop_panicsAndLeavesNothing(t *testing.T) {
	mustPanic(t, "does not belong to an event loop", func() { asyncio.CreateTask(context.Background(), value(1)) })
	var old context.Context
	run(t, func(ctx context.Context) error { old = ctx; return nil })
	mustPanic(t, "closed", func() { asyncio.CreateTask(old, value(1)) })
	mustPanic(t, "closed", func() { asyncio.Go(old, asyncio.Yield) })
	run(t, func(ctx context.Context) error {
		mustPanic(t, "nil function", func() { asyncio.CreateTask[int](ctx, nil) })
		mustPanic(t, "nil function", func() { asyncio.Go(ctx, nil) })
		elsewhere(func() {
			mustPanic(t, "not the event loop's", func() { asyncio.Go(ctx, asyncio.Yield) })
		})
		if all := asyncio.AllTasks(asyncio.RunningLoop(ctx)); len(all) != 1 {
			t.Errorf("tasks that could not be created are listed: %v", all)
		}
		return nil
	})
}

func TestTask_spawnAwaitAndSwitch_allocateNoMoreThanTheyNeed(t *testing.T) {
	if raceEnabled {
		return
	}
	run(t, func(ctx context.Context) error {
		fn := value(struct{}{})
		allocates(t, "CreateTask and Await", 1, func() { asyncio.CreateTask(ctx, fn).Await(ctx) })
		allocates(t, "Yield", 0, func() { asyncio.Yield(ctx) })
		allocates(t, "Sleep", 0, func() { asyncio.Sleep(ctx, time.Millisecond) })
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for asyncio.Yield(ctx) == nil {
			}
			return nil
		})
		allocates(t, "Yield to another", 0, func() { asyncio.Yield(ctx) })
		other.Cancel()
		other.Await(ctx)

		loop := asyncio.RunningLoop(ctx)
		const n = 2000
		futures := make([]*asyncio.Future[int], n)
		for i := range futures {
			futures[i] = asyncio.NewFuture[int](loop)
		}
		waiter := asyncio.Go(ctx, func(ctx context.Context) error {
			for _, f := range futures {
				if _, err := f.Await(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		asyncio.Yield(ctx)
		i := 0
		allocates(t, "Future hand-over", 0, func() { futures[i].SetResult(i); i++; asyncio.Yield(ctx) })
		waiter.Cancel()
		return nil
	})
}

// conformance: task-debug-04 debug-02 debug-06 runner-04
func TestTask_failedUnseen_isReportedWithWhereItWasCreated(t *testing.T) {
	for _, debug := range []bool{true, false} {
		var seen []asyncio.ExceptionInfo
		run(t, func(ctx context.Context) error {
			if asyncio.RunningLoop(ctx).Debug() != debug {
				t.Errorf("Debug() is not %v", debug)
			}
			asyncio.Go(ctx, failing2(errors.New("boom")))
			asyncio.CreateTask(ctx, failing[int](errors.New("boom")), asyncio.Name("second"))
			return asyncio.Yield(ctx)
		}, asyncio.WithDebug(debug), asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { seen = append(seen, i) }))
		if len(seen) != 2 || !strings.Contains(seen[0].Created, "task_test.go:") || !strings.Contains(seen[1].Created, "task_test.go:") {
			t.Errorf("debug %v: %+v", debug, seen)
		}
	}
}

// failing2 is failing for Go.
func failing2(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// conformance: debug-03 gather-06
func TestDebugMode_canBeSwitchedOnByTheEnvironment(t *testing.T) {
	for v, want := range map[string]bool{"": false, "0": false, "1": true} {
		t.Setenv("ASYNCIO_DEBUG", v)
		run(t, func(ctx context.Context) error {
			if got := asyncio.RunningLoop(ctx).Debug(); got != want {
				t.Errorf("ASYNCIO_DEBUG=%q: debug %v", v, got)
			}
			return nil
		})
	}
}
