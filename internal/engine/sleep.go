package engine

import (
	"runtime"
	"time"
)

// sleep waits until something is ready. It returns false if nothing ever will be.
func (l *Loop) sleep(patient bool) bool {
	l.trim()
	l.poll(0)
	for l.ready.n == 0 && !l.stopping {
		var wait time.Duration
		switch {
		case l.alarms.wakers() > 0:
			wait = l.untilNext()
		case l.simulated() && (l.willHear() || patient && l.mayHear()):
			if !l.clock.Idle(l.alarms.first()) {
				return false
			}
		case l.willHear():
			wait = l.untilNext()
		case patient && !l.ending && l.mayHear():
			wait = sooner(l.suspect(), l.untilNext())
		default:
			return false
		}
		if l.surplus() > 0 {
			l.trim()
			wait = sooner(wait, trimEvery)
		}
		l.fallAsleep()
		if l.handed {
			l.letRun()
			wait = 0
		}
		l.poll(wait)
		l.awaken()
	}
	l.suspectSince = time.Time{}
	return true
}

// sooner returns the shorter of two times to wait; negative ones are for ever.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// letRun lets the goroutines run that were given something to do, before the
// loop sleeps: most are done at once, and then there is no need to. Asleep in a
// system call, the loop would have its processor with it until the runtime takes
// it away, which is 20 µs to 10 ms later.
func (l *Loop) letRun() {
	l.handed = false
	runtime.Gosched()
	if !l.inbox.filled.Load() {
		runtime.Gosched() // every 61st time the runtime takes first who came last, which is us
	}
}

// untilNext returns how long to wait for the first alarm, or for the next look at
// suspects; it is negative if there is neither. The virtual clock jumps to it,
// unless a thread may have something to say before.
func (l *Loop) untilNext() time.Duration {
	when := l.cycles.before(l.alarms.first())
	switch {
	case when == Forever && len(l.alarms.entries) == 0:
		return -1
	case !l.VirtualClock:
		return max(0, when-l.Time())
	case l.threads > 0:
		return -1
	}
	if l.lookAtForeigns(); l.ready.n > 0 {
		return 0
	}
	if l.simulated() {
		l.clock.Idle(when)
	} else {
		l.clock.Advance(when)
	}
	return 0
}

// simulated reports whether the environment knows what comes next, and lets time
// pass. For a thread the loop waits in real time.
func (l *Loop) simulated() bool { return l.clock != nil && l.clock.Idle != nil && l.threads == 0 }

// trimEvery is how often a sleeping loop gives back a part of what a burst has
// left.
const trimEvery = 20 * time.Millisecond

// surplus returns how many workers a burst has left.
func (l *Loop) surplus() int {
	const spare = 64
	return l.pool.Idle() - spare - l.tasks
}

// trim gives back a part of them.
func (l *Loop) trim() {
	if n := l.surplus(); n > 0 {
		l.pool.Trim(l.pool.Idle()-n, n/8+1)
	}
}
