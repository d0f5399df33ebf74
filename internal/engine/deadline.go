package engine

import (
	"context"
	"time"
)

// Forever is a timeout that never comes.
const Forever time.Duration = 1<<63 - 1

// A Deadline is a scope with a timer, which cancels it.
type Deadline struct {
	Scope
	timer Alarm
	start time.Duration
	fixed given
	fired bool
	left  bool
}

// Open opens the scope below ctx. It ends after a time, unless that is moved.
func (d *Deadline) Open(l *Loop, t *Task, ctx context.Context, after time.Duration) {
	d.Scope.Open(l, t, ctx)
	d.timer.Init(d)
	d.start = l.Time()
	d.Move(AddTime(d.start, after))
}

// OpenFixed is Open for a time that is not moved: so the scope can tell it to
// those below, by the Deadline method of their contexts.
func (d *Deadline) OpenFixed(l *Loop, t *Task, ctx context.Context, after time.Duration) {
	d.Open(l, t, ctx, after)
	if d.timer.when != Forever {
		d.expires(l.Wall(d.timer.when), &d.fixed)
	}
}

// Move sets the time at which the scope ends: it may be over now, or never come.
func (d *Deadline) Move(when time.Duration) {
	l := d.loop
	l.Disarm(&d.timer)
	d.timer.when = when
	switch {
	case when == Forever:
	case when <= l.Time():
		d.Fire()
	default:
		l.Arm(&d.timer, when)
	}
}

// Fire cancels the scope: its time is up.
func (d *Deadline) Fire() {
	d.fired = d.Cause() == nil
	d.Cancel(Errors.Timeout(d.timer.when - d.start))
}

// Leave ends the scope. It may be called again.
func (d *Deadline) Leave() {
	d.left = true
	d.loop.Disarm(&d.timer)
	d.Scope.Close()
}

// When returns the time on the loop's clock at which the scope ends; Forever if
// there is none.
func (d *Deadline) When() time.Duration { return d.timer.when }

// Fired reports whether the time was up while the scope lived.
func (d *Deadline) Fired() bool { return d.fired }

// Left reports whether the scope has been left.
func (d *Deadline) Left() bool { return d.left }
