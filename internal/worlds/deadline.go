package worlds

import (
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Deadline is that of one direction, for the coroutines of a loop and on its clock. Goroutines are left to what
// they wait in. The zero Deadline is none. Setting it again costs no allocation.
type Deadline struct {
	set     atomic.Uint32 // counts calls of Set, so that the last one wins
	expired bool
	stopped bool
	timer   *engine.Timer // made at the first deadline, then re-armed
	at      time.Time
}

// Set lets the deadline expire at t, and wakes who waits in q then; the zero time removes it. Any goroutine may call it.
func (d *Deadline) Set(l *engine.Loop, q *engine.WaitQueue, t time.Time) {
	mine := d.set.Add(1)
	if l.On() {
		d.arm(l, q, t)
		return
	}
	_ = l.CallSoonThreadsafe(func() { // a loop that has ended has no coroutines to tell
		if d.set.Load() == mine {
			d.arm(l, q, t)
		}
	})
}

func (d *Deadline) arm(l *engine.Loop, q *engine.WaitQueue, t time.Time) {
	if d.stopped {
		return
	}
	d.at, d.expired = t, false
	if d.timer != nil {
		d.timer.Stop()
	}
	if t.IsZero() {
		return
	}
	left := t.Sub(l.Now())
	if left <= 0 {
		d.expire(q)
		return
	}
	if d.timer == nil {
		d.timer = new(engine.Timer)
		d.timer.Init(l, func() { d.expire(q) })
	}
	d.timer.Reset(left)
}

func (d *Deadline) expire(q *engine.WaitQueue) {
	d.expired = true
	q.WakeAll()
}

// Expired reports whether the deadline has passed. On the loop only, as Time and Stop.
func (d *Deadline) Expired() bool { return d.expired }

// Time returns the deadline, or the zero time.
func (d *Deadline) Time() time.Time { return d.at }

// Stop ends it for good.
func (d *Deadline) Stop() {
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
