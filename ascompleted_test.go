package asyncio_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/go-asyncio/asyncio"
)

// take ranges over seq, n times at most, and returns what it gave.
func take[A any](seq iter.Seq2[A, error], n int) (got []A, err error) {
	for f, err := range seq {
		if err != nil {
			return got, err
		}
		if got = append(got, f); len(got) == n {
			break
		}
	}
	return got, nil
}

// wantGiven fails the test unless an iterator has given just these.
func wantGiven[A comparable](t *testing.T, what string, got []A, err error, want ...A) {
	t.Helper()
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("%s: got %v, %v; want %v", what, got, err, want)
	}
}

// conformance: as_completed-01 as_completed-02
// pitfall: 21
func TestAsCompleted_givesTheSameTasksInTheOrderOfTheirEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a := asyncio.CreateTask(ctx, after(3*time.Second, 1, nil))
		b := asyncio.CreateTask(ctx, after(time.Second, 2, errors.New("boom")))
		c := asyncio.CreateTask(ctx, after(2*time.Second, 3, nil))
		var at []time.Duration
		var got []*intTask
		for task, err := range asyncio.AsCompleted(ctx, a, b, c) {
			if err != nil || !task.Done() {
				t.Errorf("got %v, %v", task, err)
			}
			task.Err()
			got, at = append(got, task), append(at, asyncio.RunningLoop(ctx).Time())
		}
		wantGiven(t, "AsCompleted", got, nil, b, c, a)
		wantGiven(t, "times", at, nil, time.Second, 2*time.Second, 3*time.Second)
		return nil
	})
}

func TestAsCompleted_whatIsDoneComesFirst_inTheOrderOfTheArguments(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 4)
		for _, i := range []int{3, 1, 0} {
			f[i].SetResult(i)
		}
		seq := asyncio.AsCompleted(ctx, f...)
		wantNoTurn(t, ctx, func() {
			got, err := take(seq, 3)
			wantGiven(t, "AsCompleted", got, err, f[0], f[1], f[3])
		})
		cause := errors.New("cause")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(cause)
		wantNoTurn(t, ctx, func() {
			got, err := take(asyncio.AsCompleted(below, f...), 3)
			wantGiven(t, "under a done context", got, err, f[0], f[1], f[3])
		})
		return nil
	}, fifo)
}

func TestAsCompleted_inOneTurn_comeInTheOrderOfTheirEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 4)
		asyncio.RunningLoop(ctx).CallLater(time.Second, func() {
			f[2].SetResult(1)
			f[0].Cancel()
			f[3].SetResult(1)
			f[1].SetResult(1)
		})
		got, err := take(asyncio.AsCompleted(ctx, f...), 9)
		wantGiven(t, "AsCompleted", got, err, f[2], f[0], f[3], f[1])
		return nil
	})
}

// conformance: as_completed-03
// pitfall: 21
func TestAsCompleted_theTimeIsUp_givesTheTimeoutOnceAndKeepsWhatWasGiven(t *testing.T) {
	run(t, func(ctx context.Context) error {
		quick := asyncio.CreateTask(ctx, after(time.Second, 1, nil))
		slow := asyncio.CreateTask(ctx, after(time.Hour, 2, nil))
		below, cancel := asyncio.WithTimeout(ctx, time.Minute)
		defer cancel()
		seq := asyncio.AsCompleted(below, slow, quick)
		var got []*intTask
		errs := 0
		for task, err := range seq {
			if err != nil {
				wantTimeout(t, err, time.Minute)
				errs++
				continue
			}
			got = append(got, task)
		}
		wantGiven(t, "before", got, nil, quick)
		if errs != 1 || slow.Cancelling() {
			t.Errorf("%d errors; the slow one: %v", errs, slow)
		}
		none, err := take(seq, 1)
		if none != nil {
			t.Errorf("given after the timeout: %v", none)
		}
		wantTimeout(t, err, time.Minute)
		slow.Await(ctx)
		got, err = take(seq, 9)
		wantGiven(t, "when the rest has ended", got, err, slow)
		return nil
	})
}

