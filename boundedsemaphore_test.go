package asyncio_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// conformance: semaphore-10
func TestBoundedSemaphore_releaseAboveItsPermits_panics(t *testing.T) {
	const fault = "asyncio: BoundedSemaphore.Release: none of the 2 permits is out"
	run(t, func(ctx context.Context) error {
		s := asyncio.NewBoundedSemaphore(2)
		mustPanic(t, fault, s.Release)
		s.Acquire(ctx)
		s.TryAcquire()
		waiter := asyncio.Go(ctx, s.Acquire)
		letWait(t, ctx)
		if s.TryAcquire() || !s.Locked() || s.String() != "a BoundedSemaphore (0 of 2 free, 1 waits)" {
			t.Errorf("when all are out: %s", s)
		}
		s.Release() // goes to the waiter
		if _, err := waiter.Await(ctx); err != nil || !s.Locked() {
			t.Errorf("the waiter got %v: %s", err, s)
		}
		s.Release()
		s.Release()
		mustPanic(t, fault, s.Release)
		if s.String() != "a BoundedSemaphore (2 of 2 free)" {
			t.Errorf("in the end: %s", s)
		}
		return nil
	})
}

func TestBoundedSemaphore_releaseTooManyInsideDo_isFound(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewBoundedSemaphore(1)
		mustPanic(t, "BoundedSemaphore.Release", func() {
			s.Do(ctx, func() error { s.Release(); return nil })
		})
		if s.String() != "a BoundedSemaphore (1 of 1 free)" {
			t.Errorf("in the end: %s", s)
		}
		return nil
	})
}

func TestBoundedSemaphore_misuse_isNamed(t *testing.T) {
	mustPanic(t, "asyncio: NewBoundedSemaphore: -1 permits", func() { asyncio.NewBoundedSemaphore(-1) })
	mustPanic(t, "none of the 0 permits is out", asyncio.NewBoundedSemaphore(0).Release)
	run(t, func(ctx context.Context) error {
		s := asyncio.NewBoundedSemaphore(1)
		s.Acquire(ctx)
		elsewhere(func() {
			mustPanic(t, "BoundedSemaphore.Release: asyncio: called from a goroutine that is not the event loop's", s.Release)
			onAnotherLoop(t, func(ctx context.Context) error { return s.Acquire(ctx) })
		})
		return nil
	})
}

func TestBoundedSemaphore_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewBoundedSemaphore(1)
		allocates(t, "an uncontended semaphore", 0, func() {
			s.Acquire(ctx)
			s.Release()
		})
		return nil
	})
}
