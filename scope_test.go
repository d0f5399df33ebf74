package asyncio_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

type key string

// wantErr fails the test unless err is want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func TestContext_standardCancel_endsTheWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		below, cancel := context.WithCancelCause(ctx)
		boom := errors.New("boom")
		asyncio.Go(ctx, func(context.Context) error { cancel(boom); return nil })
		wantErr(t, "Sleep", asyncio.Sleep(below, time.Hour), boom)
		wantErr(t, "Sleep again", asyncio.Sleep(below, time.Hour), boom)
		wantErr(t, "Yield", asyncio.Yield(below), boom)
		wantErr(t, "Sleep outside", asyncio.Sleep(ctx, time.Second), nil)
		return nil
	})
}

func TestContext_standardCancelOnTheLoop_isSeenBeforeTheVirtualClockGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		below, cancel := context.WithCancel(ctx)
		defer cancel()
		var waited, child time.Duration
		g := asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Go(below, func(ctx context.Context) error {
				defer func() { child = loop.Time() }()
				return asyncio.Sleep(ctx, 2*time.Hour)
			})
			return asyncio.Sleep(ctx, time.Minute)
		})
		if _, err := g.Await(ctx); err != nil {
			return err
		}
		waiter := asyncio.Go(ctx, func(ctx context.Context) error {
			mine, stop := context.WithCancel(ctx)
			loop.CallLater(time.Minute, stop)
			err := asyncio.Sleep(mine, time.Hour)
			waited = loop.Time()
			return err
		})
		asyncio.Sleep(ctx, time.Minute)
		cancel()
		asyncio.Sleep(ctx, time.Hour)
		if waited != 2*time.Minute || child != 2*time.Minute {
			t.Errorf("cancelled at 2m; the waiter saw it at %v and the task below it at %v", waited, child)
		}
		_, err := waiter.Await(ctx)
		wantErr(t, "waiter", err, context.Canceled)
		return nil
	})
}

func TestContext_standardTimeout_endsTheWait(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		below, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		wantErr(t, "Sleep", asyncio.Sleep(below, time.Hour), context.DeadlineExceeded)
		_, err := asyncio.NewFuture[int](asyncio.RunningLoop(ctx)).Await(below)
		wantErr(t, "Await", err, context.DeadlineExceeded)
		return nil
	})
	wantErr(t, "Run", err, nil)
}

func TestContext_standardContextBelowOurs_endsWithItsCause(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		ours, cancel := asyncio.WithCancel(ctx)
		below, stop := context.WithCancel(context.WithValue(ours, key("k"), 1))
		defer stop()
		told := make(chan struct{})
		context.AfterFunc(ours, func() { close(told) })
		if below.Err() != nil || context.Cause(ours) != nil {
			t.Errorf("before: %v, %v", below.Err(), context.Cause(ours))
		}
		cancel(boom)
		<-told
		<-below.Done()
		<-ours.Done()
		wantErr(t, "Err", below.Err(), context.Canceled)
		wantErr(t, "Cause of ours", context.Cause(ours), boom)
		wantErr(t, "Cause of a value's", context.Cause(context.WithValue(ours, key("x"), 2)), boom)
		wantErr(t, "Cause of the standard one", context.Cause(below), boom)
		late, stopLate := context.WithCancel(ours)
		defer stopLate()
		wantErr(t, "Cause of a later one", context.Cause(late), boom)
		return nil
	})
}

func TestContext_standardAfterFunc_stopped_isNotCalled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, cancel := asyncio.WithCancel(ctx)
		called := make(chan struct{})
		stop := context.AfterFunc(ours, func() { close(called) })
		if !stop() || stop() {
			t.Error("stop did not report true and then false")
		}
		cancel(nil)
		late := make(chan struct{})
		context.AfterFunc(ours, func() { close(late) })
		<-late
		select {
		case <-called:
			t.Error("called although stopped")
		default:
		}
		return nil
	})
}

func TestContext_withoutCancel_waitsOnAfterTheCancellation(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(context.WithValue(ctx, key("k"), "v"), func(ctx context.Context) error {
			wantErr(t, "first", asyncio.Sleep(ctx, time.Hour), context.Canceled)
			clean := context.WithoutCancel(ctx)
			wantErr(t, "Sleep", asyncio.Sleep(clean, time.Second), nil)
			if clean.Value(key("k")) != "v" {
				t.Error("the value is lost")
			}
			child := asyncio.Go(clean, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
			_, err := child.Await(clean)
			return err
		})
		asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		wantErr(t, "task", err, nil)
		return nil
	})
}

// conformance: context-01 context-02 context-04
func TestContext_values_areInheritedByTasksAndStaySeparate(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := key("k")
		ctx = context.WithValue(ctx, k, -1)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 100 {
				g.Go(func(ctx context.Context) error {
					if ctx.Value(k) != -1 {
						t.Errorf("the child sees %v", ctx.Value(k))
					}
					ctx = context.WithValue(ctx, k, i)
					asyncio.Sleep(ctx, time.Duration(100-i))
					return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
						if ctx.Value(k) != i {
							t.Errorf("task %d sees %v", i, ctx.Value(k))
						}
						return nil
					})
				})
			}
			if ctx.Value(k) != -1 {
				t.Errorf("the parent sees %v", ctx.Value(k))
			}
			return nil
		})
	})
}

