package asyncio

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrSemaphoreClosed is returned by Acquire on a semaphore that is closed.
var ErrSemaphoreClosed = errors.New("asyncio: the semaphore is closed")

// A Semaphore lets a number of tasks in at a time. It is fair, costs a few
// nanoseconds and 0 allocations, and belongs to one loop.
//
// A task may want several permits at once ([Semaphore.AcquireN]); those who come after
// it wait behind it, so it gets them in the end. The number of permits can change
// ([Semaphore.SetLimit]), and a semaphore can be closed.
//
// Who holds a permit is known of those that are in [Semaphore.Do], and in debug
// mode of all. So reports can name them, and tasks that wait for one another's
// permits are found.
type Semaphore struct {
	home    engine.Home
	queue   engine.WaitQueue
	free    int // negative: so many are to be taken out as they come back
	aside   int // free, too, but kept for the first in line, who wants more of them
	permits int // how many there are; more come by Release
	holders engine.Holders
	waits   uint64
	closed  bool

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
// If ctx is done or ends first, Acquire returns its cause; if the semaphore is or gets
// closed, [ErrSemaphoreClosed]. Then no permit is taken.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if s.free > 0 {
		if t := engine.Live(ctx); t != nil && t.Scope.Loop() == s.fast {
			s.free--
			return nil
		}
	}
	return s.acquire(ctx, 1)
}

// AcquireN waits for n permits, and takes them at once. Who comes later waits behind,
// even for fewer. If the semaphore has fewer permits, AcquireN waits until it has more
// ([Semaphore.SetLimit], [Semaphore.Release]). It returns an error at once if n < 1.
//
// If ctx is done or ends first, AcquireN returns its cause; if the semaphore is or gets
// closed, [ErrSemaphoreClosed]. Then no permit is taken.
func (s *Semaphore) AcquireN(ctx context.Context, n int) error {
	if n < 1 {
		return engine.AtOnce(fmt.Errorf("asyncio: Semaphore.AcquireN: n is %d; it must be at least 1", n))
	}
	return s.acquire(ctx, n)
}

func (s *Semaphore) acquire(ctx context.Context, n int) error {
	err := s.take(ctx, n)
	if err == nil && s.noting() {
		s.note(s.home.Loop().Current(), n)
	}
	return err
}

// noting reports whether the loop is in debug mode.
func (s *Semaphore) noting() bool { return s.most < 0 }

// note notes that t has taken n permits.
func (s *Semaphore) note(t *engine.Task, n int) {
	for range n {
		s.holders.AddLoose(t)
	}
}

// take waits for n permits.
func (s *Semaphore) take(ctx context.Context, n int) error {
	p, err := s.home.Step(ctx)
	if err != nil {
		return err
	}
	s.settle(p.Loop())
	if engine.CauseOf(ctx) == nil {
		if s.closed {
			return ErrSemaphoreClosed
		}
		if s.takeNow(n) {
			return nil
		}
		s.waits++
	}
	s.keep()
	p.BehindAny((*waitSemaphore)(s), s.holders.Len() > 0)
	if err = s.queue.WaitN(ctx, p, n, (*waitSemaphore)(s)); err != nil {
		s.serve() // those behind may want less
	}
	return err
}

// takeNow takes n permits if they are there and nobody waits.
func (s *Semaphore) takeNow(n int) bool {
	s.serve()
	if s.free < n {
		return false
	}
	s.free -= n
	return true
}

// keep is called by who is about to wait: while somebody does nothing is free, and so
// the short way in Acquire need not look at the line.
func (s *Semaphore) keep() {
	if s.free > 0 {
		s.aside += s.free
		s.free = 0
	}
}

// serve gives those in line what they want, as far as there is, in their order.
func (s *Semaphore) serve() {
	for s.aside > 0 {
		n, ok := s.queue.FirstWants()
		if !ok {
			s.free += s.aside
			s.aside = 0
			s.permits = max(s.permits, s.free)
			return
		}
		if n > s.aside {
			return
		}
		if s.queue.ServeFirst() {
			s.aside -= n
		}
	}
}

// settle finds out what Acquire and Release have to do on the loop l.
func (s *Semaphore) settle(l *engine.Loop) {
	s.fast, s.most = l, s.permits
	if l.Debug {
		s.fast, s.most = nil, -1
	}
	if s.closed {
		s.fast = nil
	}
}

// TryAcquire takes a permit if one is free, and reports whether it did.
func (s *Semaphore) TryAcquire() bool {
	s.home.Check("Semaphore.TryAcquire")
	return s.tryAcquire(1)
}

