package asyncio

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"time"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Handle is a callback that waits for its turn, or for a future; it can be
// cancelled until it runs.
type Handle struct{ handle engine.Handle }

// Cancel keeps the callback from running, and reports whether that was still
// possible. It leaves nothing of it behind.
func (h *Handle) Cancel() bool { return h.handle.Cancel() }

// Cancelled reports whether the callback was cancelled, or has run.
func (h *Handle) Cancelled() bool {
	fn, _ := h.handle.Func()
	return fn == nil
}

// String shows the callback's function and source position, and in debug mode
// where the Handle was made.
func (h *Handle) String() string {
	fn, origin := h.handle.Func()
	if fn == nil {
		return "a Handle (cancelled, or has run" + madeAt(origin) + ")"
	}
	return "a Handle (" + describeFunc(fn) + madeAt(origin) + ")"
}

// madeAt is the end of a description.
func madeAt(origin uintptr) string {
	if at := engine.Place(origin); at != "" {
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

// CallSoon lets fn run in the loop's next turn, after what was asked for
// before. fn must not wait.
//
//go:noinline
func (l *Loop) CallSoon(fn func()) *Handle {
	mustFunc("Loop.CallSoon", fn)
	l.loop.Check("Loop.CallSoon")
	h := &Handle{}
	l.loop.Schedule(&h.handle, fn, callerpc.Get())
	return h
}

// CallLater lets fn run after d on the loop's clock. fn must not wait.
//
//go:noinline
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallLater", fn)
	l.loop.Check("Loop.CallLater")
	return l.callAt(engine.AddTime(l.loop.Time(), d), fn, callerpc.Get())
}

// CallAt lets fn run when the loop's clock ([Loop.Time]) reaches when. Callbacks
// for the same time run in the order in which they were asked for.
//
//go:noinline
func (l *Loop) CallAt(when time.Duration, fn func()) *Timer {
	mustFunc("Loop.CallAt", fn)
	l.loop.Check("Loop.CallAt")
	return l.callAt(when, fn, callerpc.Get())
}

func (l *Loop) callAt(when time.Duration, fn func(), origin uintptr) *Timer {
	t := &Timer{}
	t.timer.InitAt(l.loop, fn, origin)
	t.timer.Arm(when)
	return t
}

// CallSoonThreadsafe lets fn run on the loop soon, and wakes the loop. It is
// the one method for any goroutine. It returns [ErrLoopClosed] if the loop has
// ended; nil means that fn will run, even if the loop ends now.
//
//go:noinline
func (l *Loop) CallSoonThreadsafe(fn func()) error {
	mustFunc("Loop.CallSoonThreadsafe", fn)
	return l.loop.ScheduleThreadsafe(&engine.Handle{}, fn, callerpc.Get())
}

func mustFunc(call string, fn func()) {
	if fn == nil {
		panic("asyncio: " + call + ": nil function")
	}
}