func TestContext_valueChain_waitIsEndedByTheScopeBelowIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			ctx = context.WithValue(context.WithValue(ctx, key("a"), 1), key("b"), 2)
			wantErr(t, "Sleep", asyncio.Sleep(ctx, time.Hour), context.DeadlineExceeded)
			task := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			_, err := task.Await(context.WithoutCancel(ctx))
			wantErr(t, "task", err, context.DeadlineExceeded)
			return nil
		})
	})
}

func TestContext_deadline_isTheEarliestAround(t *testing.T) {
	run(t, func(ctx context.Context) error {
		now := asyncio.RunningLoop(ctx).Now()
		if _, ok := ctx.Deadline(); ok {
			t.Error("main has a deadline")
		}
		want := func(ctx context.Context, d time.Duration) {
			t.Helper()
			if at, ok := ctx.Deadline(); !ok || at.Sub(now) != d {
				t.Errorf("deadline %v (%v), want %v", at.Sub(now), ok, d)
			}
		}
		return asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			want(ctx, time.Minute)
			asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { want(ctx, time.Minute); return nil })
			asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				want(ctx, time.Second)
				asyncio.Sleep(ctx, time.Hour)
				want(ctx, time.Second) // as in the standard library, also when it is over
				want(context.WithValue(ctx, key("k"), 1), time.Second)
				if _, ok := context.WithoutCancel(ctx).Deadline(); ok {
					t.Error("WithoutCancel has a deadline")
				}
				return nil
			})
			asyncio.Go(context.WithValue(ctx, key("k"), 1), func(ctx context.Context) error {
				want(ctx, time.Minute)
				return nil
			})
			return asyncio.Yield(ctx)
		})
	})
}

// Goroutines may look at our contexts at any time, whatever the loop does with
// the scopes meanwhile. This test is for the race detector.
func TestContext_usedByGoroutines_whileScopesComeAndGo(t *testing.T) {
	err := asyncio.Run(context.WithValue(context.Background(), key("k"), 1), func(ctx context.Context) error {
		quit := make(chan struct{})
		done := make(chan struct{}, 100)
		look := func(ctx context.Context) {
			defer func() { done <- struct{}{} }()
			for {
				ctx.Err()
				ctx.Deadline()
				ctx.Value(key("k"))
				context.Cause(ctx)
				below, cancel := context.WithTimeout(ctx, time.Hour)
				stop := context.AfterFunc(below, func() {})
				stop()
				cancel()
				select {
				case <-quit:
					return
				default:
					runtime.Gosched()
				}
			}
		}
		n := 0
		for range 5 {
			asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
				go look(ctx)
				parent := asyncio.Go(ctx, func(ctx context.Context) error {
					go look(ctx)
					asyncio.Go(ctx, func(ctx context.Context) error {
						go look(ctx)
						for range 100 {
							if err := asyncio.Yield(ctx); err != nil {
								return err
							}
						}
						return nil
					})
					return asyncio.Yield(ctx)
				})
				parent.Await(ctx)
				own, cancel := asyncio.WithTimeout(ctx, time.Hour)
				go look(own)
				go cancel()
				n += 4
				return asyncio.Sleep(ctx, time.Hour)
			})
		}
		close(quit)
		for range n {
			<-done
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}

func TestScope_leftWhileTasksBelowItRun_cancelsThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var task *asyncio.Task[asyncio.None]
		asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
			task = asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			return asyncio.Yield(ctx)
		})
		_, err := task.Await(ctx)
		wantErr(t, "task", err, context.Canceled)
		if !task.Cancelled() {
			t.Error("the task is not cancelled")
		}
		return nil
	})
}

func TestTask_outlivesTheOneThatCreatedIt_andIsStillCancelledWithWhatIsAbove(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var grandchild *asyncio.Task[asyncio.None]
		group, cancel := asyncio.WithCancel(ctx)
		child := asyncio.Go(context.WithValue(group, key("k"), 1), func(ctx context.Context) error {
			grandchild = asyncio.Go(context.WithValue(ctx, key("l"), 1), func(ctx context.Context) error {
				return asyncio.Sleep(ctx, time.Hour)
			})
			return nil
		})
		child.Await(ctx)
		asyncio.Sleep(ctx, time.Minute)
		if grandchild.Done() {
			t.Fatal("the grandchild ended with the child")
		}
		boom := errors.New("boom")
		cancel(boom)
		_, err := grandchild.Await(ctx)
		wantErr(t, "grandchild", err, boom)
		return nil
	})
}

