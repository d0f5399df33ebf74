package engine

import "time"

// This file is for those who run several loops that share a virtual clock, as a
// simulation does. They poll each loop, let one that is ready take a step, and
// when none is, move the clock to the first timer or event; if there is none,
// Deadlock says who waits. At the end they cancel what is left, and step on until
// there are no tasks; Close has nothing to wait for then. RunOnce is the same for a
// single loop, and waits.

// Poll takes in what has come from the system, from other goroutines and from
// timers that are due, and reports whether anything is ready. It does not wait,
// and leaves the clock alone.
func (l *Loop) Poll() bool {
	defer l.enter("Loop.Poll")()
	l.poll(0)
	return l.ready.n > 0
}

// Step runs the first entry of the ready queue, or under chaos the one that is
// chosen, and nothing else. It reports false if there is none.
func (l *Loop) Step() bool {
	defer l.enter("Loop.Step")()
	if l.ready.n == 0 {
		return false
	}
	l.single, l.turn = true, l.ready.n
	if l.director != nil {
		l.director.choose()
	}
	l.turn = 1 // who waits hands back to the hub, not to the next one
	l.next().run(l)
	return true
}

// NextTimer returns the time of the loop's clock for which its first timer is
// set, and false if there is none.
func (l *Loop) NextTimer() (when time.Duration, ok bool) {
	if len(l.alarms.entries) == 0 {
		return 0, false
	}
	return l.alarms.entries[0].when, true
}

// Tasks returns how many tasks have not ended.
func (l *Loop) Tasks() int { return l.tasks }

// CancelAll cancels them all. Their clean-up may start others.
func (l *Loop) CancelAll(cause error) {
	defer l.enter("Loop.CancelAll")()
	l.cancelAll(cause)
}

// Deadlock returns the report of all tasks that have not ended: for when nothing
// can wake them.
func (l *Loop) Deadlock() error { return l.deadlock() }
