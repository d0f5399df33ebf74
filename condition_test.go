package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// waiter starts a task that waits for c by wait, under c's lock, and notes its
// name and how the wait ended. It keeps the lock for another second.
func waiter(ctx context.Context, c *asyncio.Condition, log *[]string, name string, wait func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
	return asyncio.Go(ctx, func(ctx context.Context) error {
		return c.Do(ctx, func() error {
			err, line := wait(ctx), name
			if !strings.Contains(c.String(), "held by "+name) {
				line += " without the lock"
			}
			if err != nil {
				line += ": " + err.Error()
			}
			*log = append(*log, line)
			asyncio.Shield(ctx, sleepFor(time.Second))
			return err
		})
	}, asyncio.Name(name))
}

// waiters starts a waiter for each name.
func waiters(ctx context.Context, c *asyncio.Condition, log *[]string, names ...string) []*asyncio.Task[asyncio.None] {
	var tasks []*asyncio.Task[asyncio.None]
	for _, name := range names {
		tasks = append(tasks, waiter(ctx, c, log, name, c.Wait))
	}
	return tasks
}

// wantLog fails the test unless log reads as want.
func wantLog(t *testing.T, when string, log []string, want string) {
	t.Helper()
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// conformance: condition-01 condition-08
func TestCondition_notify_wakesInOrder_eachWhenTheOneBeforeHasReleasedTheLock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log []string
		waiters(ctx, &c, &log, "a", "b", "c", "d")
		letWait(t, ctx)
		if c.Locked() {
			t.Error("Wait has not released the lock")
		}
		c.Acquire(ctx)
		wantErr(t, "Notify(0)", c.Notify(0), nil)
		wantErr(t, "Notify(1)", c.Notify(1), nil)
		wantErr(t, "Notify(2)", c.Notify(2), nil)
		letWait(t, ctx)
		wantLog(t, "while the notifier holds the lock", log, "")
		c.Release()
		letWait(t, ctx)
		wantLog(t, "after its release", log, "a")
		asyncio.Sleep(ctx, time.Second)
		wantLog(t, "a second later", log, "a, b")
		asyncio.Sleep(ctx, 5*time.Second)
		wantLog(t, "in the end", log, "a, b, c")
		return c.Do(ctx, func() error { return c.Notify(1000) })
	}, fifo)
}

// conformance: condition-09
func TestCondition_notifyAll_wakesAllWhoWaitNow(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log []string
		waiters(ctx, &c, &log, "a", "b", "c")
		letWait(t, ctx)
		c.Do(ctx, c.NotifyAll)
		late := waiters(ctx, &c, &log, "late")
		asyncio.Sleep(ctx, time.Minute)
		wantLog(t, "all", log, "a, b, c")
		late[0].Cancel()
		_, err := late[0].Await(ctx)
		wantErr(t, "who came after NotifyAll", err, context.Canceled)
		return nil
	}, fifo)
}

// A waiter is out of line as soon as it is cancelled, and yet it goes on only
// with the lock.
//
// conformance: condition-02
// pitfall: 25
func TestCondition_cancelledWaiter_takesTheLockBeforeItGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log []string
		boom := errors.New("boom")
		task := waiters(ctx, &c, &log, "a")[0]
		letWait(t, ctx)
		c.Acquire(ctx)
		task.Cancel(boom)
		if s := c.String(); s != "a Condition (held by main)" {
			t.Errorf("after the cancellation: %s", s)
		}
		letWait(t, ctx)
		task.Cancel(errors.New("once more"))
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "while the lock is held", log, "")
		c.Release()
		_, err := task.Await(ctx)
		wantErr(t, "Wait", err, boom)
		wantLog(t, "after the release", log, "a: boom")
		return nil
	})
}

