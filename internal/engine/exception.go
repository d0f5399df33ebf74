package engine

import (
	"context"
	"log/slog"
	"runtime/debug"
)

// An ExceptionInfo describes a failure that no code was there to receive; it is
// the root package's.
type ExceptionInfo struct {
	Message string
	Err     error
	Task    string
	Created string
	Context context.Context
}

// Report hands a failure to the exception handler. A handler that panics is
// reported in its turn, with the failure that it was called for.
func (l *Loop) Report(info ExceptionInfo) {
	if l.Handler == nil {
		l.logException(info)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			l.logException(info)
			l.logException(ExceptionInfo{
				Message: "the exception handler panicked",
				Err:     Errors.Panic(v, debug.Stack()),
			})
		}
	}()
	l.Handler(info)
}

// logException is the default exception handler.
func (l *Loop) logException(info ExceptionInfo) {
	l.say(&report{level: slog.LevelError, message: info.Message, err: info.Err, task: info.Task, created: info.Created})
}
