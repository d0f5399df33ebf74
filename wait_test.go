package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/go-asyncio/asyncio"
)

type (
	intTask   = asyncio.Task[int]
	intFuture = asyncio.Future[int]
)

// wantSets fails the test unless the two sets of Wait are these, in this order.
func wantSets[A comparable](t *testing.T, what string, done, pending, wantDone, wantPending []A) {
	t.Helper()
	if !slices.Equal(done, wantDone) || !slices.Equal(pending, wantPending) {
		t.Errorf("%s: done %v, pending %v; want %v, %v", what, done, pending, wantDone, wantPending)
	}
}

// newFutures returns n pending futures.
func newFutures(ctx context.Context, n int) []*intFuture {
	futures := make([]*intFuture, n)
	for i := range futures {
		futures[i] = newFuture[int](ctx)
	}
	return futures
}

// wantNoTurn fails the test if fn lets somebody else run.
func wantNoTurn(t *testing.T, ctx context.Context, fn func()) {
	t.Helper()
	others := 0
	h := asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
	fn()
	if h.Cancel(); others > 0 {
		t.Error("it has suspended")
	}
}

// conformance: wait-01
func TestWait_all_areDoneAfterTheLongest_andAtOnceTheSecondTime(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		a := asyncio.CreateTask(ctx, after(2*time.Second, 1, nil))
		b := asyncio.CreateTask(ctx, after(time.Second, 2, nil))
		done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, a, b)
		wantSets(t, "first", done, pending, []*intTask{a, b}, nil)
		if err != nil || loop.Time() != 2*time.Second {
			t.Errorf("got %v at %v", err, loop.Time())
		}
		wantNoTurn(t, ctx, func() { done, pending, err = asyncio.Wait(ctx, asyncio.AllCompleted, a, b) })
		wantSets(t, "second", done, pending, []*intTask{a, b}, nil)
		return err
	}, fifo)
}

// conformance: wait-02
// pitfall: 20
func TestWait_duplicates_countOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 3)
		f[2].SetResult(1)
		asyncio.RunningLoop(ctx).CallLater(1, func() { f[0].SetResult(1) })
		done, pending, err := asyncio.Wait(ctx, asyncio.FirstCompleted, f[1], f[0], f[1], f[0])
		wantSets(t, "pending", done, pending, f[:1], f[1:2])
		wantErr(t, "Wait", err, nil)
		f[1].SetResult(1)
		done, pending, err = asyncio.Wait(ctx, asyncio.AllCompleted, f[2], f[1], f[2], f[1], f[0])
		wantSets(t, "done", done, pending, []*intFuture{f[2], f[1], f[0]}, nil)
		return err
	})
}

// conformance: wait-03 wait-13
func TestWait_misuse_isRefused(t *testing.T) {
	other := clockLoop(t)
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		refused := func(what string, when asyncio.ReturnWhen, futures ...asyncio.AnyFuture) {
			t.Helper()
			done, pending, err := asyncio.Wait(ctx, when, futures...)
			if err == nil || done != nil || pending != nil {
				t.Errorf("%s: got %v, %v, %v", what, done, pending, err)
			}
		}
		refused("nothing", asyncio.AllCompleted)
		refused("unknown", asyncio.FirstError+1, f)
		refused("unknown", -1, f)
		refused("another loop's", asyncio.AllCompleted, f, asyncio.NewFuture[int](other))
		refused("itself", asyncio.FirstCompleted, f, asyncio.CurrentTask(ctx))
		mustPanic(t, "Wait: number 2 of 3 futures is nil", func() { asyncio.Wait(ctx, asyncio.AllCompleted, f, nil, f) })
		mustPanic(t, "Wait: number 1 of 1 futures is nil", func() { asyncio.Wait[asyncio.AnyFuture](ctx, asyncio.AllCompleted, nil) })
		mustPanic(t, "Wait: the value was not made by its function", func() { asyncio.Wait(ctx, asyncio.AllCompleted, &intFuture{}) })
		done, pending, err := asyncio.Wait(context.Background(), asyncio.AllCompleted, f)
		wantSets(t, "without a loop", done, pending, nil, nil)
		wantErr(t, "without a loop", err, asyncio.ErrNotOnLoop)
		return nil
	})
}