// What has ended when the waiter resumes is given, though ctx ended before.
func TestAsCompleted_endsInTheTurnOfTheCancellation_isGiven(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 3)
		cause := errors.New("cause")
		below, cancel := asyncio.WithCancel(ctx)
		asyncio.RunningLoop(ctx).CallLater(time.Second, func() {
			cancel(cause)
			f[1].SetResult(1)
			f[0].SetResult(1)
		})
		got, err := take(asyncio.AsCompleted(below, f...), 9)
		wantErr(t, "the rest", err, cause)
		wantGiven(t, "AsCompleted", got, nil, f[1], f[0])
		return nil
	})
}

// conformance: as_completed-04
func TestAsCompleted_theTimeIsNotUp_leavesNoTimer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		wantErr(t, "Timeout", asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			f := asyncio.After(ctx, time.Second, 1)
			got, err := take(asyncio.AsCompleted(ctx, f), 9)
			wantGiven(t, "AsCompleted", got, err, f)
			return err
		}), nil)
		return asyncio.Sleep(ctx, time.Hour)
	})
}

// conformance: as_completed-05
// pitfall: 21
func TestAsCompleted_interrupted_goesOnWithoutLoss(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 6)
		loop := asyncio.RunningLoop(ctx)
		set := func(indices ...int) {
			loop.CallLater(time.Second, func() {
				for _, i := range indices {
					f[i].SetResult(1)
				}
			})
		}
		seq := asyncio.AsCompleted(ctx, f...)
		set(4, 2) // one is given, and one is left over
		got, err := take(seq, 1)
		wantGiven(t, "first", got, err, f[4])
		f[5].SetResult(1) // while nobody ranges
		f[1].SetResult(1)
		set(3, 0)
		func() {
			defer func() { recover() }()
			for f := range seq {
				got = append(got, f)
				panic("out of the loop")
			}
		}()
		wantGiven(t, "second", got, nil, f[4], f[2])
		got, err = take(seq, 9)
		wantGiven(t, "third", got, err, f[1], f[5], f[3], f[0])
		got, err = take(seq, 9)
		wantGiven(t, "all given", got, err)
		return nil
	})
}

// conformance: as_completed-07
// pitfall: 21
func TestAsCompleted_severalTasksRange_eachFutureIsGivenOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 100)
		seq := asyncio.AsCompleted(ctx, f...)
		counts := map[*intFuture]int{}
		ranged := 0
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for i := range 3 {
				g.Go(func(ctx context.Context) error {
					for f, err := range seq {
						if err != nil {
							return err
						}
						counts[f]++
						if i == 0 { // and one that does not hurry
							asyncio.Yield(ctx)
						}
					}
					if ranged++; ranged == 3 && len(counts) != len(f) {
						t.Errorf("%d of %d were given", len(counts), len(f))
					}
					return nil
				})
			}
			for i := range f {
				f[i].SetResult(i)
				if i%7 == 0 {
					asyncio.Yield(ctx)
				}
				for f, n := range counts {
					if n != 1 {
						t.Errorf("%v was given %d times", f, n)
					}
				}
			}
			return nil
		})
	})
}

// All who wait have to learn that the last future went to somebody else.
func TestAsCompleted_theLastGoesToOne_theOthersEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		seq := asyncio.AsCompleted(ctx, f)
		given := 0
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for range 5 {
				g.Go(func(context.Context) error {
					got, err := take(seq, 9)
					given += len(got)
					return err
				})
			}
			letWait(t, ctx)
			f.SetResult(1)
			letWait(t, ctx)
			if given != 1 {
				t.Errorf("given %d times", given)
			}
			return nil
		})
	})
}

