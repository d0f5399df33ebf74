package asyncio

import (
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// A Timer calls a function on the loop at a time of the loop's clock. It is
// what [Loop.CallLater] returns (asyncio's TimerHandle), and it can be embedded
// in a value of yours and armed again and again, which allocates nothing.
//
// A Timer belongs to its loop: use it from coroutines and callbacks only.
// Arming and stopping cost a few dozen nanoseconds; stopping is exact, a
// stopped timer leaves nothing behind.
type Timer struct {
	loop   *loop
	due    alarm
	when   time.Duration
	index  int32 // in the heap, -1 when not armed
	queued bool  // due, and in the ready queue
}

// An alarm is told when its timer is due, before anything else runs.
type alarm interface{ fire(t *Timer) }

// callback is an alarm that lets a function have its turn in the ready queue.
type callback func()

func (callback) fire(t *Timer) {
	t.queued = true
	t.loop.ready.push(t)
}

// placedCallback is a callback that knows, in debug mode, where it was made.
type placedCallback struct {
	callback
	origin uintptr
}

func (l *loop) newAlarm(fn func(), origin uintptr) alarm {
	if l.debug {
		return &placedCallback{fn, origin}
	}
	return callback(fn)
}

// function returns what the timer calls, nil if that is not a user's function.
func (t *Timer) function() (fn func(), origin uintptr) {
	switch due := t.due.(type) {
	case callback:
		return due, 0
	case *placedCallback:
		return due.callback, due.origin
	}
	return nil, 0
}

func newTimer(l *loop, due alarm) Timer { return Timer{loop: l, due: due, index: -1} }

// Init prepares a Timer that is not armed. fn runs on the loop and must not wait.
//
//go:noinline
func (t *Timer) Init(l *Loop, fn func()) {
	mustFunc("Timer.Init", fn)
	if t.Active() {
		panic("asyncio: Timer.Init: the Timer is armed; stop it first")
	}
	*t = newTimer(l.loop, l.newAlarm(fn, callerpc.Get()))
}

// Reset arms the timer to fire after d, whether it was armed or not. With a d
// of zero or less it fires as soon as the loop looks at its timers, which it
// does when nothing is ready and at least every 64 steps.
func (t *Timer) Reset(d time.Duration) {
	t.check("Timer.Reset")
	t.arm(addTime(t.loop.now(), d))
}

// ResetAt arms the timer to fire when the loop's clock reaches when.
func (t *Timer) ResetAt(when time.Duration) {
	t.check("Timer.ResetAt")
	t.arm(when)
}

func (t *Timer) check(call string) {
	if t.loop == nil {
		panic("asyncio: " + call + ": the Timer is not initialised; call Init first")
	}
	t.loop.check(call)
}

func (t *Timer) arm(when time.Duration) {
	t.queued = false
	t.when = when
	t.loop.timers.arm(t)
}

// Stop disarms the timer and reports whether that kept it from firing.
func (t *Timer) Stop() bool {
	if t.loop == nil {
		return false
	}
	t.loop.check("Timer.Stop")
	active := t.Active()
	t.queued = false
	t.disarm()
	return active
}

// disarm takes the timer out of the heap, if it is there.
func (t *Timer) disarm() {
	if t.index >= 0 {
		t.loop.timers.disarm(t)
	}
}

// Active reports whether the timer is armed and has yet to fire.
func (t *Timer) Active() bool { return t.loop != nil && (t.queued || t.index >= 0) }

// When returns the time on the loop's clock for which the timer was last armed.
func (t *Timer) When() time.Duration { return t.when }

func (t *Timer) run(l *loop) {
	if t.queued {
		t.queued = false
		l.call(t.function())
	}
}

// String shows when the timer is due, its function and source position, and in
// debug mode where it was made.
func (t *Timer) String() string {
	if t.loop == nil {
		return "a Timer (not initialised)"
	}
	state := "not armed"
	if t.Active() {
		state = fmt.Sprintf("at %v", t.when)
	}
	fn, origin := t.function()
	return "a Timer (" + state + ", " + describeFunc(fn) + madeAt(origin) + ")"
}

// addTime adds without overflow, so that "for ever" may be said with a huge d.
func addTime(t, d time.Duration) time.Duration {
	if s := t + d; d <= 0 || s > t {
		return s
	}
	return Forever
}

// timerHeap is a 4-ary heap by deadline, then by the order of arming. Entries
// carry their keys, so that sifting touches no timer.
//
// A binary heap was a third slower; a timing wheel arms and disarms faster but
// needs sorting within a tick for exact order and for exact virtual time.
type timerHeap struct {
	entries []timerEntry
	seq     uint64
}

type timerEntry struct {
	when time.Duration
	seq  uint64
	t    *Timer
}

func (a *timerEntry) before(b *timerEntry) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (h *timerHeap) arm(t *Timer) {
	h.seq++
	e := timerEntry{t.when, h.seq, t}
	if t.index < 0 {
		h.entries = append(h.entries, e)
		h.up(len(h.entries)-1, e)
		return
	}
	h.replace(int(t.index), e)
}

func (h *timerHeap) disarm(t *Timer) {
	i := int(t.index)
	t.index = -1
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = timerEntry{}
	h.entries = h.entries[:last]
	if i < last {
		h.replace(i, e)
	}
}

// popDue removes and returns the first timer if it is due, or else nil.
func (h *timerHeap) popDue(now time.Duration) *Timer {
	if len(h.entries) == 0 || h.entries[0].when > now {
		return nil
	}
	t := h.entries[0].t
	h.disarm(t)
	return t
}

// replace puts e into the hole at i and restores the order.
func (h *timerHeap) replace(i int, e timerEntry) {
	if i > 0 && e.before(&h.entries[(i-1)/4]) {
		h.up(i, e)
	} else {
		h.down(i, e)
	}
}

func (h *timerHeap) up(i int, e timerEntry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.entries[parent]) {
			break
		}
		h.set(i, h.entries[parent])
		i = parent
	}
	h.set(i, e)
}

func (h *timerHeap) down(i int, e timerEntry) {
	for {
		least := 4*i + 1
		if least >= len(h.entries) {
			break
		}
		for c := least + 1; c < min(4*i+5, len(h.entries)); c++ {
			if h.entries[c].before(&h.entries[least]) {
				least = c
			}
		}
		if e.before(&h.entries[least]) {
			break
		}
		h.set(i, h.entries[least])
		i = least
	}
	h.set(i, e)
}

func (h *timerHeap) set(i int, e timerEntry) {
	h.entries[i] = e
	e.t.index = int32(i)
}
