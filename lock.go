package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Lock keeps a stretch of code that waits to one task at a time. Between two
// waits nothing else runs on the loop anyway; only what must hold across a wait
// needs a Lock.
//
// It is fair: it is handed from one to the next in the order of their coming,
// and nobody can overtake. It costs a few nanoseconds, 0 allocations, and
// belongs to one loop. The zero Lock is open.
type Lock struct {
	queue engine.WaitQueue
	owner *engine.Task
}

// Acquire waits until the lock is open and takes it.
//
// If ctx is done or ends first, Acquire returns its cause and the lock is not
// taken.
func (k *Lock) Acquire(ctx context.Context) error {
	if k.owner == nil {
		if k.owner = engine.Live(ctx); k.owner != nil {
			return nil
		}
	}
	return k.acquire(ctx)
}

func (k *Lock) acquire(ctx context.Context) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	t := p.Task()
	if k.owner == nil && engine.CauseOf(ctx) == nil {
		k.owner = t
		return nil
	}
	if k.owner != nil {
		if k.owner.Scope.Loop() != p.Loop() {
			return engine.ErrOtherLoop
		}
		p.BehindOwner(k.owner)
	}
	return p.Wait(ctx, &k.queue, (*waitLock)(k))
}

// TryAcquire takes the lock if it is open, and reports whether it did.
func (k *Lock) TryAcquire(ctx context.Context) bool {
	p, err := engine.Running(ctx)
	if err != nil {
		panic(fmt.Sprintf("asyncio: Lock.TryAcquire: %v", err))
	}
	if k.owner != nil {
		return false
	}
	k.owner = p.Task()
	return true
}

// Release opens the lock, or hands it to the task that has waited longest. Any
// task may release it. Release panics if the lock is open.
func (k *Lock) Release() {
	if k.owner == nil {
		panic("asyncio: Lock.Release: the lock is not held")
	}
	k.owner.Scope.Loop().Check("Lock.Release")
	k.handOn()
}

// handOn gives the lock to the task that has waited longest, or opens it.
func (k *Lock) handOn() {
	if k.queue.Empty() {
		k.owner = nil
		return
	}
	k.pass()
}

// pass gives the lock to the task that has waited longest.
func (k *Lock) pass() {
	if k.owner = k.queue.WakeFirst(); !k.queue.Empty() {
		k.owner.Wanted()
	}
}

// retake takes the lock again for a task that has to hold it, whatever comes:
// nothing cancels that. When the loop closes it waits for the others to unwind,
// but not for ever.
func (k *Lock) retake(p *engine.Parking) {
	for k.owner != nil && k.owner != p.Task() {
		_ = p.Refuse()
		p.BehindOwner(k.owner)
		p.Join(&k.queue, (*waitLock)(k))
	}
	k.owner = p.Task()
}

// Do runs fn while it holds the lock, and releases it however fn ends.
func (k *Lock) Do(ctx context.Context, fn func() error) error {
	if fn == nil {
		panic("asyncio: Lock.Do: nil function")
	}
	if err := k.Acquire(ctx); err != nil {
		return err
	}
	defer k.Release()
	return fn()
}

// Locked reports whether the lock is held.
func (k *Lock) Locked() bool { return k.owner != nil }

// String shows who holds the lock, and how many tasks wait for it.
func (k *Lock) String() string {
	if k.owner == nil {
		return "a Lock (open)"
	}
	return "a Lock (held by " + k.owner.Name() + k.queue.Waiting()
}

// waitLock is a Lock as what a task waits for.
type waitLock Lock

// WaitName names the lock and its holder in reports.
func (k *waitLock) WaitName() string {
	if k.owner == nil {
		return "a Lock"
	}
	return "a Lock held by " + k.owner.Name()
}

// WokenBy yields the holder. Any task may release a lock.
func (k *waitLock) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	if k.owner != nil {
		yield(k.owner)
	}
	return engine.Wakers{Unless: "a task that does not hold the Lock releases it"}
}
