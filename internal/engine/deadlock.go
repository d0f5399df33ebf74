package engine

import (
	"fmt"
	"time"
)

// A deadlock is when no task is ready, no timer is set, and nothing is under way
// outside (see outsiders). If nobody outside could call in, that is certain, and
// the run ends with the report. If somebody could, because user code has taken
// the Loop or Run's own context can be cancelled, it is only likely: it is
// reported once, after a while, and the loop goes on waiting.

// suspectAfter is how long a loop waits for a call from outside, with nothing
// else to wait for, before it reports that.
const suspectAfter = time.Second

// suspect is called when only a call from outside could make something ready. It
// returns how long to wait for one.
func (l *Loop) suspect() time.Duration {
	switch {
	case l.suspected || l.tasks == 0:
		return -1
	case l.suspectSince.IsZero():
		l.suspectSince = time.Now()
	}
	if wait := suspectAfter - time.Since(l.suspectSince); wait > 0 {
		return wait
	}
	l.suspected = true
	l.Report(ExceptionInfo{
		Message: "no task can go on, unless somebody calls in from outside the loop",
		Err:     l.deadlock(),
	})
	return -1
}

// deadlock returns the report of all tasks that have not ended.
func (l *Loop) deadlock() error {
	var lines []string
	for t := range l.AllTasks {
		lines = append(lines, t.describe())
	}
	return Errors.Deadlock(lines, nil)
}

// describe says what the task does and where, for reports.
func (t *Task) describe() string {
	line := fmt.Sprintf("%s %s", t.Name(), t.Condition())
	if at := t.position(); at != "" {
		line += " (at " + at + ")"
	}
	if at := t.Created(); at != "" {
		line += ", created at " + at
	}
	return line
}

// AllTasks iterates over the tasks that have not ended, parents first.
func (l *Loop) AllTasks(yield func(*Task) bool) {
	_ = l.root.walk(yield) && l.detached.walk(yield)
}
