package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestTimersOfAllKinds_setForOneTime_fireInTheOrderOfSetting(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var e asyncio.Event
		loop.CallLater(time.Second, e.Set)
		if err := asyncio.Timeout(ctx, time.Second, e.Wait); err != nil {
			t.Errorf("CallLater was first, the timeout second: %v", err)
		}

		f := asyncio.After(ctx, time.Second, 7)
		if _, err := asyncio.WaitFor(ctx, time.Second, f.Await); err != nil {
			t.Errorf("After was first, the timeout second: %v", err)
		}

		e.Clear()
		asyncio.Go(ctx, func(ctx context.Context) error {
			err := asyncio.Sleep(ctx, time.Second)
			e.Set()
			return err
		}, asyncio.EagerStart(true))
		if err := asyncio.Timeout(ctx, time.Second, e.Wait); err != nil {
			t.Errorf("Sleep was first, the timeout second: %v", err)
		}

		e.Clear()
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			loop.CallLater(time.Second, e.Set)
			return e.Wait(ctx)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the timeout was first, CallLater second: %v", err)
		}

		var order []string
		in := func(name string) { order = append(order, name) }
		loop.CallLater(time.Second, func() { in("CallLater") })
		asyncio.Go(ctx, func(ctx context.Context) error { defer in("Sleep"); return asyncio.Sleep(ctx, time.Second) }, asyncio.EagerStart(true))
		asyncio.After(ctx, time.Second, 0).AddDoneCallback(func(*asyncio.Future[int]) { in("After") })
		loop.CallAt(loop.Time()+time.Second, func() { in("CallAt") })
		asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			in("Timeout")
			return nil
		}, asyncio.EagerStart(true))
		asyncio.Sleep(ctx, 2*time.Second)
		// What ends a wait makes a task or a callback ready, whose turn comes after what fires itself.
		if want := []string{"CallLater", "Sleep", "CallAt", "After", "Timeout"}; !slices.Equal(order, want) {
			t.Errorf("order %q, want %q", order, want)
		}
		return nil
	}, fifo, noReports(t))
}

func TestAcquire_underAStandardContextThatWasCancelledBefore_failsAlthoughThePermitCame(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(0)
		var cancel context.CancelFunc
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			ctx, cancel = context.WithCancel(ctx)
			return s.Acquire(ctx)
		})
		letWait(t, ctx)
		cancel()
		s.Release()
		if _, err := task.Await(ctx); err != context.Canceled {
			t.Errorf("Acquire: %v", err)
		}
		if !s.TryAcquire() {
			t.Error("the permit is lost")
		}
		return nil
	})
}

func TestRun_waitsForItsOwnContextsDeadline_andSeesNoDeadlock(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := asyncio.Run(ctx, func(ctx context.Context) error { return new(asyncio.Event).Wait(ctx) })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Whoever ends Run's context on the loop itself ends what runs at once: no goroutine
// has to say so, and the virtual clock does not go on before.
func TestRun_itsContextEndsOnTheLoop_isSeenBeforeTheVirtualClockGoesOn(t *testing.T) {
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		err := asyncio.Run(ctx, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			loop.CallLater(time.Second, cancel)
			err := asyncio.Sleep(ctx, time.Hour)
			if now := loop.Time(); now != time.Second {
				t.Errorf("cancelled after %v", now)
			}
			return err
		}, asyncio.WithVirtualClock())
		if err != context.Canceled {
			t.Fatalf("Run: %v", err)
		}
	}
}

// stubborn is a context that never ends, and counts who wants to be told of its end.
type stubborn struct {
	context.Context
	done chan struct{}
	n    int
}

func (c *stubborn) Done() <-chan struct{} { return c.done }
func (c *stubborn) Err() error            { return nil }
func (c *stubborn) AfterFunc(f func()) func() bool {
	c.n++
	return func() bool { c.n--; return true }
}

// leaveChild lets a task below ctx end while a child of it, which it has cancelled, is
// still about to.
func leaveChild(ctx, below context.Context) {
	asyncio.Go(below, func(ctx context.Context) error {
		child := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
		defer child.Cancel()
		return asyncio.Yield(ctx)
	}).Await(ctx)
}

func TestForeignContext_ofATaskThatEndsBeforeItsCancelledChild_isLetGoOf(t *testing.T) {
	counter := &stubborn{done: make(chan struct{})}
	run(t, func(ctx context.Context) error {
		counter.Context = ctx
		for range 100 {
			leaveChild(ctx, counter)
		}
		letWait(t, ctx)
		if counter.n != 0 {
			t.Errorf("%d wait to be told of its end", counter.n)
		}
		return nil
	})
	run(t, func(ctx context.Context) error { // another loop, which has nothing to do with it
		for range 10 {
			task := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			letWait(t, ctx)
			task.Cancel()
			task.Await(ctx)
		}
		if counter.n != 0 {
			t.Errorf("another loop waits for its end, %d times", counter.n)
		}
		return nil
	})
}

func TestForeignContext_ofATaskThatHasEnded_hidesNoDeadlock(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		standard, cancel := context.WithCancel(ctx)
		defer cancel()
		leaveChild(ctx, standard)
		return new(asyncio.Event).Wait(ctx)
	}, asyncio.WithInterrupt(false))
	if d := (*asyncio.DeadlockError)(nil); !errors.As(err, &d) {
		t.Errorf("got %v", err)
	}
}