func TestAsCompleted_inAnotherTask_endsWithItsContextAndWithThatOfTheTask(t *testing.T) {
	cause := errors.New("cause")
	contexts := map[string]func(context.Context) (context.Context, func(error)){
		"ours":      func(ctx context.Context) (context.Context, func(error)) { return asyncio.WithCancel(ctx) },
		"the std's": func(ctx context.Context) (context.Context, func(error)) { return context.WithCancelCause(ctx) },
		"with value": func(ctx context.Context) (context.Context, func(error)) {
			ctx, f := asyncio.WithCancel(ctx)
			return context.WithValue(ctx, key("k"), 1), f
		},
	}
	for name, make := range contexts {
		run(t, func(ctx context.Context) error {
			f := newFuture[int](ctx)
			below, cancel := make(ctx)
			seq := asyncio.AsCompleted(below, f)
			rangeOver := func(context.Context) error { _, err := take(seq, 1); return err }
			a, b := asyncio.Go(ctx, rangeOver), asyncio.Go(ctx, rangeOver)
			letWait(t, ctx)
			b.Cancel(errors.New("its own"))
			_, err := b.Await(ctx)
			if !b.Cancelled() || a.Done() {
				t.Errorf("%s: the task was cancelled: %v, %v; the other: %v", name, b, err, a)
			}
			cancel(cause)
			_, err = a.Await(ctx)
			wantErr(t, name+": the context of AsCompleted ended", err, cause)
			_, err = asyncio.Go(ctx, rangeOver).Await(ctx)
			wantErr(t, name+": had ended", err, cause)
			if by := asyncio.CaptureCallGraph(f).AwaitedBy; len(by) != 0 {
				t.Errorf("%s: still awaited by %v", name, by)
			}
			return nil
		})
	}
}

// conformance: as_completed-08
// pitfall: 21
func TestAsCompleted_duplicates_comeOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := asyncio.CreateTask(ctx, after(2, 1, nil)), asyncio.CreateTask(ctx, after(1, 1, nil))
		done := newFuture[int](ctx)
		done.SetResult(1)
		got, err := take(asyncio.AsCompleted(ctx, a, b, a, b), 9)
		wantGiven(t, "pending", got, err, b, a)
		twice, err := take(asyncio.AsCompleted(ctx, done, done), 9)
		wantGiven(t, "done", twice, err, done)
		return nil
	})
}

// conformance: as_completed-09
func TestAsCompleted_misuse_isGivenAsTheError(t *testing.T) {
	other := clockLoop(t)
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		refused := func(what string, ctx context.Context, want error, futures ...asyncio.AnyFuture) {
			t.Helper()
			given, errs := 0, 0
			for f, err := range asyncio.AsCompleted(ctx, futures...) {
				given++
				if f == nil && err != nil && (want == nil || errors.Is(err, want)) {
					errs++
				}
			}
			if given != 1 || errs != 1 {
				t.Errorf("%s: %d given, %d of them the error", what, given, errs)
			}
		}
		refused("without a loop", context.Background(), asyncio.ErrNotOnLoop, f)
		refused("nothing, without a loop", context.Background(), asyncio.ErrNotOnLoop)
		refused("another loop's", ctx, nil, asyncio.NewFuture[int](other))
		refused("itself", ctx, nil, asyncio.CurrentTask(ctx))
		refused("the loop's own context", asyncio.RunningLoop(ctx).Context(), asyncio.ErrWrongContext, f)
		elsewhere(func() { refused("another goroutine", ctx, asyncio.ErrWrongGoroutine, f) })
		callback := newFuture[int](ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() {
			refused("a callback", ctx, asyncio.ErrWrongContext, f)
			callback.SetResult(1)
		})
		callback.Await(ctx)
		mustPanic(t, "AsCompleted: number 2 of 2 futures is nil", func() { asyncio.AsCompleted(ctx, f, nil) })
		got, err := take(asyncio.AsCompleted[*intFuture](ctx), 1)
		wantGiven(t, "nothing", got, err)
		return nil
	})
}

// rangeOnce ranges over f and another future, which ends, and stops there.
func rangeOnce(ctx context.Context, f *intFuture) weak.Pointer[intFuture] {
	other := newFuture[int](ctx)
	asyncio.RunningLoop(ctx).CallSoon(func() { other.SetResult(1) })
	for range asyncio.AsCompleted(ctx, f, other) {
		break
	}
	return weak.Make(other)
}

