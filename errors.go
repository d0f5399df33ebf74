package asyncio

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

var (
	// ErrLoopClosed is returned by calls that need a loop which has ended, and
	// by the waits of tasks that are abandoned at its end.
	ErrLoopClosed = engine.ErrLoopClosed

	// ErrLoopStopped is returned by Run when [Loop.Stop] has ended it before main
	// had returned.
	ErrLoopStopped = engine.ErrLoopStopped

	// ErrNotOnLoop is returned by a wait whose context does not come from a
	// coroutine of this package.
	ErrNotOnLoop = engine.ErrNotOnLoop

	// ErrWrongGoroutine is returned by a wait on a goroutine that is not its
	// loop's.
	ErrWrongGoroutine = engine.ErrWrongGoroutine

	// ErrWrongContext is returned by a wait with the context of another task.
	ErrWrongContext = engine.ErrWrongContext

	// ErrInvalidState is returned by operations that the state of a future does
	// not allow: a second result, or the result of one that is not done.
	ErrInvalidState = engine.ErrInvalidState

	// ErrInterrupted is the cause with which Ctrl-C cancels the main task.
	ErrInterrupted = engine.ErrInterrupted

	// ErrGoexit is the error of a task that ended by runtime.Goexit.
	ErrGoexit = engine.ErrGoexit
)

// The engine makes the errors of this package by these functions, and reaches what
// users have of it.
func init() {
	engine.Errors.Panic = func(v any, stack []byte) error { return &PanicError{Value: v, Stack: stack} }
	engine.Errors.IsPanic = func(err error) bool { _, ok := err.(*PanicError); return ok }
	engine.Errors.Timeout = func(after time.Duration) error { return &TimeoutError{After: after} }
	engine.Errors.IsTimeout = func(err error) bool { _, ok := err.(*TimeoutError); return ok }
	engine.Errors.Deadlock = func(tasks, unless []string) error { return &DeadlockError{Tasks: tasks, Unless: unless} }
	engine.Unwrap = func(l any) *engine.Loop { return l.(*Loop).loop }
	engine.AsCase = func(c engine.Case) any { return otherCase{c} }
	engine.Option = func(set func(*engine.Config)) any { return Option{func(c *config) { set(&c.engine) }} }
}

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

// Error returns the value and where the panic was: the stack from the line that
// panicked on, without the lines of Go's runtime and of this library, which
// Stack has.
func (e *PanicError) Error() string {
	return fmt.Sprintf("asyncio: panic: %v\n\n%s", e.Value, engine.TrimPanic(string(e.Stack)))
}

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A DeadlockError says that tasks wait and that nothing can ever wake them.
//
// [Run] ends with one when no task is ready, no timer is set, and nothing that
// comes from outside (I/O, threads, signals) is under way. While other tasks of
// the program live, the exception handler is given one for tasks that wait for
// one another: each waits for the next one to end, to release a lock or a permit,
// to notify a condition whose lock it holds, or to come to a barrier. If something
// that is not under way could still wake one of them, the deadlock is a likely one,
// and Unless says what that is.
type DeadlockError struct {
	Tasks  []string // each task, what it waits for, who holds that, and where
	Unless []string // what could still wake one of them; empty if nothing can
}

func (e *DeadlockError) Error() string {
	if len(e.Tasks) == 0 {
		return "asyncio: deadlock: there is nothing to do, and nobody who could stop the loop"
	}
	if len(e.Unless) > 0 {
		return "asyncio: likely deadlock: these tasks wait for one another:\n\t" + strings.Join(e.Tasks, "\n\t") +
			"\nnothing else can wake them, unless\n\t" + strings.Join(e.Unless, "\n\t")
	}
	return "asyncio: deadlock: nothing can wake the tasks that wait:\n\t" + strings.Join(e.Tasks, "\n\t")
}

// causeOf returns the cause that a Cancel was given.
func causeOf(cause []error) error {
	if len(cause) > 0 && cause[0] != nil {
		return cause[0]
	}
	return context.Canceled
}
