package asyncio_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// waits are calls that wait, each with a context.
func waits(loop *asyncio.Loop) map[string]func(ctx context.Context) error {
	event, queue, full := &asyncio.Event{}, asyncio.NewQueue[int](0), asyncio.NewQueue[int](1)
	full.TryPut(1)
	future := asyncio.NewFuture[int](loop)
	var set asyncio.Event
	set.Set()
	var condition asyncio.Condition
	ch := make(chan int, 2)
	none := func(context.Context) error { return nil }
	return map[string]func(ctx context.Context) error{
		"Sleep":     sleepFor(time.Second),
		"Yield":     asyncio.Yield,
		"Event":     event.Wait,
		"Get":       func(ctx context.Context) error { _, err := queue.Get(ctx); return err },
		"Put":       func(ctx context.Context) error { return full.Put(ctx, 1) },
		"Lock":      new(asyncio.Lock).Acquire,
		"Semaphore": asyncio.NewSemaphore(0).Acquire,
		"Future":    func(ctx context.Context) error { _, err := future.Await(ctx); return err },
		"ToThread": func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (int, error) { return 0, nil })
			return err
		},
		"Group": func(ctx context.Context) error {
			return asyncio.Group(ctx, func(context.Context, group) error { return nil })
		},
		"Timeout":    func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Second, none) },
		"Shield":     func(ctx context.Context) error { return asyncio.Shield(ctx, none) },
		"Gather":     func(ctx context.Context) error { _, err := asyncio.Gather(ctx, value(1)); return err },
		"Gather2":    func(ctx context.Context) error { _, _, err := asyncio.Gather2(ctx, value(1), value(2)); return err },
		"Race":       func(ctx context.Context) error { _, err := asyncio.Race(ctx, value(1)); return err },
		"Select":     func(ctx context.Context) error { _, err := asyncio.Select(ctx, event); return err },
		"Wait":       func(ctx context.Context) error { _, _, err := asyncio.Wait(ctx, 0, future); return err },
		"WaitFor":    func(ctx context.Context) error { _, err := asyncio.WaitFor(ctx, 1, value(1)); return err },
		"WaitTask":   func(ctx context.Context) error { _, err := asyncio.WaitForTask(ctx, 1, future); return err },
		"WaitUntil":  func(ctx context.Context) error { return condition.WaitFor(ctx, func() bool { return true }) },
		"Condition":  condition.Wait,
		"Event, set": set.Wait,
		"Join":       asyncio.NewQueue[int](0).Join,
		"All": func(ctx context.Context) (err error) {
			for _, err = range queue.All(ctx) {
			}
			return err
		},
		"Barrier": func(ctx context.Context) error { _, err := asyncio.NewBarrier(1).Wait(ctx); return err },
		"Limiter": asyncio.NewLimiter(1, time.Second).Acquire,
		"Recv":    func(ctx context.Context) error { ch <- 1; _, _, err := asyncio.Recv(ctx, ch); <-ch; return err },
		"Send":    func(ctx context.Context) error { return asyncio.Send(ctx, ch, 1) },
		"CallOn":  func(ctx context.Context) error { _, err := asyncio.CallOn(ctx, loop, value(1)); return err },
		"Threads": loop.ShutdownThreads,
		"Signals": func(ctx context.Context) (err error) {
			for _, err = range asyncio.Signals(ctx) {
				break
			}
			return err
		},
		"Map": func(ctx context.Context) error {
			_, err := asyncio.Map(ctx, 1, slices.Values([]int{1}), square)
			return err
		},
		"Results":   func(ctx context.Context) error { return asyncio.GatherResults(ctx, value(1))[0].Err },
		"Staggered": func(ctx context.Context) error { _, _, errs := asyncio.StaggeredRace(ctx, 1, value(1)); return errs[0] },
		"TimeoutAt": func(ctx context.Context) error { return asyncio.TimeoutAt(ctx, time.Now(), none) },
		"Scope": func(ctx context.Context) error {
			return asyncio.TimeoutScope(ctx, 1, func(context.Context, *asyncio.Deadline) error { return nil })
		},
		"Enter":      func(ctx context.Context) error { return asyncio.Enter(ctx, func() error { return nil }) },
		"WaitQueue":  func(ctx context.Context) error { return new(lowlevel.WaitQueue).Wait(ctx, why("x")) },
		"WaitIO":     func(ctx context.Context) error { return new(lowlevel.WaitQueue).WaitOutside(ctx, why("x")) },
		"WithValue":  func(ctx context.Context) error { return asyncio.Yield(context.WithValue(ctx, key("k"), 1)) },
		"WithCancel": func(ctx context.Context) error { c, f := context.WithCancel(ctx); defer f(); return asyncio.Yield(c) },
	}
}

func TestWait_withTheContextOfAnotherTask_isRefusedAndNamesBoth(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for name, wait := range waits(asyncio.RunningLoop(ctx)) {
			task := asyncio.Go(ctx, func(context.Context) error { return wait(ctx) }, asyncio.Name("the wrong one"))
			_, err := task.Await(ctx)
			if !errors.Is(err, asyncio.ErrWrongContext) || !strings.Contains(err.Error(), "the wrong one waits with the context of main") {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

func TestWait_inACallback_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for name, wait := range waits(loop) {
			loop.CallSoon(func() {
				wantErr(t, name, wait(ctx), asyncio.ErrWrongContext)
				wantErr(t, name, wait(loop.Context()), asyncio.ErrWrongContext)
			})
		}
		return asyncio.Yield(ctx)
	})
}

