package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// after is a coroutine that returns v, err after d.
func after[T any](d time.Duration, v T, err error) asyncio.Coroutine[T] {
	return func(ctx context.Context) (T, error) {
		if e := asyncio.Sleep(ctx, d); e != nil {
			return v, e
		}
		return v, err
	}
}

// conformance: gather-03 gather-15
func TestGather_resultsAreInTheOrderOfTheFunctions(t *testing.T) {
	run(t, func(ctx context.Context) error {
		got, err := asyncio.Gather(ctx, after(3, "a", nil), after(1, "b", nil), after(2, "c", nil), value("d"))
		if fmt.Sprint(got) != "[a b c d]" || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
}

// conformance: gather-08 gather-07 gather-14
func TestGather_ofNothing_isAnEmptyList_butNotWithoutALoop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		got, err := asyncio.Gather[int](ctx)
		if got == nil || len(got) != 0 || err != nil || len(asyncio.GatherResults[int](ctx)) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
	_, err := asyncio.Gather[int](context.Background())
	wantErr(t, "Gather of nothing", err, asyncio.ErrNotOnLoop)
	_, err = asyncio.Gather(context.Background(), value(1))
	wantErr(t, "Gather", err, asyncio.ErrNotOnLoop)
	wantErr(t, "GatherResults", asyncio.GatherResults(context.Background(), value(1))[0].Err, asyncio.ErrNotOnLoop)
}

// conformance: gather-04
// pitfall: 16
func TestGather_firstError_cancelsTheOthersAndWaitsForThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		boom := errors.New("boom")
		cleaned := false
		got, err := asyncio.Gather(ctx, after(time.Second, 1, boom), sleeper(2), func(ctx context.Context) (int, error) {
			err := asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, sleepFor(time.Second))
			cleaned = true
			return 0, err
		})
		if err != boom || got != nil || !cleaned || loop.Time() != 2*time.Second {
			t.Errorf("got %v, %v, cleaned %v, at %v", got, err, cleaned, loop.Time())
		}
		return asyncio.Sleep(ctx, time.Second)
	})
}

// conformance: gather-19
// pitfall: 16
func TestGather_severalErrors_areJoinedAndNotReported(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	run(t, func(ctx context.Context) error {
		_, err := asyncio.Gather(ctx, failing[int](a), failing[int](b), value(1), func(ctx context.Context) (int, error) {
			asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, sleepFor(time.Hour))
			return 0, c // long after the first
		})
		wantErr(t, "a", err, a)
		wantErr(t, "b", err, b)
		wantErr(t, "c", err, c)
		return asyncio.Sleep(ctx, time.Second)
	}, noReports(t))
}

// noReports fails the test when something is reported to the exception handler.
func noReports(t *testing.T) asyncio.Option {
	return asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
		t.Errorf("reported: %s: %v", i.Message, i.Err)
	})
}

// conformance: gather-05 gather-13
// pitfall: 16 17
func TestGatherResults_keepsEveryOutcomeAndCancelsNone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		gone := newFuture[int](ctx)
		gone.Cancel()
		got := asyncio.GatherResults(ctx, after(time.Second, 0, boom), sleeper(2), gone.Await, func(context.Context) (int, error) { panic("x") })
		var p *asyncio.PanicError
		if got[0].Err != boom || got[1].Value != 2 || got[1].Err != nil || !errors.Is(got[2].Err, context.Canceled) || !errors.As(got[3].Err, &p) {
			t.Errorf("got %v", got)
		}
		return nil
	}, noReports(t))
}

// conformance: gather-02
// pitfall: 18
func TestGatherResults_cancelled_theResultsSaySoAndTheNextWaitDoes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			got := asyncio.GatherResults(ctx, sleeper(1), value(2))
			if got[0].Err != cause || got[1].Value != 2 || got[1].Err != nil {
				t.Errorf("got %v", got)
			}
			return asyncio.Yield(ctx)
		})
		asyncio.Sleep(ctx, time.Second)
		task.Cancel(cause)
		_, err := task.Await(ctx)
		wantErr(t, "task", err, cause)
		return nil
	})
}

