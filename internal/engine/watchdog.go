package engine

import (
	"fmt"
	"runtime"
	"time"
)

// The watchdog is a goroutine beside a running loop. The loop counts its steps,
// and the watchdog looks at the count. It reports two things:
//
//   - One step that holds the loop for longer than the limit: while it does, then
//     again at growing intervals, and when it is over.
//   - Many steps of a few milliseconds that have together held the loop for most
//     of the last second (cuts.go).
//
// The loop pays one increment a step. The watchdog looks 100 times a second at a
// busy loop, which is 0.1 % of a core; it sleeps when the loop has slept for a
// while, until that wakes it.
//
// Why not a clock read at each step: that costs as much as the step's switch.

const (
	lookEvery = 10 * time.Millisecond // at a loop that is busy
	cutLength = time.Millisecond      // a step that takes this long is a cut
	dozeAfter = time.Second           // of a loop's sleep the watchdog sleeps, too
	mostQuiet = time.Minute           // between two reports of a block that lasts
	slowFrom  = 100_000               // goroutines, among which to find the loop's takes a while
)

type watchdog struct {
	loop  *Loop
	quit  chan struct{}
	step  uint64    // the count when it was last seen to have changed
	since time.Time // and when that was
	awake time.Time // when the loop was last seen awake
	cuts  cuts
}

// startWatchdog returns a function that ends it.
func (l *Loop) startWatchdog() (stop func()) {
	if l.Watchdog <= 0 {
		return func() {}
	}
	now := time.Now()
	w := &watchdog{loop: l, quit: make(chan struct{}), step: l.stepsTaken(), since: now, awake: now, cuts: cuts{last: now}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.guard()
	}()
	return func() {
		close(w.quit)
		<-done
	}
}

func (w *watchdog) guard() {
	for w.look() {
	}
}

// look looks once, and waits until it is time to look again. It returns false
// when the run is over.
func (w *watchdog) look() bool {
	l := w.loop
	step, idle, now := l.stepsTaken(), l.idle.Load(), time.Now()
	if step != w.step || idle {
		w.step, w.since = step, now
	}
	if idle {
		w.cuts.add(l, now, false)
		if now.Sub(w.awake) >= dozeAfter {
			return w.doze()
		}
		return w.nap(max(l.Watchdog/4, time.Millisecond))
	}
	w.awake = now
	if now.Sub(w.since) >= l.Watchdog {
		return w.blocked()
	}
	slept := l.timesSlept()
	if !w.nap(min(cutLength, l.Watchdog/4)) {
		return false
	}
	later := time.Now()
	steps := l.stepsTaken() - step + 1
	long := later.Sub(now) >= time.Duration(steps)*cutLength && !l.idle.Load() && l.timesSlept() == slept
	w.cuts.add(l, later, long)
	return w.nap(max(min(l.Watchdog/4, lookEvery), time.Millisecond))
}

// doze sleeps until the loop wakes up.
func (w *watchdog) doze() bool {
	l := w.loop
	l.dozing.Store(true)
	defer l.dozing.Store(false)
	if !l.idle.Load() { // it may not have seen that somebody is to be woken
		return true
	}
	select {
	case <-w.quit:
		return false
	case <-l.rouse:
	}
	w.awake = time.Now()
	w.since = w.awake
	return true
}

// wakeWatchdog ends the watchdog's sleep.
func (l *Loop) wakeWatchdog() {
	select {
	case l.rouse <- struct{}{}:
	default:
	}
}

// nap waits for d, and returns false if the run is over.
func (w *watchdog) nap(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.quit:
		return false
	case <-t.C:
		return true
	}
}

// blocked reports the step that holds the loop until it is over. The intervals
// grow, so that a block of an hour does not fill the log.
func (w *watchdog) blocked() bool {
	l, name := w.loop, w.loop.runningName()
	over := make(chan time.Duration, 1)
	go func() { over <- w.untilOver() }() // to look for the stack may take longer than the block
	slow := runtime.NumGoroutine() > slowFrom
	if slow {
		l.say(&report{message: "the event loop is blocked; its line is being looked for", task: name, held: time.Since(w.since)})
	}
	for again := false; ; again = true {
		began := time.Now()
		h := l.blocker()
		if len(h.stack) == 0 && !again && !slow && !l.standsAt(w.step) {
			<-over // it is over already, and nobody knows what it was
			return w.nap(0)
		}
		l.say(blockReport(name, began.Sub(w.since), again, h))
		pause := max(2*began.Sub(w.since), 10*time.Since(began))
		select {
		case <-time.After(min(pause, mostQuiet)):
		case held := <-over:
			l.say(&report{message: "the event loop was blocked", task: name, held: held})
			w.cuts.restart(time.Now())
			return w.nap(0)
		}
	}
}

// untilOver waits for the end of the step, or of the run, and returns how long
// the step has taken.
func (w *watchdog) untilOver() time.Duration {
	for w.loop.standsAt(w.step) && w.nap(max(w.loop.Watchdog/16, time.Millisecond)) {
	}
	return time.Since(w.since)
}

// standsAt reports whether the loop is still in that step.
func (l *Loop) standsAt(step uint64) bool { return l.stepsTaken() == step && !l.idle.Load() }

//go:norace
func (l *Loop) stepsTaken() uint64 { return l.steps }

//go:norace
func (l *Loop) timesSlept() uint64 { return l.slept }

// runningTask reads the loop's state without its leave: the step that it looks
// at stands still. It is nil in a callback.
//
//go:norace
func (l *Loop) runningTask() *Task { return l.current }

//go:norace
func (l *Loop) runningName() string {
	t := l.runningTask()
	if t == nil {
		return "a callback"
	}
	if t.spec != nil && t.spec.Name != "" {
		return t.spec.Name
	}
	return fmt.Sprintf("Task-%d", t.id)
}