func TestTask_belowAStandardContext_outlivesItsCreatorAndIsCancelledWithThatContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		standard, cancel := context.WithCancelCause(ctx)
		var tasks []*asyncio.Task[asyncio.None]
		var create func(depth int) func(ctx context.Context) error
		create = func(depth int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if depth == 0 {
					return asyncio.Sleep(ctx, time.Hour)
				}
				for range 2 {
					tasks = append(tasks, asyncio.Go(ctx, create(depth-1)))
				}
				return nil
			}
		}
		asyncio.Go(standard, create(3)).Await(ctx)
		asyncio.Sleep(ctx, time.Minute)
		boom := errors.New("boom")
		cancel(boom)
		for _, task := range tasks[len(tasks)-8:] {
			_, err := task.Await(ctx)
			wantErr(t, "a task that outlived its creator", err, boom)
		}
		return nil
	}, fifo)
}

func TestContext_ofATaskThatHasEnded_isCancelled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var old context.Context
		asyncio.Go(ctx, func(ctx context.Context) error { old = ctx; return nil }).Await(ctx)
		wantErr(t, "Err", old.Err(), context.Canceled)
		wantErr(t, "Sleep", asyncio.Sleep(old, time.Second), asyncio.ErrWrongContext)
		saw := errors.New("did not run")
		task := asyncio.Go(old, func(ctx context.Context) error { saw = asyncio.Yield(ctx); return nil })
		task.Await(ctx)
		wantErr(t, "a task created under it", saw, context.Canceled)
		return nil
	})
}

func TestWithCancel_calledOnAnyGoroutine_endsTheWait(t *testing.T) {
	boom := errors.New("boom")
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range 10 {
			own, cancel := asyncio.WithCancel(ctx)
			hold := asyncio.RunningLoop(ctx)
			go cancel(boom)
			wantErr(t, "Sleep", asyncio.Sleep(own, time.Hour), boom)
			cancel(nil)
			wantErr(t, "Cause", context.Cause(own), boom)
			runtime.KeepAlive(hold)
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}

func TestWithCancel_ofAnotherTasksContext_isNotForThisTask(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(outer context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(ctx context.Context) error {
				own, cancel := asyncio.WithCancel(outer)
				defer cancel(nil)
				wantErr(t, "Sleep", asyncio.Sleep(own, time.Second), asyncio.ErrWrongContext)
				return nil
			})
			return nil
		})
	})
}

func TestScope_oneMillionTasksEachCreatingTheNext_needNoMemory(t *testing.T) {
	n := 1_000_000
	if testing.Short() || raceEnabled {
		n = 100_000
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	run(t, func(ctx context.Context) error {
		before := heap()
		done := asyncio.NewFuture[int64](asyncio.RunningLoop(ctx))
		var next func(ctx context.Context) error
		left := n
		next = func(ctx context.Context) error {
			if left--; left == 0 {
				return done.SetResult(heap())
			}
			asyncio.Go(ctx, next)
			if left%3 == 0 {
				return asyncio.Timeout(ctx, time.Hour, asyncio.Yield)
			}
			return nil
		}
		asyncio.Go(ctx, next)
		after, err := done.Await(ctx)
		if grown := after - before; grown > 2<<20 {
			t.Errorf("the heap has grown by %d KB", grown>>10)
		}
		return err
	})
}

func TestScope_ended_isCollected(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var collected atomic.Int32
		for range 10 {
			asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				g.Go(func(ctx context.Context) error {
					payload := new([1 << 10]byte)
					runtime.AddCleanup(payload, func(int) { collected.Add(1) }, 0)
					return asyncio.Timeout(context.WithValue(ctx, key("k"), payload), time.Hour, func(ctx context.Context) error {
						own, cancel := context.WithCancel(ctx)
						defer cancel()
						return asyncio.Sleep(own, time.Second)
					})
				})
				return nil
			})
		}
		for range 100 {
			if runtime.GC(); collected.Load() >= 9 { // the last one may still be on a stack
				return nil
			}
			runtime.Gosched()
		}
		t.Errorf("%d of 10 are collected", collected.Load())
		return nil
	})
}

// What is handed over while goroutines cancel the contexts of those who wait is
// neither lost nor doubled.
func TestContext_cancelledByGoroutinesWhileItsWaitersAreServed_nothingIsLost(t *testing.T) {
	n := 2000
	if testing.Short() || raceEnabled {
		n = 500
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		items := asyncio.NewQueue[int](3)
		var sum, got int
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 8 {
				g.Go(func(ctx context.Context) error {
					for got < n {
						below, cancel := context.WithCancel(ctx)
						if i%2 == 0 {
							go cancel()
						} else {
							time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
						}
						if v, err := items.Get(below); err == nil {
							sum += v
							got++
						} else if !errors.Is(err, context.Canceled) {
							t.Errorf("Get: %v", err)
						}
						cancel()
					}
					return nil
				})
			}
			for i := range n {
				if err := items.Put(ctx, i); err != nil {
					return err
				}
			}
			for got < n {
				asyncio.Yield(ctx)
			}
			if want := n * (n - 1) / 2; sum != want || got != n || items.Len() != 0 {
				t.Errorf("%d of %d items, sum %d, want %d; %d are left", got, n, sum, want, items.Len())
			}
			return nil
		})
	})
	wantErr(t, "Run", err, nil)
}