func TestWait_withTheLoopsOwnContext_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for name, wait := range waits(loop) {
			wantErr(t, name, wait(loop.Context()), asyncio.ErrWrongContext)
		}
		return nil
	})
}

func TestWait_onAnotherGoroutine_isRefused(t *testing.T) {
	var old context.Context
	var later map[string]func(ctx context.Context) error
	run(t, func(ctx context.Context) error {
		old, later = ctx, waits(asyncio.RunningLoop(ctx))
		elsewhere(func() {
			for name, wait := range later {
				wantErr(t, name, wait(ctx), asyncio.ErrWrongGoroutine)
				wantErr(t, name, wait(context.Background()), asyncio.ErrNotOnLoop)
			}
		})
		return asyncio.Sleep(ctx, time.Second)
	})
	for name, wait := range later {
		wantErr(t, name+" after the loop's end", wait(old), asyncio.ErrLoopClosed)
	}
}

func TestWait_withTheContextOfAnotherLoop_isRefused(t *testing.T) {
	run(t, func(outer context.Context) error {
		_, err := asyncio.ToThread(outer, func() (int, error) {
			return 0, asyncio.Run(context.Background(), func(ctx context.Context) error {
				for name, wait := range waits(asyncio.RunningLoop(ctx)) {
					wantErr(t, name, wait(outer), asyncio.ErrWrongGoroutine)
				}
				mustPanic(t, "not the event loop's", func() { asyncio.Go(outer, asyncio.Yield) })
				return nil
			})
		})
		return err
	})
}

func TestPrimitives_usedOnALoop_refuseCallsFromAnotherGoroutine_thoughNobodyHasEverWaited(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var event asyncio.Event
		var lock asyncio.Lock
		semaphore, bounded := asyncio.NewSemaphore(9), asyncio.NewBoundedSemaphore(9)
		queue, limiter, barrier := asyncio.NewQueue[int](0), asyncio.NewLimiter(9, time.Second), asyncio.NewBarrier(2)
		future := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		calls := map[string]func(){
			"Event.Set":                event.Set,
			"Event.Clear":              event.Clear,
			"Lock.TryAcquire":          func() { lock.TryAcquire(ctx) },
			"Semaphore.TryAcquire":     func() { semaphore.TryAcquire() },
			"Semaphore.Release":        semaphore.Release,
			"BoundedSemaphore.Release": func() { bounded.Release() },
			"Queue.TryPut":             func() { queue.TryPut(1) },
			"Queue.TryGet":             func() { queue.TryGet() },
			"Queue.TaskDone":           queue.TaskDone,
			"Queue.Shutdown":           func() { queue.Shutdown(false) },
			"Limiter.TryAcquire":       func() { limiter.TryAcquire() },
			"Barrier.Reset":            barrier.Reset,
			"Future.SetResult":         func() { future.SetResult(1) },
			"Future.SetError":          func() { future.SetError(context.Canceled) },
		}
		event.Set()
		semaphore.TryAcquire()
		bounded.TryAcquire()
		queue.TryPut(1)
		limiter.TryAcquire()
		barrier.Reset()
		elsewhere(func() {
			for name, call := range calls {
				mustPanic(t, name+": asyncio: called from a goroutine that is not the event loop's", call)
			}
		})
		if queue.Len() != 1 || lock.Locked() || future.Done() {
			t.Error("a call that was refused had an effect")
		}
		mustPanic(t, "Lock.TryAcquire: asyncio: the context does not belong to an event loop", func() { lock.TryAcquire(context.Background()) })
		return nil
	})
}

// conformance: debug-01
func TestLoop_callsFromAnotherGoroutine_panicInAnyMode(t *testing.T) {
	for _, debug := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			task := asyncio.CreateTask(ctx, sleeper(1))
			calls := func() {
				mustPanic(t, "not the event loop's", func() { loop.CallSoon(func() {}) })
				mustPanic(t, "not the event loop's", func() { loop.CallLater(time.Second, func() {}) })
				mustPanic(t, "not the event loop's", func() { loop.CallAt(time.Second, func() {}) })
				mustPanic(t, "not the event loop's", func() { task.Cancel() })
				mustPanic(t, "not the event loop's", func() { task.AddDoneCallback(func(*asyncio.Task[int]) {}) })
				mustPanic(t, "not the event loop's", func() { asyncio.WithTimeout(ctx, time.Second) })
				mustPanic(t, "not the event loop's", func() { asyncio.After(ctx, time.Second, 1) })
				mustPanic(t, "not the event loop's", func() { asyncio.RunningLoop(ctx) })
			}
			elsewhere(calls)
			_, err := asyncio.ToThread(ctx, func() (int, error) {
				return 0, asyncio.Run(context.Background(), func(context.Context) error { calls(); return nil })
			})
			return err
		}, asyncio.WithDebug(debug))
	}
}

func TestLoop_callsFromAnotherGoroutine_panicAlsoWhileTasksStart(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var stop atomic.Bool
		accepted := make(chan int)
		go func() {
			n := 0
			for !stop.Load() {
				func() {
					defer func() { recover() }()
					loop.SetExceptionHandler(nil) // harmless if it is accepted
					n++
				}()
			}
			accepted <- n
		}()
		for range 50 {
			asyncio.Group(ctx, func(ctx context.Context, g group) error {
				for range 200 {
					g.Go(asyncio.Yield)
				}
				return nil
			})
		}
		stop.Store(true)
		if n := <-accepted; n > 0 {
			t.Errorf("%d calls were accepted", n)
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}