func TestAsCompleted_left_leavesNothingOnWhatIsStillPending(t *testing.T) {
	run(t, func(ctx context.Context) error {
		longLived := newFuture[int](ctx)
		other := rangeOnce(ctx, longLived)
		asyncio.Yield(ctx)
		runtime.GC()
		if other.Value() != nil {
			t.Error("an iterator that was left is still registered with the future")
		}
		runtime.KeepAlive(longLived)
		return nil
	})
}

func TestAsCompleted_isSeenInTheCallGraphAndInReports(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		f := newFutures(ctx, 2)
		asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := take(asyncio.AsCompleted(ctx, f...), 1)
			return err
		}, asyncio.Name("ranges"), asyncio.EagerStart(true))
		graph := asyncio.CaptureCallGraph(f[1])
		if len(graph.AwaitedBy) != 1 || graph.AwaitedBy[0].Name != "ranges" {
			t.Errorf("the call graph: %v", graph)
		}
		seq := asyncio.AsCompleted(ctx, f...) // and no hook keeps it from being a deadlock
		_, err := asyncio.Go(ctx, func(context.Context) error {
			_, err := take(seq, 1)
			return err
		}).Await(ctx)
		return err
	})
	wantText(t, report, "ranges waits for the next of a Future[int], a Future[int]")
}

func TestAsCompleted_oneOfTwoTasksLeaves_theOtherIsStillTold(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 3)
		var beside []*asyncio.Task[asyncio.None]
		waitBeside := func() {
			letWait(t, ctx)
			beside = append(beside, asyncio.Go(ctx, func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, f...)
				return err
			}))
			letWait(t, ctx)
		}
		seq := asyncio.AsCompleted(ctx, f...)
		ranger := func(n int) *asyncio.Task[[]*intFuture] {
			return asyncio.CreateTask(ctx, func(context.Context) ([]*intFuture, error) { return take(seq, n) })
		}
		waitBeside()
		a := ranger(1)
		waitBeside()
		b := ranger(9)
		waitBeside()
		for _, f := range f {
			f.SetResult(1)
			letWait(t, ctx)
		}
		got, err := a.Await(ctx)
		wantGiven(t, "the one that leaves", got, err, f[0])
		got, err = b.Await(ctx)
		wantGiven(t, "the one that stays", got, err, f[1:]...)
		for i, task := range beside {
			if !task.Done() {
				t.Errorf("number %d of those who wait beside them was not told", i)
			}
		}
		return nil
	})
}

// The iterator lends to a future what its watchers share; it must come back clean.
func TestAsCompleted_rangedOverAgain_withAnotherWaiterBetween(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 3)
		f[0].SetResult(1)
		f[1].SetResult(1)
		seq := asyncio.AsCompleted(ctx, f...)
		var beside *asyncio.Task[asyncio.None]
		for range seq { // which watches the last one
			beside = asyncio.Go(ctx, func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, f...)
				return err
			})
			letWait(t, ctx)
			break
		}
		beside.Cancel()
		letWait(t, ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { f[2].SetResult(1) })
		got, err := take(seq, 9)
		wantGiven(t, "AsCompleted", got, err, f[1], f[2])
		return nil
	})
}

func TestAsCompleted_theSliceChangedMeanwhile_givesWhatItWasGiven(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		f.SetResult(1)
		given := []*intFuture{f}
		seq := asyncio.AsCompleted(ctx, given...)
		clear(given)
		got, err := take(seq, 9)
		wantGiven(t, "AsCompleted", got, err, f)
		return nil
	})
}

func TestAsCompleted_whatWasGiven_isNotKeptInMemory(t *testing.T) {
	run(t, func(ctx context.Context) error {
		seq, given := func() (iter.Seq2[*intFuture, error], weak.Pointer[intFuture]) {
			f := newFutures(ctx, 2)
			f[0].SetResult(1)
			seq := asyncio.AsCompleted(ctx, f...)
			take(seq, 1)
			return seq, weak.Make(f[0])
		}()
		runtime.GC()
		if given.Value() != nil {
			t.Error("the iterator keeps a future that it has given")
		}
		runtime.KeepAlive(seq)
		return nil
	})
}
