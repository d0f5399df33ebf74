package engine

import (
	"fmt"
	"runtime/debug"
	"time"
)

// A Handle is a callback that waits for its turn, or for a future; it can be
// cancelled until it runs.
type Handle struct {
	fn   func()
	more *handleMore
}

// handleMore is what few Handles have.
type handleMore struct {
	of     *Future // that it waits for
	origin uintptr // debug mode: where it was made
}

func (h *Handle) init(l *Loop, fn func(), origin uintptr) {
	h.fn = fn
	if l.Debug {
		h.more = &handleMore{origin: origin}
	}
}

// waitFor makes h a callback of f.
func (h *Handle) waitFor(f *Future) {
	if h.more == nil {
		h.more = &handleMore{}
	}
	h.more.of = f
}

// Func returns what the callback calls, nil if it was cancelled or has run; and
// where it was made, if known.
func (h *Handle) Func() (fn func(), origin uintptr) {
	if h.more != nil {
		origin = h.more.origin
	}
	return h.fn, origin
}

// Cancel keeps the callback from running, and reports whether that was still
// possible. It leaves nothing of it behind.
func (h *Handle) Cancel() bool {
	active := h.fn != nil
	h.fn = nil
	if h.more != nil && h.more.of != nil {
		h.more.of.removeCallback(h)
		h.more.of = nil
	}
	return active
}

func (h *Handle) run(l *Loop) {
	if fn, origin := h.Func(); fn != nil {
		h.fn = nil
		l.call(fn, origin)
	}
}

// Schedule lets fn run in the next turn, unless h is cancelled before.
func (l *Loop) Schedule(h *Handle, fn func(), origin uintptr) {
	h.init(l, fn, origin)
	l.ready.push(h)
}

// CallSoon lets fn run in the next turn.
func (l *Loop) CallSoon(fn func()) { l.Schedule(&Handle{}, fn, 0) }

// ScheduleThreadsafe is Schedule on any goroutine.
func (l *Loop) ScheduleThreadsafe(h *Handle, fn func(), origin uintptr) error {
	h.init(l, fn, origin)
	if !l.Post(func() { l.ready.push(h) }) {
		return fmt.Errorf("asyncio: Loop.CallSoonThreadsafe: %w", ErrLoopClosed)
	}
	return nil
}

// CallSoonThreadsafe is CallSoon on any goroutine.
func (l *Loop) CallSoonThreadsafe(fn func()) error { return l.ScheduleThreadsafe(&Handle{}, fn, 0) }

// CallLater lets fn run after d on the loop's clock.
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	t := &Timer{}
	t.Init(l, fn)
	t.Reset(d)
	return t
}

// call runs a callback. Its panic is reported and does not end the loop.
func (l *Loop) call(fn func(), origin uintptr) {
	l.calling = true
	defer func() {
		l.calling = false
		if v := recover(); v != nil {
			l.Report(ExceptionInfo{
				Message: "a callback panicked",
				Err:     Errors.Panic(v, debug.Stack()),
				Created: place(origin),
			})
		}
	}()
	fn()
}

// Do runs fn now if the caller is on the loop, or else soon.
func (l *Loop) Do(fn func()) {
	if l.On() {
		fn()
	} else {
		l.Post(fn)
	}
}
