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

// conformance: semaphore-01 semaphore-04
func TestSemaphore_ofNone_isLockedFromTheStart(t *testing.T) {
	s := asyncio.NewSemaphore(0)
	if !s.Locked() || s.TryAcquire() {
		t.Error("a permit out of none")
	}
	mustPanic(t, "asyncio: NewSemaphore: -1 permits", func() { asyncio.NewSemaphore(-1) })
}

// acquirers starts a task for each name that appends it to order once it has a permit.
func acquirers(ctx context.Context, s *asyncio.Semaphore, order *[]string, names ...string) []*asyncio.Task[asyncio.None] {
	var tasks []*asyncio.Task[asyncio.None]
	for _, name := range names {
		tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
			err := s.Acquire(ctx)
			if err == nil {
				*order = append(*order, name)
			}
			return err
		}))
	}
	return tasks
}

// conformance: semaphore-02 semaphore-05 semaphore-11
func TestSemaphore_letsInAsManyAsItHasPermits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(2)
		var order []string
		acquirers(ctx, s, &order, "a", "b", "c", "d")
		letWait(t, ctx)
		states := []struct{ order, text string }{
			{"[a b]", "a Semaphore (0 free, 2 wait)"},
			{"[a b c]", "a Semaphore (0 free, 1 waits)"},
			{"[a b c d]", "a Semaphore (0 free)"},
			{"[a b c d]", "a Semaphore (1 free)"},
			{"[a b c d]", "a Semaphore (2 free)"},
		}
		for i, want := range states {
			if fmt.Sprint(order) != want.order || s.String() != want.text || s.Locked() != (i < 3) {
				t.Errorf("after %d releases: %v, %s, locked %v; want %s, %s", i, order, s, s.Locked(), want.order, want.text)
			}
			s.Release()
			letWait(t, ctx)
		}
		return nil
	}, fifo)
}

// conformance: semaphore-06 semaphore-07
// pitfall: 24
func TestSemaphore_cancelledWaiters_areSkipped(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(0)
		var order []string
		tasks := acquirers(ctx, s, &order, "a", "b", "c", "d")
		letWait(t, ctx)
		tasks[0].Cancel()
		tasks[1].Cancel()
		s.Release()
		letWait(t, ctx)
		if fmt.Sprint(order) != "[c]" || s.String() != "a Semaphore (0 free, 1 waits)" {
			t.Errorf("got %v, %s", order, s)
		}
		tasks[3].Cancel()
		s.Release()
		letWait(t, ctx)
		if fmt.Sprint(order) != "[c]" || s.String() != "a Semaphore (1 free)" {
			t.Errorf("at the end: %v, %s", order, s)
		}
		return nil
	}, fifo)
}

// conformance: semaphore-08
// pitfall: 24
func TestSemaphore_firstWaiterCancelledInTheStepOfARelease_theSecondGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		s.Acquire(ctx)
		var order []string
		tasks := acquirers(ctx, s, &order, "a", "b")
		letWait(t, ctx)
		tasks[0].Cancel()
		s.Release()
		_, err := tasks[1].Await(ctx)
		tasks[0].Await(ctx)
		if err != nil || !tasks[0].Cancelled() {
			t.Errorf("second %v, first %v", err, tasks[0])
		}
		return nil
	})
}

// conformance: semaphore-09
// pitfall: 24
func TestSemaphore_wokenWaiterCancelled_givesItsPermitOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(0)
		work := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			defer s.Release()
			return asyncio.Sleep(ctx, time.Second)
		}
		a, b := asyncio.Go(ctx, work), asyncio.Go(ctx, work)
		letWait(t, ctx)
		s.Release()
		a.Cancel()
		if _, err := b.Await(ctx); err != nil || !a.Cancelled() {
			t.Errorf("a %v, b %v", a, err)
		}
		return s.Acquire(ctx)
	})
}

// conformance: semaphore-12
// pitfall: 23
func TestSemaphore_whoComesAgain_queuesBehindThoseWhoWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		var order []string
		turns := func(name string) *asyncio.Task[asyncio.None] {
			return asyncio.Go(ctx, func(ctx context.Context) error {
				for range 3 {
					if err := s.Acquire(ctx); err != nil {
						return err
					}
					order = append(order, name)
					asyncio.Yield(ctx)
					s.Release()
				}
				return nil
			})
		}
		turns("a")
		turns("b")
		cancelled := turns("x")
		turns("c")
		asyncio.Yield(ctx)
		cancelled.Cancel()
		letWait(t, ctx)
		if got := strings.Join(order, ""); got != "abcabcabc" {
			t.Errorf("order %s", got)
		}
		return nil
	}, fifo)
}

// conformance: semaphore-13
// pitfall: 23
func TestSemaphore_severalReleasesInOneStep_goToThoseWhoWaitBeforeAnyNewcomer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(0)
		var order []string
		acquirers(ctx, s, &order, "a", "b", "c")
		letWait(t, ctx)
		acquirers(ctx, s, &order, "new") // ready before the others are woken
		s.Release()
		s.Release()
		if !s.Locked() || s.TryAcquire() {
			t.Error("a permit was free while those who were woken had not run")
		}
		letWait(t, ctx)
		if fmt.Sprint(order) != "[a b]" {
			t.Errorf("order %v", order)
		}
		s.Release()
		s.Release()
		letWait(t, ctx)
		if fmt.Sprint(order) != "[a b c new]" {
			t.Errorf("order %v", order)
		}
		return nil
	}, fifo)
}

func TestSemaphore_underADoneContext_takesNoPermit(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		done, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Acquire(done); err != context.Canceled || s.Locked() {
			t.Errorf("got %v, locked %v", err, s.Locked())
		}
		return nil
	})
}

func TestSemaphore_onAForeignGoroutineOrAnotherLoop_isRefused(t *testing.T) {
	s := asyncio.NewSemaphore(1)
	run(t, func(ctx context.Context) error {
		s.Acquire(ctx)
		elsewhere(func() {
			const fault = ": asyncio: called from a goroutine that is not the event loop's"
			mustPanic(t, "Semaphore.Release"+fault, s.Release)
			mustPanic(t, "Semaphore.TryAcquire"+fault, func() { s.TryAcquire() })
			onAnotherLoop(t, func(ctx context.Context) error { return s.Acquire(ctx) })
		})
		s.Release()
		return nil
	})
	run(t, func(ctx context.Context) error { return s.Acquire(ctx) }) // the first loop has ended
	if s.Release(); !s.TryAcquire() {
		t.Error("no permit when no loop runs")
	}
}

func TestSemaphore_whoWaitsAtTheEndOfTheLoop_getsTheCause(t *testing.T) {
	s := asyncio.NewSemaphore(0)
	var err error
	run(t, func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error { err = s.Acquire(ctx); return nil })
		letWait(t, ctx)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSemaphore_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		turn := func() {
			s.Acquire(ctx)
			s.Release()
		}
		allocates(t, "an uncontended semaphore", 0, turn)
		stop := false
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for !stop {
				s.Acquire(ctx)
				asyncio.Yield(ctx)
				s.Release()
			}
			return nil
		})
		letWaitTurn := func() {
			s.Acquire(ctx)
			asyncio.Yield(ctx)
			s.Release()
		}
		allocates(t, "a hand-over", 0, letWaitTurn)
		stop = true
		_, err := other.Await(ctx)
		return err
	})
}
