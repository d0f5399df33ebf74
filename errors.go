package asyncio

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLoopClosed is returned by calls that need a loop which has ended, and
	// by the waits of tasks that are abandoned at its end.
	ErrLoopClosed = errors.New("asyncio: the event loop is closed")

	// ErrNotOnLoop is returned by a wait whose context does not come from a
	// coroutine of this package.
	ErrNotOnLoop = errors.New("asyncio: the context does not belong to an event loop; pass on the context that the coroutine was given")

	// ErrWrongGoroutine is returned by a wait on a goroutine that is not its
	// loop's.
	ErrWrongGoroutine = errors.New("asyncio: called from a goroutine that is not the event loop's; use RunThreadsafe or Loop.CallSoonThreadsafe there")

	// ErrWrongContext is returned by a wait with the context of another task.
	ErrWrongContext = errors.New("asyncio: called with the context of another task; pass on the context that the running task was given")

	// ErrInvalidState is returned by operations that the state of a future does
	// not allow: a second result, or the result of one that is not done.
	ErrInvalidState = errors.New("asyncio: invalid state")

	// ErrInterrupted is the cause with which Ctrl-C cancels the main task.
	ErrInterrupted error = &interruptedError{}

	// ErrGoexit is the error of a task that ended by runtime.Goexit.
	ErrGoexit = errors.New("asyncio: the task called runtime.Goexit")
)

type interruptedError struct{}

func (*interruptedError) Error() string        { return "asyncio: interrupted" }
func (*interruptedError) Is(target error) bool { return target == context.Canceled }

// A TimeoutError says that a timeout's time is up. It is a
// [context.DeadlineExceeded] and a [net.Error] whose Timeout is true. Each
// timeout has its own, so that nested ones can be told apart.
type TimeoutError struct {
	After time.Duration // the time that was given, in the loop's time
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("asyncio: timed out after %v", e.After)
}

// Is reports true for [context.DeadlineExceeded].
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout is always true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary is always true, as for [context.DeadlineExceeded].
func (e *TimeoutError) Temporary() bool { return true }

// A PanicError is the error of a task whose function panicked.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // the stack at the panic, as from debug.Stack
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("asyncio: panic: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