// conformance: wait-04
func TestWait_firstCompleted_leavesTheOthersAlone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		slow := asyncio.CreateTask(ctx, after(time.Hour, 1, nil))
		quick := asyncio.CreateTask(ctx, after(time.Second, 2, nil))
		done, pending, err := asyncio.Wait(ctx, asyncio.FirstCompleted, slow, quick)
		wantSets(t, "Wait", done, pending, []*intTask{quick}, []*intTask{slow})
		if err != nil || slow.Cancelling() || loop.Time() != time.Second {
			t.Errorf("got %v, cancelling %v, at %v", err, slow.Cancelling(), loop.Time())
		}
		_, err = slow.Await(ctx)
		return err
	})
}

// conformance: wait-05
// pitfall: 20
func TestWait_whatEndsBeforeTheWaiterResumes_isDone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 4)
		asyncio.RunningLoop(ctx).CallSoon(func() {
			f[2].SetResult(1)
			f[0].SetError(errors.New("boom"))
			f[3].Cancel()
		})
		done, pending, err := asyncio.Wait(ctx, asyncio.FirstCompleted, f...)
		wantSets(t, "Wait", done, pending, []*intFuture{f[0], f[2], f[3]}, f[1:2])
		f[0].Err()
		return err
	})
}

func TestWait_mixedTypes_areAnyFutures(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := asyncio.CreateTask(ctx, value("a")), newFuture[int](ctx)
		done, pending, err := asyncio.Wait[asyncio.AnyFuture](ctx, asyncio.FirstCompleted, b, a)
		wantSets(t, "Wait", done, pending, []asyncio.AnyFuture{a}, []asyncio.AnyFuture{b})
		return err
	})
}

// conformance: wait-06
func TestWait_firstError_failedBefore_returnsAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 2)
		f[1].SetError(errors.New("boom"))
		f[1].Err()
		wantNoTurn(t, ctx, func() {
			done, pending, err := asyncio.Wait(ctx, asyncio.FirstError, f...)
			wantSets(t, "Wait", done, pending, f[1:], f[:1])
			wantErr(t, "Wait", err, nil)
		})
		return nil
	}, fifo)
}

// conformance: wait-07
func TestWait_firstError_aResultOrACancellationIsNone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		f := newFutures(ctx, 4)
		loop.CallLater(1*time.Second, func() { f[0].SetResult(1) })
		loop.CallLater(2*time.Second, func() { f[1].Cancel() })
		loop.CallLater(3*time.Second, func() { f[2].SetError(errors.New("boom")); f[2].Err() })
		done, pending, err := asyncio.Wait(ctx, asyncio.FirstError, f...)
		wantSets(t, "Wait", done, pending, f[:3], f[3:])
		if err != nil || loop.Time() != 3*time.Second {
			t.Errorf("got %v at %v", err, loop.Time())
		}
		done, pending, err = asyncio.Wait(ctx, asyncio.FirstError, f[:2]...)
		wantSets(t, "all of them done", done, pending, f[:2], nil)
		return err
	})
}

// conformance: wait-08
func TestWait_failedTasks_areDone_andStillReportedWhenNobodyLooks(t *testing.T) {
	seen, unseen := errors.New("seen"), errors.New("unseen")
	var reports []error
	run(t, func(ctx context.Context) error {
		for _, when := range []asyncio.ReturnWhen{asyncio.AllCompleted, asyncio.FirstError} {
			a, b := asyncio.CreateTask(ctx, failing[int](seen)), asyncio.CreateTask(ctx, failing[int](unseen))
			done, _, err := asyncio.Wait(ctx, when, a, b)
			if len(done) != 2 || err != nil {
				t.Errorf("done %v, %v", done, err)
			}
			a.Err()
		}
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i.Err) }), fifo)
	if !slices.Equal(reports, []error{unseen, unseen}) {
		t.Errorf("reported: %v", reports)
	}
}

// conformance: wait-09
// pitfall: 20
func TestWait_theTimeIsUp_theSetsAreReturnedAndNothingIsCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		slow := asyncio.CreateTask(ctx, after(time.Hour, 1, nil))
		quick := asyncio.CreateTask(ctx, after(time.Second, 2, nil))
		wantTimeout(t, asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, slow, quick)
			wantSets(t, "Wait", done, pending, []*intTask{quick}, []*intTask{slow})
			return err
		}), time.Minute)
		if slow.Cancelling() {
			t.Error("the slow one is cancelled")
		}
		_, err := slow.Await(ctx)
		return err
	})
}

