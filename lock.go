package asyncio

import "context"

// A Lock keeps a stretch of code that waits to one task at a time. Between two
// waits nothing else runs on the loop anyway; only what must hold across a wait
// needs a Lock.
//
// It is fair: it is handed from one to the next in the order of their coming,
// and nobody can overtake. It costs a few nanoseconds, 0 allocations, and
// belongs to one loop. The zero Lock is open.
type Lock struct {
	queue WaitQueue
	owner *task
}

// Acquire waits until the lock is open and takes it.
//
// If ctx is done or ends first, Acquire returns its cause and the lock is not
// taken.
func (k *Lock) Acquire(ctx context.Context) error {
	if k.owner == nil {
		if k.owner = liveTask(ctx); k.owner != nil {
			return nil
		}
	}
	return k.acquire(ctx)
}

func (k *Lock) acquire(ctx context.Context) error {
	w, err := running(ctx)
	if err != nil {
		return err
	}
	t := w.State.task
	if k.owner == nil && causeNow(ctx) == nil {
		k.owner = t
		return nil
	}
	if k.owner != nil && k.owner.scope.loop != t.scope.loop {
		return errOtherLoop
	}
	return w.State.wait(ctx, &k.queue, k)
}

// TryAcquire takes the lock if it is open, and reports whether it did.
func (k *Lock) TryAcquire(ctx context.Context) bool {
	w, err := running(ctx)
	if err != nil || k.owner != nil {
		return false
	}
	k.owner = w.State.task
	return true
}

// Release opens the lock, or hands it to the task that has waited longest. Any
// task may release it. Release panics if the lock is open.
func (k *Lock) Release() {
	if k.owner == nil {
		panic("asyncio: Lock.Release: the lock is not held")
	}
	k.owner.scope.loop.check("Lock.Release")
	if k.queue.head == nil {
		k.owner = nil
		return
	}
	k.handOn()
}

// handOn gives the lock to the task that has waited longest, or opens it.
func (k *Lock) handOn() {
	k.owner = k.queue.first()
	if k.owner != nil {
		k.owner.scope.loop.wake(k.queue.head, nil)
	}
}

// retake takes the lock again for a task that has to hold it, whatever comes:
// nothing cancels that. When the loop closes it waits for the others to unwind,
// but not for ever.
func (k *Lock) retake(p *parking) {
	for k.owner != nil && k.owner != p.task {
		if p.task.scope.loop.closing {
			p.refuse()
		}
		p.join(&k.queue, k)
	}
	k.owner = p.task
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
	return "a Lock (held by " + k.owner.Name() + k.queue.waiting()
}

// WaitName names the lock and its holder in reports.
func (k *Lock) WaitName() string {
	if k.owner == nil {
		return "a Lock"
	}
	return "a Lock held by " + k.owner.Name()
}
