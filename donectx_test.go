package asyncio_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// What takes something fails under a context that is done, though it could have
// it at once, and takes nothing. A failure of its own comes after that.
func TestDoneContext_whatTakesSomething_fails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		var lock asyncio.Lock
		semaphore, bounded, barrier := asyncio.NewSemaphore(1), asyncio.NewBoundedSemaphore(1), asyncio.NewBarrier(1)
		limiter, queue, down := asyncio.NewLimiter(1, time.Hour), asyncio.NewQueue[int](0), asyncio.NewQueue[int](0)
		queue.TryPut(1)
		down.Shutdown(false)
		ch := make(chan int, 2)
		ch <- 1
		for name, take := range map[string]func(ctx context.Context) error{
			"Lock.Acquire":             lock.Acquire,
			"Semaphore.Acquire":        semaphore.Acquire,
			"BoundedSemaphore.Acquire": bounded.Acquire,
			"Limiter.Acquire":          limiter.Acquire,
			"Barrier.Wait":             func(ctx context.Context) error { _, err := barrier.Wait(ctx); return err },
			"Queue.Get":                func(ctx context.Context) error { _, err := queue.Get(ctx); return err },
			"Queue.Put":                func(ctx context.Context) error { return queue.Put(ctx, 1) },
			"Queue.Get, shut down":     func(ctx context.Context) error { _, err := down.Get(ctx); return err },
			"Queue.Put, shut down":     func(ctx context.Context) error { return down.Put(ctx, 1) },
			"Recv":                     func(ctx context.Context) error { _, _, err := asyncio.Recv(ctx, ch); return err },
			"Send":                     func(ctx context.Context) error { return asyncio.Send(ctx, ch, 1) },
			"ToThread": func(ctx context.Context) error {
				_, err := asyncio.ToThread(ctx, func() (int, error) { t.Error("the function ran"); return 0, nil })
				return err
			},
			"Select": func(ctx context.Context) error { _, err := asyncio.Select(ctx, queue.Getting()); return err },
			"Yield":  asyncio.Yield,
			"Sleep":  sleepFor(time.Hour),
		} {
			wantErr(t, name, take(done), boom)
		}
		if lock.Locked() || semaphore.Locked() || bounded.Locked() || !limiter.TryAcquire() || queue.Len() != 1 || len(ch) != 1 {
			t.Error("something was taken or added all the same")
		}
		return nil
	})
}

// What only asks whether something has happened says so, whatever the state of
// its context.
//
// conformance: event-02 queue-34 condition-07
func TestDoneContext_whatAsksForWhatHasHappened_isAnswered(t *testing.T) {
	run(t, func(ctx context.Context) error {
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		loop := asyncio.RunningLoop(ctx)
		var event asyncio.Event
		event.Set()
		var condition asyncio.Condition
		future, task := asyncio.NewFuture[int](loop), asyncio.CreateTask(ctx, value(1))
		future.SetResult(1)
		task.Await(ctx)
		submission := asyncio.RunThreadsafe(loop, value(1))
		submission.Await(ctx)
		for name, ask := range map[string]func(ctx context.Context) error{
			"Event.Wait":        event.Wait,
			"Queue.Join":        asyncio.NewQueue[int](0).Join,
			"Condition.WaitFor": func(ctx context.Context) error { return condition.WaitFor(ctx, func() bool { return true }) },
			"Future.Await":      func(ctx context.Context) error { _, err := future.Await(ctx); return err },
			"Task.Await":        func(ctx context.Context) error { _, err := task.Await(ctx); return err },
			"Submission.Await":  func(ctx context.Context) error { _, err := submission.Await(ctx); return err },
			"WaitForTask":       func(ctx context.Context) error { _, err := asyncio.WaitForTask(ctx, 0, task); return err },
			"Wait": func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, task)
				return err
			},
			"AsCompleted": func(ctx context.Context) error {
				for _, err := range asyncio.AsCompleted(ctx, task, task) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			"ShutdownThreads": loop.ShutdownThreads,
		} {
			for range 300 { // also when it has let others in
				if err := ask(done); err != nil {
					t.Errorf("%s: %v", name, err)
					break
				}
			}
		}
		return nil
	})
}

// A block is entered, and a task always starts: the first wait inside fails.
func TestDoneContext_blocksAreEntered_andTheirFirstWaitFails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		wait := func(ctx context.Context) (int, error) { return 0, asyncio.Yield(ctx) }
		for name, block := range map[string]func(ctx context.Context) error{
			"Timeout": func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Hour, asyncio.Yield) },
			"TimeoutScope": func(ctx context.Context) error {
				return asyncio.TimeoutScope(ctx, time.Hour, func(ctx context.Context, _ *asyncio.Deadline) error { return asyncio.Yield(ctx) })
			},
			"WaitFor": func(ctx context.Context) error { _, err := asyncio.WaitFor(ctx, time.Hour, wait); return err },
			"Group": func(ctx context.Context) error {
				return asyncio.Group(ctx, func(_ context.Context, g group) error { g.Go(asyncio.Yield); return nil })
			},
			"Gather": func(ctx context.Context) error { _, err := asyncio.Gather(ctx, wait, wait); return err },
			"Race":   func(ctx context.Context) error { _, err := asyncio.Race(ctx, wait, wait); return err },
			"Map": func(ctx context.Context) error {
				_, err := asyncio.Map(ctx, 1, slices.Values([]int{1, 2}), square)
				return err
			},
		} {
			wantErr(t, name, block(done), boom)
		}
		wantErr(t, "Shield", asyncio.Shield(done, asyncio.Yield), nil)
		return nil
	})
}
