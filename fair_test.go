package asyncio_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// atOnce are calls that wait if need be, and need not: each can be repeated for
// ever. Those that fail do so each time.
func atOnce(ctx context.Context) map[string]func(ctx context.Context) {
	loop := asyncio.RunningLoop(ctx)
	none := func(context.Context) error { return nil }
	queue, down := asyncio.NewQueue[int](0), asyncio.NewPriorityQueue[int](0)
	down.Shutdown(false)
	var lock asyncio.Lock
	var condition asyncio.Condition
	var event asyncio.Event
	event.Set()
	semaphore, bounded, barrier := asyncio.NewSemaphore(1), asyncio.NewBoundedSemaphore(1), asyncio.NewBarrier(1)
	broken := asyncio.NewBarrier(2)
	broken.Abort()
	limiter, slow := asyncio.NewLimiter(1e9, time.Second), asyncio.NewLimiter(1, time.Hour)
	slow.TryAcquire()
	future, pending := asyncio.NewFuture[int](loop), asyncio.NewFuture[int](loop)
	future.SetResult(1)
	task := asyncio.CreateTask(ctx, value(1))
	task.Await(ctx)
	submission := asyncio.RunThreadsafe(loop, value(1))
	submission.Await(ctx)
	ch := make(chan int, 1)
	eager := asyncio.EagerStart(true)
	return map[string]func(ctx context.Context){
		"Queue.Put and Get": func(ctx context.Context) { queue.Put(ctx, 1); queue.Get(ctx) },
		"Queue.Join":        func(ctx context.Context) { asyncio.NewQueue[int](0).Join(ctx) },
		"Queue.All": func(ctx context.Context) {
			queue.TryPut(1)
			for range queue.All(ctx) {
				break
			}
		},
		"Lock.Acquire":             func(ctx context.Context) { lock.Acquire(ctx); lock.Release() },
		"Lock.Do":                  func(ctx context.Context) { lock.Do(ctx, func() error { return nil }) },
		"Semaphore.Acquire":        func(ctx context.Context) { semaphore.Acquire(ctx); semaphore.Release() },
		"BoundedSemaphore.Acquire": func(ctx context.Context) { bounded.Acquire(ctx); bounded.Release() },
		"Event.Wait":               func(ctx context.Context) { event.Wait(ctx) },
		"Condition.Acquire":        func(ctx context.Context) { condition.Acquire(ctx); condition.Release() },
		"Condition.WaitFor":        func(ctx context.Context) { condition.WaitFor(ctx, func() bool { return true }) },
		"Barrier.Wait":             func(ctx context.Context) { barrier.Wait(ctx) },
		"Limiter.Acquire":          func(ctx context.Context) { limiter.Acquire(ctx) },
		"Select":                   func(ctx context.Context) { asyncio.Select(ctx, &event) },
		"Select of a closed queue": func(ctx context.Context) { asyncio.Select(ctx, down.Getting()) },
		"Future.Await":             func(ctx context.Context) { future.Await(ctx) },
		"Task.Await":               func(ctx context.Context) { task.Await(ctx) },
		"Submission.Await":         func(ctx context.Context) { submission.Await(ctx) },
		"Await of an eager task":   func(ctx context.Context) { asyncio.CreateTask(ctx, value(1), eager).Await(ctx) },
		"Wait":                     func(ctx context.Context) { asyncio.Wait(ctx, asyncio.AllCompleted, task, task) },
		"AsCompleted": func(ctx context.Context) {
			for range asyncio.AsCompleted(ctx, task, task) {
			}
		},
		"AsCompleted, of many": func(ctx context.Context) {
			many := make([]*asyncio.Future[int], 1000)
			for i := range many {
				many[i] = asyncio.NewFuture[int](loop)
				many[i].SetResult(1)
			}
			for range asyncio.AsCompleted(ctx, many...) {
			}
		},
		"WaitFor":       func(ctx context.Context) { asyncio.WaitFor(ctx, asyncio.Forever, value(1)) },
		"WaitForTask":   func(ctx context.Context) { asyncio.WaitForTask(ctx, 1, task) },
		"Recv and Send": func(ctx context.Context) { asyncio.Send(ctx, ch, 1); asyncio.Recv(ctx, ch) },
		"Timeout":       func(ctx context.Context) { asyncio.Timeout(ctx, asyncio.Forever, none) },
		"TimeoutAt":     func(ctx context.Context) { asyncio.TimeoutAt(ctx, time.Now().Add(time.Hour), none) },
		"TimeoutScope": func(ctx context.Context) {
			asyncio.TimeoutScope(ctx, asyncio.Forever, func(context.Context, *asyncio.Deadline) error { return nil })
		},
		"Shield":               func(ctx context.Context) { asyncio.Shield(ctx, none) },
		"Enter":                func(ctx context.Context) { asyncio.Enter(ctx, func() error { return nil }) },
		"Group":                func(ctx context.Context) { asyncio.Group(ctx, func(context.Context, group) error { return nil }) },
		"Gather":               func(ctx context.Context) { asyncio.Gather[int](ctx) },
		"GatherResults":        func(ctx context.Context) { asyncio.GatherResults[int](ctx) },
		"Map":                  func(ctx context.Context) { asyncio.Map(ctx, 1, slices.Values([]int(nil)), square) },
		"Race":                 func(ctx context.Context) { asyncio.Race[int](ctx) },
		"StaggeredRace":        func(ctx context.Context) { asyncio.StaggeredRace[int](ctx, 1) },
		"Loop.ShutdownThreads": func(ctx context.Context) { loop.ShutdownThreads(ctx) },

		"Queue.Put, shut down": func(ctx context.Context) { mustFail(down.Put(ctx, 1)) },
		"Queue.Get, shut down": func(ctx context.Context) { _, err := down.Get(ctx); mustFail(err) },
		"Queue.All, shut down": func(ctx context.Context) { down.All(ctx)(nil) },
		"ToThread, shut down":  func(ctx context.Context) { loop.ShutdownThreads(ctx); _, err := call(1)(ctx); mustFail(err) },
		"Barrier.Wait, broken": func(ctx context.Context) { _, err := broken.Wait(ctx); mustFail(err) },
		"Limiter, in an hour": func(ctx context.Context) {
			short, end := asyncio.WithTimeout(ctx, time.Minute)
			defer end()
			mustFail(slow.Acquire(short))
		},
		"Limiter, too many":    func(ctx context.Context) { mustFail(limiter.AcquireN(ctx, 2e9)) },
		"Condition.Wait, open": func(ctx context.Context) { mustFail(condition.Wait(ctx)) },
		"Map, without a limit": func(ctx context.Context) {
			_, err := asyncio.Map(ctx, 0, slices.Values([]int{1}), square)
			mustFail(err)
		},
		"Wait, for none": func(ctx context.Context) { _, _, err := asyncio.Wait[*asyncio.Task[int]](ctx, 0); mustFail(err) },
		"Signals, of no signal": func(ctx context.Context) {
			for _, err := range asyncio.Signals(ctx, os.Kill) {
				mustFail(err)
			}
		},
		"Submission.Wait":      func(ctx context.Context) { _, err := submission.Wait(ctx); mustFail(err) },
		"Run":                  func(ctx context.Context) { mustFail(asyncio.Run(ctx, none)) },
		"Sleep, a wrong ctx":   func(context.Context) { mustFail(asyncio.Sleep(context.Background(), 1)) },
		"Yield, a wrong ctx":   func(context.Context) { mustFail(asyncio.Yield(context.Background())) },
		"Lock, a wrong ctx":    func(context.Context) { mustFail(lock.Acquire(context.Background())) },
		"Await, a wrong ctx":   func(context.Context) { _, err := pending.Await(context.Background()); mustFail(err) },
		"Await, another's ctx": func(context.Context) { _, err := pending.Await(task.Context()); mustFail(err) },
		"Timeout, a wrong ctx": func(context.Context) { mustFail(asyncio.Timeout(context.Background(), 1, none)) },
		"AsCompleted, wrong ctx": func(context.Context) {
			for _, err := range asyncio.AsCompleted(context.Background(), task) {
				mustFail(err)
			}
		},
		"WaitQueue, a wrong ctx": func(context.Context) { mustFail(new(lowlevel.WaitQueue).Wait(context.Background(), why("x"))) },
	}
}