// However notification, cancellation and the lock's release fall together, the
// waiter holds the lock in the end, learns of the cancellation with its own
// cause, and one of those who wait is notified.
//
// conformance: condition-03 condition-04 condition-16 condition-17 condition-18
// pitfall: 25
// pitfall: 26
func TestCondition_notifiedAndCancelled_inAnyOrder(t *testing.T) {
	boom := errors.New("boom")
	type steps struct {
		c      *asyncio.Condition
		notify func()
		cancel func()
		wait   func() // until nobody is ready
	}
	for name, do := range map[string]func(s steps){
		"cancelled, then notified":               func(s steps) { s.cancel(); s.notify(); s.c.Release() },
		"cancelled, notified when it has run":    func(s steps) { s.cancel(); s.wait(); s.notify(); s.c.Release() },
		"notified, then cancelled":               func(s steps) { s.notify(); s.cancel(); s.c.Release() },
		"notified, cancelled in the lock's line": func(s steps) { s.notify(); s.wait(); s.cancel(); s.wait(); s.c.Release() },
		"cancelled when the lock is granted":     func(s steps) { s.notify(); s.c.Release(); s.cancel() },
	} {
		for _, foreign := range []bool{false, true} {
			run(t, func(ctx context.Context) error {
				var c asyncio.Condition
				var log []string
				var cancel context.CancelCauseFunc
				first := waiter(ctx, &c, &log, "first", func(ctx context.Context) error {
					if foreign {
						ctx, cancel = context.WithCancelCause(ctx)
					} else {
						ctx, cancel = asyncio.WithCancel(ctx)
					}
					return c.Wait(ctx)
				})
				second := waiters(ctx, &c, &log, "second")[0]
				letWait(t, ctx)
				c.Acquire(ctx)
				do(steps{
					c:      &c,
					notify: func() { wantErr(t, "Notify", c.Notify(1), nil) },
					cancel: func() { cancel(boom); asyncio.Yield(ctx) },
					wait:   func() { letWait(t, ctx) },
				})
				_, err := first.Await(ctx)
				wantErr(t, name+": the first", err, boom)
				_, err = second.Await(ctx)
				wantErr(t, name+": the second", err, nil)
				wantLog(t, name, log, "first: boom, second")
				cancel(nil)
				return nil
			}, fifo)
		}
	}
}

// conformance: condition-05 condition-10
func TestCondition_withoutTheLock_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		refused := func(ctx context.Context, who string) {
			wantErr(t, who+": Wait", c.Wait(ctx), asyncio.ErrNotLocked)
			wantErr(t, who+": WaitFor", c.WaitFor(ctx, func() bool { return false }), asyncio.ErrNotLocked)
			wantErr(t, who+": Notify", c.Notify(1), asyncio.ErrNotLocked)
			wantErr(t, who+": NotifyAll", c.NotifyAll(), asyncio.ErrNotLocked)
		}
		refused(ctx, "nobody holds the lock")
		c.Acquire(ctx)
		asyncio.Go(ctx, func(ctx context.Context) error { refused(ctx, "another task holds the lock"); return nil }).Await(ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { wantErr(t, "Notify in a callback", c.Notify(1), asyncio.ErrNotLocked) })
		letWait(t, ctx)
		if !c.Locked() {
			t.Error("a refused Wait released the lock")
		}
		c.Release()
		mustPanic(t, "the lock is not held", c.Release)
		return nil
	})
}

// conformance: condition-06
func TestCondition_waitFor_looksAgainAfterEachNotification(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		n, looks := 0, 0
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func() error {
				return c.WaitFor(ctx, func() bool {
					looks++
					if !c.Locked() {
						t.Error("the predicate was asked without the lock")
					}
					return n >= 3
				})
			})
		})
		for range 3 {
			letWait(t, ctx)
			if task.Done() {
				t.Errorf("it goes on at %d", n)
			}
			c.Do(ctx, func() error { n++; return c.Notify(1) })
		}
		_, err := task.Await(ctx)
		wantErr(t, "WaitFor", err, nil)
		if looks != 4 {
			t.Errorf("the predicate was asked %d times, want 4", looks)
		}
		return nil
	})
}

// conformance: condition-07
func TestCondition_waitForWhatIsTrue_returnsAtOnce_evenWithoutTheLock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		wantErr(t, "WaitFor", c.WaitFor(ctx, func() bool { return true }), nil)
		wantErr(t, "WaitFor under a done context", c.WaitFor(done, func() bool { return true }), nil)
		if others != 0 {
			t.Error("it has let others run")
		}
		return nil
	}, fifo)
}

// conformance: condition-11
func TestCondition_string_showsTheLockAndHowManyWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log, states []string
		states = append(states, c.String())
		waiters(ctx, &c, &log, "a", "b")
		letWait(t, ctx)
		states = append(states, c.String())
		c.Acquire(ctx)
		c.Notify(1)
		states = append(states, c.String())
		wantLog(t, "states", states, "a Condition (open), a Condition (open, 2 wait), a Condition (held by main, 1 waits)")
		c.Release()
		return nil
	})
}

// conformance: condition-13
func TestCondition_onALockThatIsGiven_sharesIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		notEmpty, notFull := asyncio.NewCondition(&lock), asyncio.NewCondition(&lock)
		lock.Acquire(ctx)
		if !notEmpty.Locked() || !notFull.Locked() {
			t.Error("the lock is held, the conditions do not say so")
		}
		notEmpty.Release()
		if lock.Locked() || notFull.Locked() {
			t.Error("the lock was released, the others do not say so")
		}
		var log []string
		waiters(ctx, notEmpty, &log, "a")
		letWait(t, ctx)
		lock.Acquire(ctx)
		notFull.NotifyAll()
		lock.Release()
		letWait(t, ctx)
		wantLog(t, "when the other condition is notified", log, "")
		return notFull.Do(ctx, func() error { return notEmpty.Notify(1) })
	})
}

