package engine

import "time"

// A Timer calls a function on the loop at a time of the loop's clock.
type Timer struct {
	alarm  Alarm
	loop   *Loop
	fn     func()
	origin uintptr // debug mode: where it was made
}

// Init prepares a Timer that is not armed.
func (t *Timer) Init(l *Loop, fn func()) { t.InitAt(l, fn, 0) }

// InitAt is Init for a Timer that remembers where it was made, in debug mode.
func (t *Timer) InitAt(l *Loop, fn func(), origin uintptr) {
	*t = Timer{loop: l, fn: fn}
	t.alarm.Init(t)
	if l.Debug {
		t.origin = origin
	}
}

// Housekeeping is that of the alarm.
func (t *Timer) Housekeeping() { t.alarm.Housekeeping() }

// Loop returns the loop; nil before Init.
func (t *Timer) Loop() *Loop { return t.loop }

// Arm arms the timer to fire when the loop's clock reaches when, whether it was
// armed or not.
func (t *Timer) Arm(when time.Duration) { t.loop.Arm(&t.alarm, when) }

// Reset arms the timer to fire after d.
func (t *Timer) Reset(d time.Duration) { t.Arm(AddTime(t.loop.Time(), d)) }

// Stop disarms the timer and reports whether that kept it from firing.
func (t *Timer) Stop() bool { return t.loop != nil && t.loop.Disarm(&t.alarm) }

// Active reports whether the timer is armed and has yet to fire.
func (t *Timer) Active() bool { return t.alarm.Active() }

// When returns the time on the loop's clock for which the timer was last armed.
func (t *Timer) When() time.Duration { return t.alarm.when }

// Func returns what the timer calls, and where the timer was made, if known.
func (t *Timer) Func() (fn func(), origin uintptr) { return t.fn, t.origin }

// Fire calls the function, as a callback of the loop.
func (t *Timer) Fire() { t.loop.call(t.fn, t.origin) }
