package asyncio

import (
	"context"
	"fmt"
)

// A Semaphore lets a number of tasks in at a time. It is fair, costs a few
// nanoseconds and 0 allocations, and belongs to one loop.
type Semaphore struct {
	home
	queue WaitQueue
	free  int
}

// NewSemaphore returns a semaphore with n permits. It panics if n is negative.
func NewSemaphore(n int) *Semaphore {
	if n < 0 {
		panic(fmt.Sprintf("asyncio: NewSemaphore: %d permits; it must not be negative", n))
	}
	return &Semaphore{free: n}
}

// Acquire waits for a permit and takes it.
//
// If ctx is done or ends first, Acquire returns its cause and no permit is
// taken.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if s.free > 0 {
		if t := liveTask(ctx); t != nil && t.scope.loop == s.loop {
			s.free--
			return nil
		}
	}
	return s.acquire(ctx)
}

func (s *Semaphore) acquire(ctx context.Context) error {
	w, err := s.running(ctx)
	if err != nil {
		return err
	}
	if s.free > 0 && causeNow(ctx) == nil {
		s.free--
		return nil
	}
	return w.State.wait(ctx, &s.queue, s)
}

// TryAcquire takes a permit if one is free, and reports whether it did.
func (s *Semaphore) TryAcquire() bool {
	s.check("Semaphore.TryAcquire")
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// Release gives a permit back: to the task that has waited longest, if any
// waits.
func (s *Semaphore) Release() {
	s.check("Semaphore.Release")
	s.release()
}

func (s *Semaphore) release() {
	if s.queue.head == nil {
		s.free++
		return
	}
	s.queue.Wake(1)
}

// Do runs fn while it holds a permit, and gives that back however fn ends.
func (s *Semaphore) Do(ctx context.Context, fn func() error) error {
	if fn == nil {
		panic("asyncio: Semaphore.Do: nil function")
	}
	if err := s.Acquire(ctx); err != nil {
		return err
	}
	defer s.Release()
	return fn()
}

// Locked reports whether Acquire would have to wait.
func (s *Semaphore) Locked() bool { return s.free == 0 }

// String shows how many permits are free, and how many tasks wait.
func (s *Semaphore) String() string {
	return fmt.Sprintf("a Semaphore (%d free", s.free) + s.queue.waiting()
}

// WaitName names the semaphore in reports.
func (s *Semaphore) WaitName() string { return "a Semaphore" }