func TestForeignContexts_ofTwoLoops_shareNothing(t *testing.T) { // for -race
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, _ int) error {
		for range 20 {
			standard, cancel := context.WithCancel(ctx)
			leaveChild(ctx, standard)
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCleanUp_thatTimesOutInAScopeThatHasEnded_hasFailed(t *testing.T) {
	cleanUp := func(ctx context.Context) error {
		asyncio.Sleep(ctx, asyncio.Forever) // the work, which the scope's end ends
		return asyncio.Shield(ctx, func(ctx context.Context) error {
			return asyncio.Timeout(ctx, 5*time.Second, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
		})
	}
	const want = "asyncio: timed out after 5s"
	for _, ended := range []string{"by a timeout", "by WithCancel"} {
		inGroup := func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error { g.Go(cleanUp); return nil })
		}
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			if ended == "by a timeout" {
				return asyncio.Timeout(ctx, time.Second, inGroup)
			}
			below, cancel := asyncio.WithCancel(ctx)
			asyncio.RunningLoop(ctx).CallLater(time.Second, func() { cancel(nil) })
			return inGroup(below)
		}, asyncio.WithVirtualClock())
		if err == nil || err.Error() != want {
			t.Errorf("ended %s: Group returns %v", ended, err)
		}
	}
	run(t, func(ctx context.Context) error {
		var task *asyncio.Task[asyncio.None]
		asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			task = asyncio.Go(ctx, cleanUp)
			return asyncio.Sleep(ctx, time.Hour)
		})
		asyncio.Sleep(ctx, time.Minute)
		if task.Cancelled() || task.Err() == nil {
			t.Errorf("a task that failed in its clean-up: %v, %v", task, task.Err())
		}
		return nil
	})
}

// Only the scope's own cause, or the standard library's word for it, says no more
// than that the scope has ended.
func TestCleanUp_awaitsATaskThatWasCancelled_hasFailed(t *testing.T) {
	for _, c := range []struct {
		result    func(own, others error) error
		cancelled bool
	}{
		{func(own, others error) error { return fmt.Errorf("save: %w", others) }, false},
		{func(own, others error) error { return fmt.Errorf("%w, and save: %w", own, others) }, false},
		{func(own, others error) error { return fmt.Errorf("read: %w", own) }, true},
		{func(own, others error) error { return fmt.Errorf("read: %w", context.DeadlineExceeded) }, true},
	} {
		run(t, func(ctx context.Context) error {
			var task *asyncio.Task[asyncio.None]
			asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				task = asyncio.Go(ctx, func(ctx context.Context) error {
					own := asyncio.Sleep(ctx, asyncio.Forever) // the work, which the scope's end ends
					return asyncio.Shield(ctx, func(ctx context.Context) error {
						saver := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
						saver.Cancel()
						_, err := saver.Await(ctx)
						return c.result(own, err)
					})
				})
				return asyncio.Sleep(ctx, time.Hour)
			})
			if _, err := task.Await(ctx); task.Cancelled() != c.cancelled {
				t.Errorf("a task that returns %q at its timeout is cancelled: %v", err, task.Cancelled())
			}
			return nil
		})
	}
}

func TestStart_cancelled_childHasSaidReadyAndFails_theErrorIsStarts(t *testing.T) {
	errA, errB := errors.New("A"), errors.New("B")
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			below, cancel := asyncio.WithCancel(ctx)
			cancel(errB)
			wantErr(t, "Start", g.Start(below, func(ctx context.Context, ready func()) error { ready(); return errA }), errA)
			return nil
		})
	})
}

func TestVirtualClock_theWallClockBeginsAtAFixedDate(t *testing.T) {
	start := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		if now := loop.Now(); now != start {
			t.Errorf("it is %v", now)
		}
		asyncio.Sleep(ctx, 36*time.Hour)
		if now := loop.Now(); now != start.Add(36*time.Hour) {
			t.Errorf("36 hours later it is %v", now)
		}
		asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			if at, ok := ctx.Deadline(); !ok || at != start.Add(36*time.Hour+time.Minute) {
				t.Errorf("the deadline is %v", at)
			}
			return nil
		})
		err := asyncio.TimeoutAt(ctx, start.Add(37*time.Hour), func(ctx context.Context) error { return asyncio.Sleep(ctx, 2*time.Hour) })
		if !errors.Is(err, context.DeadlineExceeded) || loop.Time() != 37*time.Hour {
			t.Errorf("TimeoutAt: %v, at %v", err, loop.Time())
		}
		return nil
	})
}

// A deadline of the standard library is one of real time, which a virtual clock does
// not reach: it lies ahead, and only its own timer ends it.
func TestVirtualClock_standardDeadline_isRealTime(t *testing.T) {
	run(t, func(ctx context.Context) error {
		standard, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		m := asyncio.NewLimiter(1, time.Minute)
		for range 3 {
			if err := m.Acquire(standard); err != nil {
				t.Error(err)
			}
		}
		wantErr(t, "Sleep for ten hours", asyncio.Sleep(standard, 10*time.Hour), nil)
		return nil
	})
}
