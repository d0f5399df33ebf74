package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
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
