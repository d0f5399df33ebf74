package asyncio

import (
	"context"
	"fmt"
)

// A BoundedSemaphore is a [Semaphore] that never has more permits than it was
// made with: a Release too many, which would let in too many from then on, is
// found at once (asyncio.BoundedSemaphore).
type BoundedSemaphore struct {
	semaphore Semaphore
	permits   int
}

// NewBoundedSemaphore returns a semaphore with n permits. It panics if n is
// negative.
func NewBoundedSemaphore(n int) *BoundedSemaphore {
	if n < 0 {
		panic(fmt.Sprintf("asyncio: NewBoundedSemaphore: %d permits; it must not be negative", n))
	}
	return &BoundedSemaphore{semaphore: Semaphore{free: n, permits: n, most: n}, permits: n}
}

// Acquire waits for a permit and takes it.
//
// If ctx is done or ends first, Acquire returns its cause and no permit is
// taken.
func (b *BoundedSemaphore) Acquire(ctx context.Context) error { return b.semaphore.Acquire(ctx) }

// TryAcquire takes a permit if one is free, and reports whether it did.
func (b *BoundedSemaphore) TryAcquire() bool { return b.semaphore.TryAcquire() }

// Release gives a permit back: to the task that has waited longest, if any
// waits. It panics if no permit is out.
func (b *BoundedSemaphore) Release() {
	b.semaphore.home.Check("BoundedSemaphore.Release")
	b.mustBeOut()
	b.semaphore.release()
}

func (b *BoundedSemaphore) mustBeOut() {
	if b.semaphore.free >= b.permits {
		panic(fmt.Sprintf("asyncio: BoundedSemaphore.Release: none of the %d permits is out", b.permits))
	}
}

// Do runs fn while it holds a permit, and gives that back however fn ends.
func (b *BoundedSemaphore) Do(ctx context.Context, fn func() error) error {
	if fn == nil {
		panic("asyncio: BoundedSemaphore.Do: nil function")
	}
	slot, err := b.semaphore.enter(ctx)
	if err != nil {
		return err
	}
	defer b.leave(slot)
	return fn()
}

func (b *BoundedSemaphore) leave(slot int32) {
	b.semaphore.home.Check("BoundedSemaphore.Do")
	b.mustBeOut()
	b.semaphore.leave(slot)
}

// Locked reports whether Acquire would have to wait.
func (b *BoundedSemaphore) Locked() bool { return b.semaphore.Locked() }

// String shows how many permits are free, and how many tasks wait.
func (b *BoundedSemaphore) String() string {
	return fmt.Sprintf("a BoundedSemaphore (%d of %d free", b.semaphore.free, b.permits) + b.semaphore.queue.Waiting()
}
