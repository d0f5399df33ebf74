package lowlevel

import (
	"context"
	"math"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Waitable is something that tasks wait for. Its name is asked for only when
// somebody looks (a deadlock report, a live view), so it may be built then.
type Waitable interface{ WaitName() string }

// A WaitQueue is a line of parked tasks, first in, first out. It is the base
// of every lock, queue and socket of this library and of what you build
// yourself: a type that keeps its state in plain fields, lets tasks Wait and
// lets others Wake them. (trio calls it a parking lot.)
//
// All of it happens on one loop, so the state needs no locks. A task that was
// woken keeps what it was woken for: a cancellation that comes in the same turn
// is reported by its next wait. A task that was cancelled is out of line at
// once, so Wake never hands anything to a task that will not take it.
//
// The zero WaitQueue is empty and ready to use.
type WaitQueue struct{ queue engine.WaitQueue }

// Wait parks the running task at the end of the line until [WaitQueue.Wake]
// reaches it, and returns nil then. what says what it waits for. It allocates
// nothing.
//
// If ctx is done, or ends while the task is parked, Wait returns the cause of
// that, and the task is not in line any more. Under a done context the task
// yields once, so that a loop of failing waits cannot starve others.
func (q *WaitQueue) Wait(ctx context.Context, what Waitable) error { return q.queue.Wait(ctx, what) }

// WaitOutside is [WaitQueue.Wait] for what happens outside the loop, like data
// on a socket: while a task is parked so there is no deadlock.
func (q *WaitQueue) WaitOutside(ctx context.Context, what Waitable) error {
	return q.queue.WaitIO(ctx, what)
}

// Wake lets up to n tasks go on, in the order of their waiting, and returns how
// many it were. They run in the next turn. Who hands something out goes by that
// number and not by Empty: a task in line may have got something else in this
// moment, or its context may have ended, and the loop has not heard of it yet.
//
// It panics on a goroutine that is not the loop's, if a task waits.
func (q *WaitQueue) Wake(n int) int { return q.queue.Wake(n) }

// WakeAll wakes all that wait now, and returns how many it were.
func (q *WaitQueue) WakeAll() int { return q.queue.Wake(math.MaxInt) }

// Len returns how many tasks wait: O(n).
func (q *WaitQueue) Len() int { return q.queue.Len() }

// Empty reports whether no task waits.
func (q *WaitQueue) Empty() bool { return q.queue.Empty() }
