package asyncio_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// deadlocked runs main, which must end in a deadlock, and returns the report.
func deadlocked(t *testing.T, ctx context.Context, main func(context.Context) error, opts ...asyncio.Option) string {
	t.Helper()
	err := asyncio.Run(ctx, main, opts...)
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) {
		t.Fatalf("got %v, want a DeadlockError", err)
	}
	return err.Error()
}

// wantText fails the test unless text contains each of the parts.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestDeadlock_reportNamesEachTaskAndWhatItWaitsForAndWhoHasIt(t *testing.T) {
	var a, b asyncio.Lock
	both := func(first, second *asyncio.Lock) func(context.Context) error {
		return func(ctx context.Context) error {
			return first.Do(ctx, func() error {
				asyncio.Yield(ctx)
				return second.Do(ctx, func() error { return nil })
			})
		}
	}
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error { var e asyncio.Event; return e.Wait(ctx) }, asyncio.Name("idle"))
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(both(&a, &b), asyncio.Name("left"))
			g.Go(both(&b, &a), asyncio.Name("right"))
			return nil
		})
	}, asyncio.WithDebug(true), fifo)
	wantText(t, report, "deadlock",
		"main waits for the 2 tasks of its group", "idle waits for an Event",
		"left waits for a Lock held by right", "right waits for a Lock held by left", "deadlock_test.go:")
}

func TestDeadlock_tasksThatAwaitOneAnother_areNamed(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		var a, b *asyncio.Task[int]
		a = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return b.Await(ctx) }, asyncio.Name("a"))
		b = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return a.Await(ctx) }, asyncio.Name("b"))
		return asyncio.NewSemaphore(0).Acquire(ctx)
	})
	wantText(t, report, "main waits for a Semaphore", "a waits for b", "b waits for a")
}

func TestDeadlock_eachTaskIsToldAndCanCleanUp(t *testing.T) {
	var cleaned int
	deadlocked(t, context.Background(), func(ctx context.Context) error {
		wait := func(ctx context.Context) error {
			var e asyncio.Event
			err := e.Wait(ctx)
			var deadlock *asyncio.DeadlockError
			if errors.As(err, &deadlock) && asyncio.Shield(ctx, sleepFor(time.Second)) == nil {
				cleaned++
			}
			return err
		}
		asyncio.Go(ctx, wait)
		return wait(ctx)
	}, asyncio.WithVirtualClock())
	if cleaned != 2 {
		t.Errorf("%d of 2 have cleaned up", cleaned)
	}
}

func TestDeadlock_underShieldOrWithoutCancel_isFound(t *testing.T) {
	var never asyncio.Event
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		asyncio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error { return never.Wait(ctx) }, asyncio.Name("loose"))
		return asyncio.Shield(ctx, func(ctx context.Context) error { return never.Wait(ctx) })
	})
	wantText(t, report, "main waits for an Event", "loose waits for an Event")
}

func TestDeadlock_ofWhatMainHasLeftBehind_isFound(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Shield(ctx, func(ctx context.Context) error {
				var never asyncio.Event
				return never.Wait(ctx)
			})
		}, asyncio.Name("leftover"))
		asyncio.Yield(ctx)
		return asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := newFuture[int](ctx).Await(context.WithoutCancel(ctx))
			return err
		}, asyncio.Name("unseen")).Err()
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {}))
	wantText(t, report, "unseen waits for a Future[int]")
}

func TestDeadlock_whereSomebodyMayCallIn_isReportedOnceAndTheLoopGoesOn(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, e *asyncio.Event) error{
		"the Loop was taken": func(ctx context.Context, e *asyncio.Event) error {
			loop := asyncio.RunningLoop(ctx)
			reported(ctx, func() { loop.CallSoonThreadsafe(e.Set) })
			return e.Wait(ctx)
		},
		"a context of the standard library": func(ctx context.Context, e *asyncio.Event) error {
			below, cancel := context.WithCancel(ctx)
			reported(ctx, cancel)
			e.Wait(below)
			return context.Cause(ctx)
		},
		"WithCancel": func(ctx context.Context, e *asyncio.Event) error {
			below, cancel := asyncio.WithCancel(ctx)
			reported(ctx, func() { cancel(nil) })
			e.Wait(below)
			return context.Cause(ctx)
		},
	} {
		var event asyncio.Event
		reports := 0
		tell := make(chan func(), 1)
		handler := func(i asyncio.ExceptionInfo) {
			var d *asyncio.DeadlockError
			if !errors.As(i.Err, &d) || !strings.Contains(d.Error(), "main waits for an Event") {
				t.Errorf("%s: report %+v", name, i)
			}
			reports++
			go (<-tell)()
		}
		ctx := context.WithValue(context.Background(), tellKey{}, tell)
		err := asyncio.Run(ctx, func(ctx context.Context) error { return wait(ctx, &event) }, asyncio.WithExceptionHandler(handler))
		if err != nil || reports != 1 {
			t.Errorf("%s: %v, %d reports", name, err, reports)
		}
	}
}

type tellKey struct{}

