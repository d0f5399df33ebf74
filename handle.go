package asyncio

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// A Handle is a callback that waits for its turn, or for a future; it can be
// cancelled until it runs.
type Handle struct {
	fn   func()
	more *handleMore
}

// handleMore is what few Handles have.
type handleMore struct {
	of     *future // that it waits for
	origin uintptr // debug mode: where it was made
}

func (l *loop) newCallback(fn func(), origin uintptr) *Handle {
	if l.debug {
		return &Handle{fn, &handleMore{origin: origin}}
	}
	return &Handle{fn: fn}
}

// waitFor makes h a callback of f.
func (h *Handle) waitFor(f *future) {
	if h.more == nil {
		h.more = &handleMore{}
	}
	h.more.of = f
}

func (h *Handle) origin() uintptr {
	if h.more == nil {
		return 0
	}
	return h.more.origin
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

// Cancelled reports whether the callback was cancelled, or has run.
func (h *Handle) Cancelled() bool { return h.fn == nil }

func (h *Handle) run(l *loop) {
	if fn := h.fn; fn != nil {
		h.fn = nil
		l.call(fn, h.origin())
	}
}

// String shows the callback's function and source position, and in debug mode
// where the Handle was made.
func (h *Handle) String() string {
	if h.fn == nil {
		return "a Handle (cancelled, or has run" + madeAt(h.origin()) + ")"
	}
	return "a Handle (" + describeFunc(h.fn) + madeAt(h.origin()) + ")"
}

// madeAt is the end of a description.
func madeAt(origin uintptr) string {
	if at := place(origin); at != "" {
		return ", made at " + at
	}
	return ""
}

// describeFunc names a function and says where it is.
func describeFunc(fn func()) string {
	f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer())
	file, line := f.FileLine(f.Entry())
	return fmt.Sprintf("%s at %s:%d", path.Base(f.Name()), file, line)
}

// call runs a callback. Its panic is reported and does not end the loop.
func (l *loop) call(fn func(), origin uintptr) {
	l.calling = true
	defer func() {
		l.calling = false
		if v := recover(); v != nil {
			l.exception(ExceptionInfo{
				Message: "a callback panicked",
				Err:     &PanicError{Value: v, Stack: debug.Stack()},
				Created: place(origin),
			})
		}
	}()
	fn()
}

// CallSoon lets fn run in the loop's next turn, after what was asked for
// before. fn must not wait.
//
//go:noinline
func (l *Loop) CallSoon(fn func()) *Handle {
	mustFunc("Loop.CallSoon", fn)
	l.check("Loop.CallSoon")
	h := l.newCallback(fn, callerpc.Get())
	l.ready.push(h)
	return h
}

// CallLater lets fn run after d on the loop's clock. fn must not wait.
//
//go:noinline
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallLater", fn)
	l.check("Loop.CallLater")
	return l.callAt(addTime(l.now(), d), fn, callerpc.Get())
}

// CallAt lets fn run when the loop's clock ([Loop.Time]) reaches when. Callbacks
// for the same time run in the order in which they were asked for.
//
//go:noinline
func (l *Loop) CallAt(when time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallAt", fn)
	l.check("Loop.CallAt")
	return l.callAt(when, fn, callerpc.Get())
}

func (l *loop) callAt(when time.Duration, fn func(), origin uintptr) *Timer {
	t := newTimer(l, l.newAlarm(fn, origin))
	t.when = when
	l.timers.arm(&t)
	return &t
}

// CallSoonThreadsafe lets fn run on the loop soon, and wakes the loop. It is
// the one method for any goroutine. It returns [ErrLoopClosed] if the loop has
// ended; nil means that fn will run, even if the loop ends now.
//
//go:noinline
func (l *Loop) CallSoonThreadsafe(fn func()) error {
	mustFunc("Loop.CallSoonThreadsafe", fn)
	h := l.newCallback(fn, callerpc.Get())
	if !l.post(func() { l.ready.push(h) }) {
		return fmt.Errorf("asyncio: Loop.CallSoonThreadsafe: %w", ErrLoopClosed)
	}
	return nil
}

func mustFunc(call string, fn func()) {
	if fn == nil {
		panic("asyncio: " + call + ": nil function")
	}
}