// wantTimeout fails the test unless err is the error of a timeout of d.
func wantTimeout(t *testing.T, err error, d time.Duration) {
	t.Helper()
	var timeout *asyncio.TimeoutError
	if !errors.As(err, &timeout) || timeout.After != d {
		t.Errorf("got %v, want a timeout after %v", err, d)
	}
}

// conformance: wait-10
// pitfall: 20
func TestWait_whatEndsAtTheVeryTimeout_isDone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 2)
		asyncio.RunningLoop(ctx).CallLater(time.Second, func() { f[0].SetResult(1) })
		wantTimeout(t, asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, f...)
			wantSets(t, "one of two", done, pending, f[:1], f[1:])
			wantNoTurn(t, ctx, func() { done, pending, _ = asyncio.Wait(ctx, asyncio.AllCompleted, f[0]) })
			wantSets(t, "under the done context", done, pending, f[:1], nil)
			return err
		}), time.Second)
		return nil
	}, fifo)
	for _, first := range []string{"the cancellation", "the future"} {
		run(t, func(ctx context.Context) error {
			f := newFuture[int](ctx)
			cause := errors.New("cause")
			below, cancel := asyncio.WithCancel(ctx)
			asyncio.RunningLoop(ctx).CallSoon(func() {
				if first == "the future" {
					f.SetResult(1)
				}
				cancel(cause)
				f.SetResult(1)
			})
			done, _, err := asyncio.Wait(below, asyncio.AllCompleted, f)
			if len(done) != 1 || err != nil {
				t.Errorf("%s first, all that is wanted: %v, %v", first, done, err)
			}
			wantErr(t, "the next wait", asyncio.Yield(below), cause)
			return nil
		})
	}
}

// conformance: wait-11
func TestWait_takesWhatAnIteratorGives(t *testing.T) {
	run(t, func(ctx context.Context) error {
		tasks := map[string]*intTask{}
		for _, name := range []string{"a", "b", "c"} {
			tasks[name] = asyncio.CreateTask(ctx, sleeper(1))
		}
		done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, slices.Collect(maps.Values(tasks))...)
		if len(done) != 3 || len(pending) != 0 {
			t.Errorf("got %v, %v", done, pending)
		}
		return err
	})
}

// conformance: wait-12
func TestWait_cancelled_leavesTheTasksRunning(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		a, b := asyncio.CreateTask(ctx, sleeper(1)), asyncio.CreateTask(ctx, sleeper(2))
		waiter := asyncio.Go(ctx, func(ctx context.Context) error {
			done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, a, b)
			wantSets(t, "Wait", done, pending, nil, []*intTask{a, b})
			return err
		})
		asyncio.Yield(ctx)
		waiter.Cancel(cause)
		_, err := waiter.Await(ctx)
		if err != cause || !waiter.Cancelled() || a.Cancelling() || b.Cancelling() {
			t.Errorf("got %v; the tasks: %v, %v", err, a, b)
		}
		_, _, err = asyncio.Wait(ctx, asyncio.AllCompleted, a, b)
		return err
	})
}

func TestWait_underADoneContext_yieldsOnceAndReturnsTheCause(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 2)
		cause := errors.New("cause")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(cause)
		ran := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { ran++; f[1].SetResult(1) })
		done, pending, err := asyncio.Wait(below, asyncio.AllCompleted, f...)
		wantSets(t, "Wait", done, pending, f[1:], f[:1])
		if err != cause || ran != 1 {
			t.Errorf("got %v, the others ran %d times", err, ran)
		}
		return nil
	})
}

// The caller's slice is its own: what it does with that while Wait waits must
// not matter.
func TestWait_theSliceChangedMeanwhile_waitsForWhatItWasGiven(t *testing.T) {
	for seed := range uint64(10) { // of chaos, which lets others run before the wait
		run(t, func(ctx context.Context) error {
			f := newFutures(ctx, 2)
			given := slices.Clone(f)
			asyncio.RunningLoop(ctx).CallSoon(func() { clear(given); f[0].SetResult(1) })
			done, pending, err := asyncio.Wait(ctx, asyncio.FirstCompleted, given...)
			wantSets(t, "Wait", done, pending, f[:1], f[1:])
			return err
		}, asyncio.WithChaos(seed))
	}
}