// conformance: gather-12
// pitfall: 17
func TestGather_ofACancelledTask_failsButIsNotCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		gone := asyncio.CreateTask(ctx, sleeper(1))
		owner := asyncio.CreateTask(ctx, func(ctx context.Context) ([]int, error) {
			return asyncio.Gather(ctx, gone.Await, value(2))
		})
		asyncio.Sleep(ctx, time.Second)
		gone.Cancel()
		got, err := owner.Await(ctx)
		if !errors.Is(err, context.Canceled) || got != nil || owner.Cancelled() {
			t.Errorf("got %v, %v, cancelled %v", got, err, owner.Cancelled())
		}
		return nil
	})
}

// conformance: gather-11 gather-17
func TestGather_ofTheSameTaskSeveralTimes_runsItOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		runs := 0
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { runs++; return 7, asyncio.Sleep(ctx, 1) })
		for range 2 {
			got, err := asyncio.Gather(ctx, task.Await, value(1), task.Await)
			if fmt.Sprint(got) != "[7 1 7]" || err != nil || runs != 1 {
				t.Errorf("got %v, %v, %d runs", got, err, runs)
			}
		}
		return nil
	})
}

// conformance: gather-18
// pitfall: 18
func TestGather_cancelled_cancelsItsTasksAndWaitsForThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cause := errors.New("cause")
		ended := 0
		child := func(ctx context.Context) (int, error) {
			sub := asyncio.CreateTask(ctx, sleeper(1))
			_, err := sub.Await(ctx)
			letWait(t, context.WithoutCancel(ctx))
			if !sub.Cancelled() {
				t.Error("what the child waits for is not cancelled")
			}
			ended++
			return 0, err
		}
		task := asyncio.CreateTask(ctx, func(ctx context.Context) ([]int, error) { return asyncio.Gather(ctx, child, child) })
		asyncio.Sleep(ctx, time.Second)
		task.Cancel(cause)
		_, err := task.Await(ctx)
		if err != cause || ended != 2 || !task.Cancelled() || task.Cancel() {
			t.Errorf("got %v, %d ended", err, ended)
		}
		return nil
	})
}

// conformance: gather-01
// pitfall: 18
func TestGather_cancelledWhenAllAreDone_givesTheResults(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var owner *asyncio.Task[[]int]
		last := func(context.Context) (int, error) { owner.Cancel(); return 2, nil }
		owner = asyncio.CreateTask(ctx, func(ctx context.Context) ([]int, error) {
			got, err := asyncio.Gather(ctx, value(1), last)
			wantErr(t, "the next wait", asyncio.Yield(ctx), context.Canceled)
			return got, err
		})
		got, err := owner.Await(ctx)
		if fmt.Sprint(got) != "[1 2]" || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
}

// conformance: gather-20
func TestGather_ofANilFunction_panicsAndLeavesNothingBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended := false
		mustPanic(t, "nil function", func() {
			asyncio.Gather(ctx, func(ctx context.Context) (int, error) {
				err := asyncio.Sleep(ctx, time.Hour)
				ended = true
				return 0, err
			}, nil)
		})
		if !ended {
			t.Error("the other task has not ended")
		}
		return asyncio.Sleep(ctx, time.Second)
	}, noReports(t))
}

func TestGather_underACancelledContext_startsAllAndReturnsTheCause(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		below, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		started := 0
		fn := func(ctx context.Context) (int, error) { started++; return 0, asyncio.Yield(ctx) }
		_, err := asyncio.Gather(below, fn, fn)
		if err != boom || started != 2 {
			t.Errorf("got %v, %d started", err, started)
		}
		return nil
	})
}
