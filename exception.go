package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
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

// engineHandler is h as the engine calls it.
func engineHandler(h func(ExceptionInfo)) func(engine.ExceptionInfo) {
	if h == nil {
		return nil
	}
	return func(info engine.ExceptionInfo) { h(ExceptionInfo(info)) }
}