// waitOnce waits for f and another future, which is done, or for as long as ctx
// lets it, and returns whether that one is still in memory.
func waitOnce(ctx context.Context, f *intFuture, set bool) weak.Pointer[intFuture] {
	other := newFuture[int](ctx)
	if set {
		asyncio.RunningLoop(ctx).CallSoon(func() { other.SetResult(1) })
	}
	asyncio.Wait(ctx, asyncio.FirstCompleted, f, other)
	return weak.Make(other)
}

func TestWait_returned_leavesNothingOnWhatIsStillPending(t *testing.T) {
	run(t, func(ctx context.Context) error {
		longLived := newFuture[int](ctx)
		cancelled, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		ended := waitOnce(ctx, longLived, true)
		gaveUp := waitOnce(cancelled, longLived, false)
		callback := longLived.AddDoneCallback(func(*intFuture) { t.Error("it ran") })
		besideACallback := waitOnce(ctx, longLived, true)
		callback.Cancel()
		asyncio.Yield(ctx)
		runtime.GC()
		if ended.Value() != nil || gaveUp.Value() != nil || besideACallback.Value() != nil {
			t.Error("a wait that has ended is still registered with the future")
		}
		runtime.KeepAlive(longLived)
		return nil
	})
}

// Watchers and callbacks of one future share what belongs to them; who comes or
// goes must not take anything away from the others.
func TestWait_manyWaitForOneFuture_eachComesAndGoesAlone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		shared := newFuture[int](ctx)
		var order []string
		waiters := map[string]*asyncio.Task[asyncio.None]{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			waiters[name] = asyncio.Go(ctx, func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, asyncio.FirstCompleted, shared, newFuture[int](ctx))
				order = append(order, name)
				return err
			})
			asyncio.Yield(ctx)
			if name == "a" {
				shared.AddDoneCallback(func(*intFuture) { order = append(order, "callback") })
			}
		}
		for _, name := range []string{"a", "c", "e"} { // the first, a middle and the last
			waiters[name].Cancel()
			asyncio.Yield(ctx)
		}
		if by := asyncio.CaptureCallGraph(shared).AwaitedBy; len(by) != 2 {
			t.Errorf("%d wait, want 2", len(by))
		}
		shared.SetResult(1)
		letWait(t, ctx)
		if got := fmt.Sprint(order); got != "[a c e b d callback]" {
			t.Errorf("order %v", got)
		}
		return nil
	}, fifo)
}

func TestWait_isSeenInTheCallGraphAndInReports(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		f := newFutures(ctx, 7)
		a := asyncio.Go(ctx, func(ctx context.Context) error {
			_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, f...)
			return err
		}, asyncio.Name("all"), asyncio.EagerStart(true))
		graph := asyncio.CaptureCallGraph(f[3])
		if len(graph.AwaitedBy) != 1 || graph.AwaitedBy[0].Name != "all" {
			t.Errorf("the call graph: %v", graph)
		}
		first := asyncio.Go(ctx, func(ctx context.Context) error {
			_, _, err := asyncio.Wait(ctx, asyncio.FirstCompleted, a)
			return err
		}, asyncio.Name("first"))
		_, _, err := asyncio.Wait(ctx, asyncio.FirstError, a, first)
		return err
	})
	wantText(t, report, "main waits for the first error of all, first", "first waits for the first of all",
		"all waits for all of a Future[int], a Future[int], a Future[int], a Future[int], a Future[int] and 2 more")
}

func TestWait_costsAFewAllocationsWhateverTheNumber(t *testing.T) {
	run(t, func(ctx context.Context) error {
		futures := newFutures(ctx, 1000)
		below, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		allocates(t, "Wait", 4, func() { asyncio.Wait(below, asyncio.AllCompleted, futures...) })
		return nil
	}, asyncio.WithWatchdog(0)) // what it notes of a busy machine counts, too
}

func TestWait_aCallbackAddedMeanwhile_runsAfterTheWaitHasEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 2)
		ran := 0
		asyncio.RunningLoop(ctx).CallSoon(func() {
			f[0].AddDoneCallback(func(*intFuture) { ran++ })
			f[1].SetResult(1)
		})
		asyncio.Wait(ctx, asyncio.FirstCompleted, f...)
		f[0].SetResult(1)
		asyncio.Yield(ctx)
		if ran != 1 {
			t.Errorf("the callback ran %d times", ran)
		}
		return nil
	})
}
