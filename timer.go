package asyncio

import (
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Timer calls a function on the loop at a time of the loop's clock. It is
// what [Loop.CallLater] returns (asyncio's TimerHandle), and it can be embedded
// in a value of yours and armed again and again, which allocates nothing.
//
// A Timer belongs to its loop: use it from coroutines and callbacks only.
// Arming and stopping cost a few dozen nanoseconds; stopping is exact, a
// stopped timer leaves nothing behind. Timers for the same time fire in the
// order in which they were armed, and so do timeouts and sleeps.
type Timer struct{ timer engine.Timer }

// Init prepares a Timer that is not armed. fn runs on the loop and must not wait.
//
//go:noinline
func (t *Timer) Init(l *Loop, fn func()) {
	mustFunc("Timer.Init", fn)
	if t.Active() {
		panic("asyncio: Timer.Init: the Timer is armed; stop it first")
	}
	t.timer.InitAt(l.loop, fn, callerpc.Get())
}

// Reset arms the timer to fire after d, whether it was armed or not. With a d
// of zero or less it fires as soon as the loop looks at its timers, which it
// does when nothing is ready and at least every 64 steps.
func (t *Timer) Reset(d time.Duration) {
	t.check("Timer.Reset")
	t.timer.Reset(d)
}

// ResetAt arms the timer to fire when the loop's clock reaches when.
func (t *Timer) ResetAt(when time.Duration) {
	t.check("Timer.ResetAt")
	t.timer.Arm(when)
}

func (t *Timer) check(call string) {
	if t.timer.Loop() == nil {
		panic("asyncio: " + call + ": the Timer is not initialised; call Init first")
	}
	t.timer.Loop().Check(call)
}

// Stop disarms the timer and reports whether that kept it from firing.
func (t *Timer) Stop() bool {
	if t.timer.Loop() == nil {
		return false
	}
	t.check("Timer.Stop")
	return t.timer.Stop()
}

// Active reports whether the timer is armed and has yet to fire.
func (t *Timer) Active() bool { return t.timer.Active() }

// When returns the time on the loop's clock for which the timer was last armed.
func (t *Timer) When() time.Duration { return t.timer.When() }

// String shows when the timer is due, its function and source position, and in
// debug mode where it was made.
func (t *Timer) String() string {
	if t.timer.Loop() == nil {
		return "a Timer (not initialised)"
	}
	state := "not armed"
	if t.Active() {
		state = fmt.Sprintf("at %v", t.When())
	}
	fn, origin := t.timer.Func()
	return "a Timer (" + state + ", " + describeFunc(fn) + madeAt(origin) + ")"
}
