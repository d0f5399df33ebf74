package asyncio

import (
	"fmt"
	"runtime/debug"
	"time"
)

// A Handle is a callback that waits for its turn, or for a future; it can be
// cancelled until it runs.
type Handle struct {
	fn func()
	of *future // that it waits for
}

// Cancel keeps the callback from running, and reports whether that was still
// possible. It leaves nothing of it behind.
func (h *Handle) Cancel() bool {
	active := h.fn != nil
	h.fn = nil
	if h.of != nil {
		h.of.removeCallback(h)
		h.of = nil
	}
	return active
}

// Cancelled reports whether the callback was cancelled, or has run.
func (h *Handle) Cancelled() bool { return h.fn == nil }

func (h *Handle) run(l *loop) {
	if fn := h.fn; fn != nil {
		h.fn = nil
		l.call(fn)
	}
}

// call runs a callback. Its panic is reported and does not end the loop.
func (l *loop) call(fn func()) {
	l.calling = true
	defer func() {
		l.calling = false
		if v := recover(); v != nil {
			l.exception(ExceptionInfo{
				Message: "a callback panicked",
				Err:     &PanicError{Value: v, Stack: debug.Stack()},
			})
		}
	}()
	fn()
}

// CallSoon lets fn run in the loop's next turn, after what was asked for
// before. fn must not wait.
func (l *Loop) CallSoon(fn func()) *Handle {
	mustFunc("Loop.CallSoon", fn)
	l.check("Loop.CallSoon")
	h := &Handle{fn: fn}
	l.ready.push(h)
	return h
}

// CallLater lets fn run after d on the loop's clock. fn must not wait.
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallLater", fn)
	l.check("Loop.CallLater")
	return l.callAt(addTime(l.now(), d), fn)
}

// CallAt lets fn run when the loop's clock ([Loop.Time]) reaches when. Callbacks
// for the same time run in the order in which they were asked for.
func (l *Loop) CallAt(when time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallAt", fn)
	l.check("Loop.CallAt")
	return l.callAt(when, fn)
}

func (l *loop) callAt(when time.Duration, fn func()) *Timer {
	t := newTimer(l, callback(fn))
	t.when = when
	l.timers.arm(&t)
	return &t
}

// CallSoonThreadsafe lets fn run on the loop soon, and wakes the loop. It is
// the one method for any goroutine. It returns [ErrLoopClosed] if the loop has
// ended; nil means that fn will run, even if the loop ends now.
func (l *Loop) CallSoonThreadsafe(fn func()) error {
	mustFunc("Loop.CallSoonThreadsafe", fn)
	if !l.post(func() { l.ready.push(&Handle{fn: fn}) }) {
		return fmt.Errorf("asyncio: Loop.CallSoonThreadsafe: %w", ErrLoopClosed)
	}
	return nil
}

func mustFunc(call string, fn func()) {
	if fn == nil {
		panic("asyncio: " + call + ": nil function")
	}
}
