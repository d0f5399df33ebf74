package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: lock-04
// pitfall: 23
func TestLock_servesInTheOrderOfComing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		var order []string
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		for _, name := range []string{"a", "b", "c"} {
			asyncio.Go(ctx, func(ctx context.Context) error {
				if err := lock.Acquire(ctx); err != nil {
					return err
				}
				order = append(order, name)
				return nil
			})
		}
		for i := range 4 {
			letWait(t, ctx)
			if len(order) != i || !lock.Locked() {
				t.Errorf("after %d releases: %v, locked %v", i, order, lock.Locked())
			}
			lock.Release()
		}
		if fmt.Sprint(order) != "[a b c]" || lock.Locked() {
			t.Errorf("order %v, locked %v", order, lock.Locked())
		}
		return nil
	}, fifo)
}

// pitfall: 23
func TestLock_newcomerDoesNotOvertakeInTheGapBeforeTheWokenOneRuns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		var order []string
		lock.Acquire(ctx)
		waiter := asyncio.Go(ctx, func(ctx context.Context) error {
			defer lock.Release()
			err := lock.Acquire(ctx)
			order = append(order, "waiter")
			return err
		})
		letWait(t, ctx)
		lock.Release()
		if lock.TryAcquire(ctx) {
			t.Error("TryAcquire overtook the woken waiter")
		}
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		order = append(order, "newcomer")
		lock.Release()
		waiter.Await(ctx)
		if fmt.Sprint(order) != "[waiter newcomer]" {
			t.Errorf("order %v", order)
		}
		return nil
	})
}

// conformance: lock-05
func TestLock_cancelledWaiter_leavesNobodyBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		lock.Acquire(ctx)
		waiter := asyncio.Go(ctx, lock.Acquire)
		letWait(t, ctx)
		waiter.Cancel()
		if _, err := waiter.Await(ctx); err != context.Canceled || !waiter.Cancelled() {
			t.Errorf("the cancelled Acquire returned %v", err)
		}
		lock.Release()
		if lock.Locked() || !lock.TryAcquire(ctx) {
			t.Error("the lock went to a task that was cancelled")
		}
		return nil
	})
}

// conformance: lock-06 lock-07
// pitfall: 22
func TestLock_firstWaiterCancelledWhenTheHolderReleases_theNextOneGetsIt(t *testing.T) {
	for _, cancelFirst := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			var lock asyncio.Lock
			got := 0
			acquire := func(ctx context.Context) error {
				err := lock.Acquire(ctx)
				if err == nil {
					got++
				}
				return err
			}
			lock.Acquire(ctx)
			a, b, c := asyncio.Go(ctx, acquire), asyncio.Go(ctx, acquire), asyncio.Go(ctx, acquire)
			letWait(t, ctx)
			asyncio.RunningLoop(ctx).CallSoon(func() {
				if cancelFirst {
					a.Cancel()
					lock.Release()
				} else {
					lock.Release()
					b.Cancel()
				}
			})
			letWait(t, ctx)
			// Cancelled before the release, a is out of line and b is next; a
			// that was granted the lock before b's cancellation keeps it.
			holder, loser := b, a
			if !cancelFirst {
				holder, loser = a, b
			}
			if got != 1 || !holder.Done() || holder.Err() != nil || !loser.Cancelled() || c.Done() {
				t.Errorf("cancelFirst %v: %d have the lock; %v, %v, %v", cancelFirst, got, a, b, c)
			}
			lock.Release()
			_, err := c.Await(ctx)
			return err
		}, fifo)
	}
}

// conformance: lock-08
// pitfall: 22
func TestLock_wokenWaiterCancelled_passesTheLockOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		acquireAndWork := func(ctx context.Context) error {
			return lock.Do(ctx, func() error { return asyncio.Sleep(ctx, time.Second) })
		}
		lock.Acquire(ctx)
		a, b := asyncio.Go(ctx, acquireAndWork), asyncio.Go(ctx, acquireAndWork)
		letWait(t, ctx)
		lock.Release()
		a.Cancel() // it owns the lock already; its next wait reports the cancellation
		if _, err := b.Await(ctx); err != nil || !a.Cancelled() || lock.Locked() {
			t.Errorf("a: %v; b: %v; locked %v", a, err, lock.Locked())
		}
		return nil
	})
}

