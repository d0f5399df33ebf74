package asyncio

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Loop is an event loop: it lets the tasks that are ready take turns, and
// sleeps until a timer, the operating system or another goroutine makes one
// ready. One loop uses one core.
//
// Most programs never see it: [Run] makes one. Its methods belong to its own
// coroutines and callbacks, but for [Loop.CallSoonThreadsafe], and they panic
// with a message that says so when they are called elsewhere.
//
// Whoever has taken the Loop, by [RunningLoop] or [NewLoop], may call in at any
// time. So when nothing else can ever wake its tasks, that is only a likely
// deadlock: it is reported once, after a second, through the exception handler,
// and the loop goes on waiting.
type Loop struct {
	loop      *engine.Loop
	limiter   *ThreadLimiter
	threadCap int
	calls     threadCalls
	factory   TaskFactory
	execute   func(work func())
}

// NewLoop returns a loop that does not run yet, for tests that step it with
// [Loop.RunOnce] and for programs that embed it. Close it when done.
func NewLoop(opts ...Option) (*Loop, error) {
	l, err := newLoop(opts)
	if err != nil {
		return nil, err
	}
	l.loop.Take()
	return l, nil
}

func newLoop(opts []Option) (*Loop, error) {
	c := newConfig(opts)
	l := &Loop{limiter: NewThreadLimiter(c.maxThreads), threadCap: c.threads(), factory: c.factory, execute: c.execute}
	var err error
	if l.loop, err = engine.New(c.engine); err != nil {
		return nil, err
	}
	l.loop.Face = l
	return l, nil
}

// face returns the Loop of which l is the engine.
func face(l *engine.Loop) *Loop { return l.Face.(*Loop) }

// RunningLoop returns the loop on which the caller runs (asyncio's
// get_running_loop). It panics on a goroutine that is not the loop's: take the
// Loop on the loop, and hand it to the goroutine that will call in.
func RunningLoop(ctx context.Context) *Loop {
	l := engine.MustLoopOf("RunningLoop", ctx)
	l.Take()
	return face(l)
}

// OnLoop reports whether the caller runs on the loop: in one of its coroutines
// or callbacks. It may be asked on any goroutine.
func (l *Loop) OnLoop() bool { return l.loop.On() }

// Context returns the loop's own context, the parent for tasks that are created
// from callbacks or before the loop runs.
func (l *Loop) Context() context.Context { return l.loop.Context() }

// Time returns the time on the loop's clock, which starts at zero, never goes
// back, and is virtual if the loop was made so.
func (l *Loop) Time() time.Duration { return l.loop.Time() }

// Now returns the wall-clock time, as far as the loop's clock has come.
func (l *Loop) Now() time.Time { return l.loop.Now() }

// Debug reports whether the loop is in debug mode.
func (l *Loop) Debug() bool { return l.loop.Debug }

// SetExceptionHandler replaces the exception handler; nil brings back the
// default, which logs.
func (l *Loop) SetExceptionHandler(h func(ExceptionInfo)) {
	l.loop.Check("Loop.SetExceptionHandler")
	l.loop.Handler = engineHandler(h)
}

// CallException reports a failure through the exception handler (asyncio's
// call_exception_handler).
func (l *Loop) CallException(info ExceptionInfo) {
	l.loop.Check("Loop.CallException")
	l.loop.Report(engine.ExceptionInfo(info))
}

// RunOnce runs one turn: what was ready when it began, or if nothing was, what
// becomes ready after waiting for it. It reports whether anything ran; false
// means that nothing ever will. It is for tests.
func (l *Loop) RunOnce() bool { return l.loop.RunOnce() }

// Close ends the loop. Tasks that have not ended are cancelled and awaited, as at
// the end of [Run], so their clean-up under [Shield] can wait. Connections and
// files that are still open are closed, and failures that nobody saw are reported.
// Closing again does nothing.
//
// A task that goes on waiting although it is cancelled, time and again, is
// unwound. Close returns a [*DeadlockError] if a task could not end at all; that
// is unwound, too: its waits fail with [ErrLoopClosed] until it returns. Close
// panics if the loop runs.
func (l *Loop) Close() error { return l.loop.Close("Loop.Close") }