// mustFail panics if a call that is to fail does not.
func mustFail(err error) {
	if err == nil {
		panic("the call was to fail at once")
	}
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }

// manyCalls are enough to use up the budget of many turns.
const manyCalls = 20_000

func TestFairness_aLoopOfCallsThatNeedNotWait_givesOthersTheirTurns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for name, call := range atOnce(ctx) {
			turns, over := 0, false
			other := asyncio.Go(ctx, func(ctx context.Context) error {
				for ; !over; turns++ {
					asyncio.Yield(ctx)
				}
				return nil
			})
			asyncio.Yield(ctx)
			before := turns
			for n := 0; n < manyCalls && turns < before+10; n++ {
				call(ctx)
			}
			if turns < before+10 {
				t.Errorf("%s: %d turns for others in %d calls", name, turns-before, manyCalls)
			}
			over = true
			other.Await(ctx)
		}
		return nil
	})
}

func TestFairness_aLoopOfCallsThatNeedNotWait_doesNotKeepItsOwnTimeoutAway(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for name, call := range atOnce(ctx) {
			late := time.Now().Add(10 * time.Second)
			asyncio.Timeout(ctx, time.Microsecond, func(inner context.Context) error {
				for inner.Err() == nil {
					if call(ctx); time.Now().After(late) {
						t.Errorf("%s: the timeout never came", name)
						break
					}
				}
				return nil
			})
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}

// What takes something looks at its context and at its state after it has let
// others in, and not before.
func TestFairness_aTakerThatLetOthersIn_seesWhatTheyDid(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		semaphore, queue := asyncio.NewSemaphore(1), asyncio.NewQueue[int](0)
		takers := map[string]struct {
			take, give func(ctx context.Context) error
		}{
			"Lock":      {lock.Acquire, func(context.Context) error { lock.Release(); return nil }},
			"Semaphore": {semaphore.Acquire, func(context.Context) error { semaphore.Release(); return nil }},
			"Queue": {
				func(ctx context.Context) error { _, err := queue.Get(ctx); return err },
				func(ctx context.Context) error { return queue.TryPut(1) },
			},
		}
		queue.TryPut(1)
		for name, c := range takers {
			scope, cancel := asyncio.WithCancel(ctx)
			other := asyncio.Go(ctx, func(ctx context.Context) error {
				if err := c.take(ctx); err != nil { // the spinner has it only while it runs
					return err
				}
				cancel(boom)
				return asyncio.Yield(ctx)
			})
			var err error
			for n := 0; err == nil && n < manyCalls; n++ {
				if err = c.take(scope); err == nil {
					c.give(ctx)
				}
			}
			wantErr(t, name, err, boom)
			if _, err := other.Await(ctx); err != nil {
				t.Errorf("%s: the other one: %v", name, err)
			}
			c.give(ctx)
		}
		return nil
	})
}

