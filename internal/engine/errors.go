package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// misuse is one of these errors with the user's line in which it came about. To
// note the calls takes 0.5 µs; which of them is the user's is found out when
// somebody reads the text.
type misuse struct {
	err   error
	calls [32]uintptr
	n     int
}

// misused returns err with the line of the call.
func misused(err error) error {
	m := &misuse{err: err}
	m.n = runtime.Callers(3, m.calls[:])
	return m
}

func (m *misuse) Error() string {
	if f, ok := usersFrame(frames(m.calls[:m.n])); ok {
		return fmt.Sprintf("%v (at %s:%d)", m.err, f.File, f.Line)
	}
	return m.err.Error()
}

func (m *misuse) Unwrap() error { return m.err }

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
