package engine

import (
	"context"
	"errors"
	"time"
)

// The errors that users test for are declared, with their documentation, in the root package; these are their values.
var (
	ErrLoopClosed     = errors.New("asyncio: the event loop is closed")
	ErrLoopStopped    = errors.New("asyncio: the event loop was stopped before the main function had returned")
	ErrNotOnLoop      = errors.New("asyncio: the context does not belong to an event loop; pass on the context that the coroutine was given")
	ErrWrongGoroutine = errors.New("asyncio: called from a goroutine that is not the event loop's; use RunThreadsafe or Loop.CallSoonThreadsafe there")
	ErrWrongContext   = errors.New("asyncio: called with the context of another task; pass on the context that the running task was given")
	ErrInvalidState   = errors.New("asyncio: invalid state")
	ErrGoexit         = errors.New("asyncio: the task called runtime.Goexit")
	ErrOtherLoop      = errors.New("asyncio: what is waited for belongs to another event loop; use RunThreadsafe")

	ErrInterrupted error = &interruptedError{}
)

type interruptedError struct{}

func (*interruptedError) Error() string        { return "asyncio: interrupted" }
func (*interruptedError) Is(target error) bool { return target == context.Canceled }

// Errors makes the errors whose types users see: they are the root package's, which sets these functions.
var Errors struct {
	Panic     func(value any, stack []byte) error
	IsPanic   func(error) bool
	Timeout   func(after time.Duration) error
	IsTimeout func(error) bool
	Deadlock  func(tasks, unless []string) error
}