func TestFairness_aWaitRefillsTheBudget(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		turns, over := 0, false
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; !over; turns++ {
				asyncio.Yield(ctx)
			}
			return nil
		})
		asyncio.Yield(ctx)
		before := turns
		for range 100 {
			for range 100 { // fewer than a turn has
				lock.Acquire(ctx)
				lock.Release()
			}
			asyncio.Yield(ctx)
		}
		if n := turns - before; n != 100 {
			t.Errorf("the other one had %d turns, want 100: one for each Yield", n)
		}
		over = true
		_, err := other.Await(ctx)
		return err
	}, fifo)
}

func TestFairness_timersComeInTime_besideALoopOfCallsThatNeedNotWait(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		over := false
		asyncio.RunningLoop(ctx).CallLater(time.Millisecond, func() { over = true })
		for late := time.Now().Add(10 * time.Second); !over; {
			lock.Acquire(ctx)
			lock.Release()
			if time.Now().After(late) {
				t.Error("the timer never came")
				break
			}
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}

func TestFairness_atTheLoopsEnd_aSpinnerThatTakesNoHintIsUnwound(t *testing.T) {
	loop, err := asyncio.NewLoop(asyncio.WithVirtualClock())
	wantErr(t, "NewLoop", err, nil)
	var event asyncio.Event
	event.Set()
	unwound := false
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		defer func() { unwound = true }()
		for {
			event.Wait(ctx)
		}
	})
	loop.RunOnce()
	loop.Close()
	if !unwound {
		t.Error("the task still runs")
	}
}