// reported lets fn be called on a goroutine when the report has come.
func reported(ctx context.Context, fn func()) { ctx.Value(tellKey{}).(chan func()) <- fn }

func TestRun_itsContextMayEnd_isWaitedFor(t *testing.T) {
	timeout, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	wantErr(t, "a deadline", asyncio.Run(timeout, new(asyncio.Event).Wait), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(context.Background())
	wantErr(t, "a cancellation", asyncio.Run(ctx, func(ctx context.Context) error {
		go cancel()
		return new(asyncio.Event).Wait(ctx)
	}), context.Canceled)
}

// Each of these goes on, because of something outside that the loop has to
// know of.
func TestDeadlock_whatCanStillGoOn_isNone(t *testing.T) {
	const soon = 10 * time.Millisecond
	for name, main := range map[string]func(ctx context.Context) error{
		"a standard context with a timeout": func(ctx context.Context) error {
			below, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			_, err := newFuture[int](ctx).Await(below)
			return err
		},
		"a task below a standard context": func(ctx context.Context) error {
			below, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			_, err := asyncio.CreateTask(below, func(ctx context.Context) (int, error) {
				return newFuture[int](ctx).Await(ctx)
			}).Await(ctx)
			return err
		},
		"a block below a standard context": func(ctx context.Context) error {
			below, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			return asyncio.Group(below, func(ctx context.Context, g group) error {
				var never asyncio.Event
				g.Go(func(ctx context.Context) error { return never.Wait(ctx) })
				return never.Wait(ctx)
			})
		},
		"a standard context that a goroutine cancels": func(ctx context.Context) error {
			below, cancel := context.WithCancel(ctx)
			time.AfterFunc(soon, cancel)
			_, err := newFuture[int](ctx).Await(context.WithValue(below, key("k"), 1))
			return err
		},
		"a context of ours that a goroutine cancels": func(ctx context.Context) error {
			below, cancel := asyncio.WithCancel(ctx)
			time.AfterFunc(soon, func() { runtime.GC(); cancel(nil) })
			_, err := newFuture[int](ctx).Await(below)
			return err
		},
		"a thread": func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (int, error) { time.Sleep(soon); return 0, context.Canceled })
			return err
		},
		"a future that a thread sets": func(ctx context.Context) error {
			fut := newFuture[int](ctx)
			asyncio.Go(ctx, func(ctx context.Context) error {
				asyncio.ToThread(ctx, func() (int, error) { time.Sleep(soon); return 0, nil })
				fut.Cancel()
				return nil
			})
			_, err := fut.Await(ctx)
			return err
		},
		"a goroutine that holds the loop": func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			fut := asyncio.NewFuture[int](loop)
			go func() {
				time.Sleep(soon)
				runtime.GC()
				loop.CallSoonThreadsafe(func() { fut.Cancel() })
			}()
			_, err := fut.Await(ctx)
			return err
		},
		"a goroutine that submits": func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			fut := asyncio.NewFuture[int](loop)
			time.AfterFunc(soon, func() {
				runtime.GC()
				asyncio.RunThreadsafe(loop, func(ctx context.Context) (bool, error) { return fut.Cancel(), nil })
			})
			_, err := fut.Await(ctx)
			return err
		},
		"a timer": func(ctx context.Context) error {
			fut := newFuture[int](ctx)
			asyncio.RunningLoop(ctx).CallLater(soon, func() { fut.Cancel() })
			_, err := fut.Await(ctx)
			return err
		},
		"After": func(ctx context.Context) error {
			f := asyncio.After(ctx, soon, context.Canceled)
			err, _ := f.Await(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := asyncio.Run(t.Context(), main)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			var deadlock *asyncio.DeadlockError
			if errors.As(err, &deadlock) {
				t.Error("taken for a deadlock")
			}
		})
	}
}

func TestRunOnce_nothingWillEverRun_reportsFalse(t *testing.T) {
	loop, err := asyncio.NewLoop(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if loop.RunOnce() {
		t.Error("an empty loop ran something")
	}
	var never asyncio.Event
	task := asyncio.Go(loop.Context(), never.Wait)
	if !loop.RunOnce() || loop.RunOnce() || task.Done() {
		t.Error("a task that waits for nothing ran on")
	}
	never.Set()
	if !loop.RunOnce() || !task.Done() {
		t.Error("the task did not go on")
	}
}

// The loop watches for its Loop to be dropped. That must not keep it in memory
// when a callback that refers to the Loop is never run.
func TestRun_endedWithACallbackThatWasNotDue_itsMemoryIsGivenBack(t *testing.T) {
	var collected atomic.Int32
	for range 10 {
		run(t, func(ctx context.Context) error {
			loop, payload := asyncio.RunningLoop(ctx), new([1 << 10]byte)
			runtime.AddCleanup(payload, func(int) { collected.Add(1) }, 0)
			loop.CallLater(time.Hour, func() { loop.CallSoon(func() { payload[0]++ }) })
			return asyncio.Sleep(ctx, time.Second)
		})
	}
	for range 100 {
		if runtime.GC(); collected.Load() >= 9 { // the last one may still be on a stack
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d of 10 are collected", collected.Load())
}