// conformance: condition-14
func TestCondition_elsewhere_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log []string
		task := waiters(ctx, &c, &log, "a")[0]
		letWait(t, ctx)
		elsewhere(func() {
			wantErr(t, "Wait", c.Wait(ctx), asyncio.ErrWrongGoroutine)
			mustPanic(t, "Condition.Notify: asyncio: called from a goroutine that is not the event loop's", func() { c.Notify(1) })
			mustPanic(t, "Condition.NotifyAll: asyncio: called from a goroutine that is not the event loop's", func() { c.NotifyAll() })
			run(t, func(ctx context.Context) error {
				c.Acquire(ctx)
				defer c.Release()
				if err := c.Wait(ctx); err == nil || !strings.Contains(err.Error(), "another event loop") {
					t.Errorf("Wait on another loop returned %v", err)
				}
				return nil
			})
		})
		c.Do(ctx, c.NotifyAll)
		_, err := task.Await(ctx)
		return err
	})
}

// conformance: condition-15
// pitfall: 25
func TestCondition_timedOutInsideDo_stillHoldsTheLock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		err := c.Do(ctx, func() error {
			err := asyncio.Timeout(ctx, time.Second, c.Wait)
			if !c.Locked() {
				t.Error("a wait that timed out ended without the lock")
			}
			return err
		})
		wantErr(t, "Do", err, context.DeadlineExceeded)
		if c.Locked() {
			t.Error("locked after Do")
		}
		return nil
	})
}

func TestCondition_underADoneContext_yieldsOnceAndKeepsTheLock(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		c.Acquire(ctx)
		others := 0
		task := asyncio.Go(ctx, func(ctx context.Context) error { others++; return c.Acquire(ctx) })
		wantErr(t, "Wait", c.Wait(done), boom)
		if others != 1 || task.Done() {
			t.Errorf("%d others ran, the lock was taken: %v; want 1, false", others, task.Done())
		}
		c.Release()
		_, err := task.Await(ctx)
		return err
	})
}

func TestCondition_underAContextThatNobodyCancels_waits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		var log []string
		task := waiters(context.WithoutCancel(ctx), &c, &log, "a")[0]
		letWait(t, ctx)
		c.Do(ctx, func() error { return c.Notify(1) })
		_, err := task.Await(ctx)
		wantLog(t, "in the end", log, "a")
		return err
	})
}

func TestCondition_misuse_isNamed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := asyncio.NewCondition(nil)
		mustPanic(t, "asyncio: Condition.WaitFor: nil function", func() { c.WaitFor(ctx, nil) })
		mustPanic(t, "nil function", func() { c.Do(ctx, nil) })
		return c.Do(ctx, func() error {
			if err := c.Notify(-1); err == nil || !strings.Contains(err.Error(), "must not be negative") {
				t.Errorf("Notify(-1) returned %v", err)
			}
			return nil
		})
	})
}

func TestCondition_deadlock_saysWhatIsWaitedFor(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var c asyncio.Condition
		asyncio.Go(ctx, func(ctx context.Context) error { return c.Do(ctx, func() error { return c.Wait(ctx) }) })
		letWait(t, ctx)
		other := asyncio.NewCondition(nil)
		asyncio.Go(ctx, func(ctx context.Context) error { return c.Do(ctx, func() error { return c.Wait(ctx) }) }, asyncio.Name("notified"))
		letWait(t, ctx)
		return c.Do(ctx, func() error {
			c.Notify(2)
			return other.Do(ctx, func() error { return other.Wait(ctx) })
		})
	}, asyncio.WithVirtualClock())
	for _, want := range []string{"main waits for a Condition to be notified", "notified waits for a Lock held by main"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

// At the end of the loop, too, whoever leaves Wait holds the lock; who cannot
// have it, as a task that has ended kept it, is unwound.
func TestCondition_loopClosed_leavesWaitWithTheLock_orIsUnwound(t *testing.T) {
	for _, leaked := range []bool{false, true} {
		loop := clockLoop(t, noReports(t), fifo)
		var c asyncio.Condition
		inside, left, unwound := 0, 0, 0
		for range 3 {
			asyncio.Go(loop.Context(), func(ctx context.Context) error {
				defer func() { unwound++ }()
				c.Acquire(ctx)
				err := c.Wait(ctx)
				left++
				if inside++; inside > 1 {
					t.Errorf("%d hold the lock", inside)
				}
				asyncio.Yield(ctx)
				inside--
				c.Release()
				return err
			})
		}
		asyncio.Go(loop.Context(), func(ctx context.Context) error {
			c.Acquire(ctx)
			c.Notify(1)
			if !leaked {
				defer c.Release()
				asyncio.Sleep(ctx, time.Hour)
			}
			return nil
		})
		for range 10 {
			loop.RunOnce()
		}
		wantErr(t, "Drop", abandon(loop), nil)
		if want := 3; unwound != 3 || !leaked && left != want || leaked && left != 0 {
			t.Errorf("leaked %v: %d left Wait, %d were unwound", leaked, left, unwound)
		}
	}
}

func TestCondition_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c asyncio.Condition
		turn, stop := 0, false
		mine := func(n int) func() bool { return func() bool { return turn == n || stop } }
		first, second := mine(0), mine(1)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func() error {
				for !stop {
					if err := c.WaitFor(ctx, second); err != nil {
						return err
					}
					turn = 0
					c.Notify(1)
				}
				return nil
			})
		})
		c.Acquire(ctx)
		allocates(t, "a wait and a notification", 0, func() {
			turn = 1
			c.Notify(1)
			c.WaitFor(ctx, first)
		})
		stop = true
		c.NotifyAll()
		c.Release()
		_, err := task.Await(ctx)
		return err
	})
}