// TryAcquireN takes n permits if they are free and nobody waits, and reports whether
// it did. It panics if n < 1.
func (s *Semaphore) TryAcquireN(n int) bool {
	mustPermits("Semaphore.TryAcquireN", n)
	s.home.Check("Semaphore.TryAcquireN")
	return s.tryAcquire(n)
}

func (s *Semaphore) tryAcquire(n int) bool {
	if s.closed || !s.takeNow(n) {
		return false
	}
	if s.noting() {
		if t := s.home.Loop().Current(); t != nil {
			s.note(t, n)
		}
	}
	return true
}

func mustPermits(call string, n int) {
	if n < 1 {
		panic(fmt.Sprintf("asyncio: %s: n is %d; it must be at least 1", call, n))
	}
}

// Release gives a permit back: to the task that has waited longest, if any
// waits.
func (s *Semaphore) Release() {
	s.home.Check("Semaphore.Release")
	s.release()
}

// ReleaseN gives n permits back. It panics if n < 1.
func (s *Semaphore) ReleaseN(n int) {
	mustPermits("Semaphore.ReleaseN", n)
	s.home.Check("Semaphore.ReleaseN")
	s.handOn(n)
}

func (s *Semaphore) release() {
	if s.queue.Empty() && s.free < s.most {
		s.free++
	} else {
		s.handOn(1)
	}
}

// handOn takes n permits in, and gives them to those who wait.
func (s *Semaphore) handOn(n int) {
	s.add(n)
	if s.noting() {
		for range n {
			s.holders.Drop(s.home.Loop().Current())
		}
	} else {
		s.most = s.permits
	}
}

// add is for n permits more, which first go into what SetLimit has taken out.
func (s *Semaphore) add(n int) {
	if s.free < 0 {
		owed := min(n, -s.free)
		s.free += owed
		n -= owed
	}
	s.aside += n
	s.serve()
}

// SetLimit changes the number of permits to n: how many can be out at a time. If more
// are out, the next ones that come back are not handed out again. SetLimit panics if
// n is negative.
func (s *Semaphore) SetLimit(n int) {
	if n < 0 {
		panic(fmt.Sprintf("asyncio: Semaphore.SetLimit: %d permits; it must not be negative", n))
	}
	s.home.Check("Semaphore.SetLimit")
	more := n - s.permits
	s.permits = n
	if more > 0 {
		s.add(more)
	} else {
		kept := min(s.aside, -more)
		s.aside -= kept
		s.free += more + kept
	}
	if !s.noting() {
		s.most = s.permits
	}
}

// Close lets those who wait, and Acquire from now on, fail with [ErrSemaphoreClosed].
// Permits that are out can still be given back. Closing again does nothing.
func (s *Semaphore) Close() {
	s.home.Check("Semaphore.Close")
	s.closed, s.fast = true, nil
	s.queue.Fail(ErrSemaphoreClosed)
	s.serve()
}

// SemaphoreStats is what a [Semaphore] is doing.
type SemaphoreStats struct {
	Limit   int    // how many permits there are
	InUse   int    // of these, how many are out; after a SetLimit it may be more
	Waiting int    // tasks in line
	Waits   uint64 // how often a task had to wait since the semaphore was made
}

// Stats returns what the semaphore is doing. It takes time in proportion to the number
// of tasks that wait.
func (s *Semaphore) Stats() SemaphoreStats {
	s.home.Check("Semaphore.Stats")
	return SemaphoreStats{Limit: s.permits, InUse: s.out(), Waiting: s.queue.Len(), Waits: s.waits}
}

// out returns how many permits are out.
func (s *Semaphore) out() int { return s.permits - s.free - s.aside }

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
	if err := s.acquire(ctx, 1); err != nil || s.noting() {
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
func (s *Semaphore) Locked() bool {
	return !s.closed && s.free <= 0 && (s.aside == 0 || !s.queue.Empty())
}

// String shows how many permits are free, and how many tasks wait.
func (s *Semaphore) String() string {
	text := fmt.Sprintf("a Semaphore (%d free", max(0, s.free)+s.aside)
	if s.closed {
		text += ", closed"
	}
	return text + s.queue.Waiting()
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
	if s.holders.Len() >= (*Semaphore)(s).out() {
		s.holders.Tasks(yield)
	}
	return engine.Wakers{Any: true, Unless: "a task that does not hold the Semaphore releases it"}
}
