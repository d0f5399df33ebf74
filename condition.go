package asyncio

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrNotLocked is returned by [Condition.Wait], [Condition.Notify] and their
// kind if the task that calls does not hold the condition's lock.
var ErrNotLocked = errors.New("asyncio: the running task does not hold the condition's lock; acquire it first")

// A Condition lets tasks that share something under a [Lock] wait for it to
// change, and tell one another that it has (asyncio.Condition).
//
//	err := c.Do(ctx, func() error {
//		if err := c.WaitFor(ctx, func() bool { return len(jobs) > 0 }); err != nil {
//			return err
//		}
//		job, jobs = jobs[0], jobs[1:]
//		return nil
//	})
//
// Without waits under the lock an [Event] or a [Queue] is simpler: between two
// waits nothing else runs on the loop anyway.
//
// A waiter that is notified goes from the condition's line straight to that of
// the lock, and runs when it has the lock, not before. Waiting and notifying
// allocate nothing. A Condition belongs to one loop. The zero Condition is ready
// to use, with a lock of its own.
//
// While a task holds the lock no other task can notify. If that task awaits one that
// waits to be notified, or wants a lock of it, a likely deadlock is reported; see
// [DeadlockError]. While the lock is open nobody knows which task will notify.
type Condition struct {
	home  engine.Home
	queue engine.WaitQueue // those who have not been notified
	lock  *Lock            // nil: own
	own   Lock
}

// NewCondition returns a condition on l, which several conditions may share;
// nil gives it a lock of its own.
func NewCondition(l *Lock) *Condition { return &Condition{lock: l} }

func (c *Condition) mutex() *Lock {
	if c.lock != nil {
		return c.lock
	}
	return &c.own
}

// Acquire takes the condition's lock. See [Lock.Acquire].
func (c *Condition) Acquire(ctx context.Context) error { return c.mutex().Acquire(ctx) }

// Release releases the condition's lock. See [Lock.Release].
func (c *Condition) Release() { c.mutex().Release() }

// Locked reports whether the condition's lock is held.
func (c *Condition) Locked() bool { return c.mutex().Locked() }

// Do runs fn while it holds the condition's lock.
func (c *Condition) Do(ctx context.Context, fn func() error) error { return c.mutex().Do(ctx, fn) }

// Wait releases the lock, waits until it is notified, and takes the lock again.
// It returns [ErrNotLocked] if the running task does not hold the lock.
//
// Whatever Wait returns, the task holds the lock then. If ctx ends while it
// waits for a notification, it is out of line at once, takes the lock again,
// which nothing cancels, and returns the cause. If ctx ends after it was
// notified but before it has the lock, Wait returns the cause as well, and
// passes the notification on to the next in line. So none is lost, but who is
// passed one may have come after Notify: look at the state again, as
// [Condition.WaitFor] does. Under a context that is done Wait yields once and
// returns the cause; the lock is not released.
func (c *Condition) Wait(ctx context.Context) error {
	p, err := c.home.Step(ctx)
	if err != nil {
		return err
	}
	k := c.mutex()
	if k.owner != p.Task() {
		return ErrNotLocked
	}
	if engine.CauseOf(ctx) != nil || p.Loop().Closing() {
		return p.Wait(ctx, nil, (*waitCondition)(c))
	}
	if engine.Foreign(ctx) {
		return c.waitForeign(ctx, p)
	}
	k.handOn()
	p.BehindAny((*waitCondition)(c), false)
	if err := p.Wait(ctx, &c.queue, (*waitCondition)(c)); err != nil {
		k.retake(p)
		return err
	}
	return c.passOn(ctx)
}

// passOn is for who was notified and has the lock: if it was cancelled, another
// one is notified in its place.
func (c *Condition) passOn(ctx context.Context) error {
	cause := engine.CauseOf(ctx)
	if cause != nil {
		c.notify(1)
	}
	return cause
}

// waitForeign is Wait under a context that somebody else may cancel. A scope
// below it keeps that from reaching the task in the line of the lock.
func (c *Condition) waitForeign(ctx context.Context, p *engine.Parking) error {
	s := &engine.Scope{}
	s.Open(p.Loop(), p.Task(), ctx)
	defer s.Close()
	if err := c.Wait(s.Ctx()); err != nil {
		return err
	}
	return c.passOn(ctx)
}

// WaitFor waits until pred is true. It calls pred, with the lock held, at first
// and after each notification. If pred is true at first WaitFor returns at once,
// whatever the state of ctx and of the lock.
//
// If ctx ends first, WaitFor returns its cause, and the task holds the lock, as
// after [Condition.Wait].
func (c *Condition) WaitFor(ctx context.Context, pred func() bool) error {
	if pred == nil {
		panic("asyncio: Condition.WaitFor: nil function")
	}
	if _, err := c.home.Step(ctx); err != nil {
		return err
	}
	for !pred() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes up to n of those who wait, in the order of their waiting. Each
// goes on when it has the lock. It returns [ErrNotLocked] if the running task
// does not hold the lock.
func (c *Condition) Notify(n int) error {
	if n < 0 {
		return fmt.Errorf("asyncio: Condition.Notify: n is %d; it must not be negative", n)
	}
	if err := c.held("Condition.Notify"); err != nil {
		return err
	}
	c.notify(n)
	return nil
}

// NotifyAll is [Condition.Notify] for all who wait now.
func (c *Condition) NotifyAll() error {
	if err := c.held("Condition.NotifyAll"); err != nil {
		return err
	}
	c.notify(math.MaxInt)
	return nil
}

// held returns an error unless the running task holds the lock.
func (c *Condition) held(call string) error {
	c.home.Check(call)
	t := c.mutex().owner
	if t == nil {
		return ErrNotLocked
	}
	l := t.Scope.Loop()
	l.Check(call)
	switch {
	case l.Current() != t:
		return ErrNotLocked
	case !c.queue.Empty() && c.home.Loop() != l:
		return engine.ErrOtherLoop
	}
	return nil
}

// notify moves up to n tasks from the condition's line to that of the lock,
// which is held. There only the lock ends their wait.
func (c *Condition) notify(n int) {
	k := c.mutex()
	if n > 0 && !c.queue.Empty() {
		k.owner.Wanted()
	}
	for ; n > 0 && c.queue.MoveFirst(&k.queue, (*waitLock)(k)); n-- {
	}
}

// String shows who holds the lock, and how many tasks wait for a notification.
func (c *Condition) String() string {
	state := "open"
	if t := c.mutex().owner; t != nil {
		state = "held by " + t.Name()
	}
	return "a Condition (" + state + c.queue.Waiting()
}

// waitCondition is a Condition as what a task waits for.
type waitCondition Condition

// WaitName names the condition in reports, and who holds its lock.
func (c *waitCondition) WaitName() string {
	if t := (*Condition)(c).mutex().owner; t != nil {
		return "a Condition to be notified, whose lock is held by " + t.Name()
	}
	return "a Condition to be notified"
}

// WokenBy yields the holder of the lock: no other task can notify meanwhile.
func (c *waitCondition) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	if t := (*Condition)(c).mutex().owner; t != nil {
		yield(t)
	}
	return engine.Wakers{Unless: "a task that does not hold the Condition's lock releases it"}
}
