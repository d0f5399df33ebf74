package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Semaphore lets a number of tasks in at a time. It is fair, costs a few
// nanoseconds and 0 allocations, and belongs to one loop.
//
// Who holds a permit is known of those that are in [Semaphore.Do], and in debug
// mode of all. So reports can name them, and tasks that wait for one another's
// permits are found.
type Semaphore struct {
	home    engine.Home
	queue   engine.WaitQueue
	free    int
	permits int // the most that were ever free
	holders engine.Holders

	// In debug mode Acquire and Release note whose the permit is. For that to cost
	// nothing otherwise it shows in what they compare anyway.
	fast *engine.Loop // the loop on which Acquire need not do more than count; nil in debug mode
	most int          // above so many free ones Release has more to do; -1 in debug mode
}

// NewSemaphore returns a semaphore with n permits. It panics if n is negative.
func NewSemaphore(n int) *Semaphore {
	if n < 0 {
		panic(fmt.Sprintf("asyncio: NewSemaphore: %d permits; it must not be negative", n))
	}
	return &Semaphore{free: n, permits: n, most: n}
}

// Acquire waits for a permit and takes it.
//
// If ctx is done or ends first, Acquire returns its cause and no permit is
// taken.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if s.free > 0 {
		if t := engine.Live(ctx); t != nil && t.Scope.Loop() == s.fast {
			s.free--
			return nil
		}
	}
	return s.acquire(ctx)
}

func (s *Semaphore) acquire(ctx context.Context) error {
	err := s.take(ctx)
	if err == nil && s.noting() {
		s.holders.AddLoose(s.home.Loop().Current())
	}
	return err
}

// noting reports whether the loop is in debug mode.
func (s *Semaphore) noting() bool { return s.most < 0 }

// take waits for a permit.
func (s *Semaphore) take(ctx context.Context) error {
	p, err := s.home.Step(ctx)
	if err != nil {
		return err
	}
	s.settle(p.Loop())
	if s.free > 0 && engine.CauseOf(ctx) == nil {
		s.free--
		return nil
	}
	p.BehindAny((*waitSemaphore)(s), s.holders.Len() > 0)
	return p.Wait(ctx, &s.queue, (*waitSemaphore)(s))
}

// settle finds out what Acquire and Release have to do on the loop l.
func (s *Semaphore) settle(l *engine.Loop) {
	if s.fast, s.most = l, s.permits; l.Debug {
		s.fast, s.most = nil, -1
	}
}

// TryAcquire takes a permit if one is free, and reports whether it did.
func (s *Semaphore) TryAcquire() bool {
	s.home.Check("Semaphore.TryAcquire")
	if s.free == 0 {
		return false
	}
	s.free--
	if s.noting() {
		if t := s.home.Loop().Current(); t != nil {
			s.holders.AddLoose(t)
		}
	}
	return true
}

// Release gives a permit back: to the task that has waited longest, if any
// waits.
func (s *Semaphore) Release() {
	s.home.Check("Semaphore.Release")
	s.release()
}

func (s *Semaphore) release() {
	if s.queue.Empty() && s.free < s.most {
		s.free++
	} else {
		s.handOn()
	}
}

// handOn gives a permit to the task that has waited longest, if one waits.
func (s *Semaphore) handOn() {
	if s.queue.WakeFirst() == nil {
		s.free++
		s.permits = max(s.permits, s.free)
	}
	if s.noting() {
		s.holders.Drop(s.home.Loop().Current())
	} else {
		s.most = s.permits
	}
}

// Do runs fn while it holds a permit, and gives that back however fn ends.
func (s *Semaphore) Do(ctx context.Context, fn func() error) error {
	if fn == nil {
		panic("asyncio: Semaphore.Do: nil function")
	}
	slot, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.leave(slot)
	return fn()
}

// enter takes a permit for the running task, which is named as its holder until
// leave.
func (s *Semaphore) enter(ctx context.Context) (slot int32, err error) {
	t := engine.Live(ctx)
	if s.free > 0 && t != nil && t.Scope.Loop() == s.fast {
		s.free--
		return s.holders.Add(t), nil
	}
	if err := s.acquire(ctx); err != nil || s.noting() {
		return -1, err
	}
	return s.holders.Add(s.home.Loop().Current()), nil
}

func (s *Semaphore) leave(slot int32) {
	s.home.Check("Semaphore.Do")
	if slot >= 0 {
		s.holders.Remove(slot)
	}
	s.release()
}

// Locked reports whether Acquire would have to wait.
func (s *Semaphore) Locked() bool { return s.free == 0 }

// String shows how many permits are free, and how many tasks wait.
func (s *Semaphore) String() string {
	return fmt.Sprintf("a Semaphore (%d free", s.free) + s.queue.Waiting()
}

// waitSemaphore is a Semaphore as what a task waits for.
type waitSemaphore Semaphore

// WaitName names the semaphore in reports, and its holders as far as they are
// known.
func (s *waitSemaphore) WaitName() string {
	if s.holders.Len() == 0 {
		return "a Semaphore"
	}
	return "a Semaphore held by " + s.holders.String()
}

// WokenBy yields the holders, if all of them are known. Any of them may release
// a permit, and so may any other task.
func (s *waitSemaphore) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	if s.holders.Len() >= s.permits-s.free {
		s.holders.Tasks(yield)
	}
	return engine.Wakers{Any: true, Unless: "a task that does not hold the Semaphore releases it"}
}