// conformance: lock-09
func TestLock_releaseOfAnOpenLock_panics(t *testing.T) {
	var lock asyncio.Lock
	mustPanic(t, "asyncio: Lock.Release: the lock is not held", lock.Release)
}

// conformance: lock-01
func TestLock_string_showsTheHolderAndHowManyWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		open := lock.String()
		lock.Acquire(ctx)
		held := lock.String()
		asyncio.Go(ctx, lock.Acquire)
		letWait(t, ctx)
		waited := lock.String()
		if got := open + "; " + held + "; " + waited; got != "a Lock (open); a Lock (held by main); a Lock (held by main, 1 waits)" {
			t.Error(got)
		}
		lock.Release()
		return nil
	})
}

// conformance: lock-10
func TestLock_releaseWithoutWaiters_opensIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		for range 3 {
			if err := lock.Acquire(ctx); err != nil || !lock.Locked() || lock.TryAcquire(ctx) {
				t.Errorf("after Acquire: %v, locked %v", err, lock.Locked())
			}
			lock.Release()
			if lock.Locked() {
				t.Error("locked after Release")
			}
		}
		return nil
	})
}

// conformance: lock-11
func TestLock_do_holdsItInsideAndReleasesItHoweverItEnds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		boom := errors.New("boom")
		err := lock.Do(ctx, func() error {
			if !lock.Locked() {
				t.Error("not locked inside Do")
			}
			asyncio.Yield(ctx)
			return boom
		})
		if err != boom || lock.Locked() {
			t.Errorf("Do returned %v, locked %v", err, lock.Locked())
		}
		mustPanic(t, "ouch", func() { lock.Do(ctx, func() error { panic("ouch") }) })
		if lock.Locked() {
			t.Error("locked after a panic in Do")
		}
		return nil
	})
}

func TestLock_underADoneContext_isNotTaken(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		done, cancel := asyncio.WithCancel(ctx)
		boom := errors.New("boom")
		cancel(boom)
		if err := lock.Acquire(done); err != boom || lock.Locked() {
			t.Errorf("Acquire returned %v, locked %v", err, lock.Locked())
		}
		if err := lock.Do(done, func() error { t.Error("Do ran"); return nil }); err != boom {
			t.Errorf("Do returned %v", err)
		}
		return nil
	})
}

func TestLock_releasedInACallbackOrByAnotherTask_isHandedOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		lock.Acquire(ctx)
		asyncio.RunningLoop(ctx).CallLater(time.Second, lock.Release)
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		asyncio.Go(ctx, func(context.Context) error { lock.Release(); return nil })
		return lock.Acquire(ctx)
	})
}

func TestLock_onAForeignGoroutine_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		lock.Acquire(ctx)
		elsewhere(func() {
			mustPanic(t, "Lock.Release: asyncio: called from a goroutine that is not the event loop's", lock.Release)
			if err := lock.Acquire(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("Acquire returned %v", err)
			}
			mustPanic(t, "Lock.TryAcquire: asyncio: called from a goroutine that is not the event loop's", func() { lock.TryAcquire(ctx) })
		})
		elsewhere(func() {
			onAnotherLoop(t, func(ctx context.Context) error { return lock.Acquire(ctx) })
		})
		lock.Release()
		return nil
	})
}

func TestLock_twiceByTheSameTask_isADeadlockThatNamesTheHolder(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		lock.Acquire(ctx)
		return lock.Acquire(ctx)
	}, asyncio.WithVirtualClock())
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) || !strings.Contains(err.Error(), "main waits for a Lock held by main") {
		t.Errorf("got %v", err)
	}
}

func TestLock_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		allocates(t, "an uncontended lock", 0, func() {
			lock.Acquire(ctx)
			lock.Release()
		})
		stop := false
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for !stop {
				lock.Acquire(ctx)
				asyncio.Yield(ctx)
				lock.Release()
			}
			return nil
		})
		allocates(t, "a hand-over", 0, func() {
			lock.Acquire(ctx)
			asyncio.Yield(ctx)
			lock.Release()
		})
		stop = true
		_, err := other.Await(ctx)
		return err
	})
}