// Producers and consumers of a buffer under one lock, cancelled at random: none
// waits for what is there, and no item is lost.
//
// pitfall: 26
func TestCondition_atRandom_noNotificationIsLost(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		run(t, func(ctx context.Context) error {
			var lock asyncio.Lock
			notEmpty, notFull := asyncio.NewCondition(&lock), asyncio.NewCondition(&lock)
			items, put, got, holders := 0, 0, 0, 0
			pause := func(ctx context.Context) {
				if rnd.IntN(2) == 0 {
					asyncio.Shield(ctx, sleepFor(time.Duration(rnd.IntN(5))))
				}
			}
			do := func(ctx context.Context, mine, other *asyncio.Condition, may func() bool, act func()) error {
				return mine.Do(ctx, func() error {
					err := mine.WaitFor(ctx, may)
					if holders++; holders > 1 {
						t.Errorf("seed %d: %d hold the lock", seed, holders)
					}
					pause(ctx)
					if err == nil {
						act()
						other.Notify(1)
					}
					pause(ctx)
					holders--
					return err
				})
			}
			var tasks []*asyncio.Task[asyncio.None]
			for n := range 40 {
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					asyncio.Sleep(ctx, time.Duration(rnd.IntN(30)))
					if n%2 == 0 {
						return do(ctx, notFull, notEmpty, func() bool { return items < 2 }, func() { items++; put++ })
					}
					return do(ctx, notEmpty, notFull, func() bool { return items > 0 }, func() { items--; got++ })
				}))
			}
			for range 15 {
				asyncio.Sleep(ctx, time.Duration(rnd.IntN(5)))
				tasks[rnd.IntN(len(tasks))].Cancel()
			}
			asyncio.Sleep(ctx, time.Hour)
			if items > 0 && !strings.HasSuffix(notEmpty.String(), "(open)") || items < 2 && !strings.HasSuffix(notFull.String(), "(open)") {
				t.Errorf("seed %d: %d items, %s to get, %s to put", seed, items, notEmpty, notFull)
			}
			if put-got != items {
				t.Errorf("seed %d: %d put, %d got, %d left", seed, put, got, items)
			}
			return nil
		})
		if t.Failed() {
			return
		}
	}
}

// conformance: lock-12 condition-12
func TestDo_ofEachKind_holdsItAcrossWaitsAndFreesItHoweverItEnds(t *testing.T) {
	var lock asyncio.Lock
	var condition asyncio.Condition
	for _, c := range []struct {
		locker interface {
			fmt.Stringer
			Locked() bool
		}
		do func(ctx context.Context, fn func() error) error
	}{
		{&lock, lock.Do},
		{&condition, condition.Do},
		{asyncio.NewSemaphore(1), nil},
		{asyncio.NewBoundedSemaphore(1), nil},
	} {
		switch s := c.locker.(type) {
		case *asyncio.Semaphore:
			c.do = s.Do
		case *asyncio.BoundedSemaphore:
			c.do = s.Do
		}
		run(t, func(ctx context.Context) error {
			boom := errors.New("boom")
			err := c.do(ctx, func() error {
				asyncio.Sleep(ctx, time.Second)
				if !c.locker.Locked() {
					t.Errorf("inside: %v", c.locker)
				}
				return boom
			})
			if err != boom || c.locker.Locked() {
				t.Errorf("Do returned %v: %v", err, c.locker)
			}
			mustPanic(t, "ouch", func() { c.do(ctx, func() error { panic("ouch") }) })
			mustPanic(t, ".Do: nil function", func() { c.do(ctx, nil) })
			done, cancel := asyncio.WithCancel(ctx)
			cancel(boom)
			wantErr(t, "Do under a done context", c.do(done, func() error { t.Error("it ran"); return nil }), boom)
			if c.locker.Locked() {
				t.Errorf("in the end: %v", c.locker)
			}
			return nil
		})
	}
}
