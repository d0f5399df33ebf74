package asyncio

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
)

// An ExceptionInfo describes a failure that no code was there to receive.
type ExceptionInfo struct {
	Message string // what happened
	Err     error  // the error, a *PanicError for a panic
	Task    string // the task or future that failed, if it was one
	Created string // where that was created, as file:line, if it is known

	// Context is that of the task, for what its values say of the failure; nil
	// if it was none. Nothing may wait with it.
	Context context.Context
}

// failure is an error that nobody has looked at yet. It is reported when what
// failed is dropped, or else when the loop ends: failures are never lost.
type failure struct {
	loop    *loop
	what    string
	created string
	context context.Context
	err     error
	cleanup runtime.Cleanup
	listed  *list.Element // in loop.failures; nil when seen or reported
}

func (t *task) failure(err error) *failure {
	return &failure{what: t.Name(), created: t.Created(), context: t.scope.given.values, err: err}
}

// watchFailure remembers a failure until it is observed; owner is what holds it.
func (l *loop) watchFailure(f *future, owner any, fail *failure) {
	fail.loop = l
	f.more().failure = fail
	fail.listed = l.failures.PushBack(fail)
	dropped := func(fail *failure) { l.post(fail.report) }
	switch o := owner.(type) {
	case *task:
		fail.cleanup = runtime.AddCleanup(o, dropped, fail)
	default:
		fail.cleanup = runtime.AddCleanup(f, dropped, fail)
	}
}

// settled ends the watch: somebody has seen the error.
func (f *failure) settled() {
	if f.listed != nil {
		f.loop.failures.Remove(f.listed)
		f.listed = nil
		f.cleanup.Stop()
	}
}

func (f *failure) report() {
	if f.listed == nil {
		return
	}
	f.settled()
	f.loop.exception(ExceptionInfo{
		Message: "the error of a task or future was never retrieved",
		Err:     f.err, Task: f.what, Created: f.created, Context: f.context,
	})
}

// exception hands a failure to the exception handler. A handler that panics is
// reported in its turn, with the failure that it was called for.
func (l *loop) exception(info ExceptionInfo) {
	if l.handler == nil {
		l.logException(info)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			l.logException(info)
			l.logException(ExceptionInfo{
				Message: "the exception handler panicked",
				Err:     &PanicError{Value: v, Stack: debug.Stack()},
			})
		}
	}()
	l.handler(info)
}

// logException is the default exception handler.
func (l *loop) logException(info ExceptionInfo) {
	defer func() { // a broken slog.Handler must not end the loop
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "asyncio: logging panicked: %v\nasyncio: %s: %v\n", v, info.Message, info.Err)
		}
	}()
	args := []any{slog.Any("err", info.Err)}
	if info.Task != "" {
		args = append(args, slog.String("task", info.Task))
	}
	if info.Created != "" {
		args = append(args, slog.String("created", info.Created))
	}
	l.log().Error(fmt.Sprintf("asyncio: %s", info.Message), args...)
}
