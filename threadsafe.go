package asyncio

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// A Submission is a coroutine's result, for a goroutine that is not the loop.
type Submission[T any] struct {
	loop  *loop
	done  chan struct{}
	value T
	err   error
	task  *Task[T] // loop only

	origin uintptr // where it was asked for
}

// RunThreadsafe starts fn as a task on l from any goroutine, and returns at
// once; Wait for its result (asyncio.run_coroutine_threadsafe). There and back
// it costs about 4 µs. If the loop has ended, or ends first, the result is
// [ErrLoopClosed]. A panic of the loop's task factory is the result, too, and is
// reported. The task does not start eagerly: the goroutine is not on the loop.
//
//go:noinline
func RunThreadsafe[T any](l *Loop, fn Coroutine[T], opts ...TaskOption) *Submission[T] {
	if fn == nil {
		panic("asyncio: RunThreadsafe: nil function")
	}
	s := &Submission[T]{loop: l.loop, done: make(chan struct{}), origin: callerpc.Get()}
	if !l.post(func() { s.start(fn, opts) }) {
		s.end(s.value, fmt.Errorf("asyncio: RunThreadsafe: %w", ErrLoopClosed))
	}
	return s
}

func (s *Submission[T]) start(fn Coroutine[T], opts []TaskOption) {
	if s.loop.closing {
		s.end(s.value, fmt.Errorf("asyncio: RunThreadsafe: %w", ErrLoopClosed))
		return
	}
	t := &submitted[T]{Task: Task[T]{fn: fn}, to: s}
	t.body = t
	t.observed = true
	defer func() {
		if v := recover(); v != nil {
			err := &PanicError{Value: v, Stack: debug.Stack()}
			s.loop.exception(ExceptionInfo{Message: "creating a task for RunThreadsafe panicked", Err: err})
			s.end(s.value, err)
		}
	}()
	t.create("RunThreadsafe", s.loop.top, opts, s.origin)
	s.task = &t.Task
}

// submitted is a task that hands its result to another goroutine.
type submitted[T any] struct {
	Task[T]
	to *Submission[T]
}

func (t *submitted[T]) ended() { t.to.end(t.value, t.err) }

func (s *Submission[T]) end(v T, err error) {
	s.value, s.err = v, err
	close(s.done)
}

// Wait blocks the goroutine until the result is there, or ctx is done: then it
// returns the cause of that, and the task goes on.
//
// On the loop itself, Wait would block what it waits for; it returns an error.
func (s *Submission[T]) Wait(ctx context.Context) (T, error) {
	var zero T
	if s.loop.on() {
		return zero, fmt.Errorf("asyncio: Submission.Wait: called on the event loop, which it would block; await a task instead")
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		select {
		case <-s.done: // what is there is not lost
		default:
			return zero, context.Cause(ctx)
		}
	}
	return s.value, s.err
}

// Done returns a channel that is closed when there is a result.
func (s *Submission[T]) Done() <-chan struct{} { return s.done }

// Cancel cancels the task. It may be called on any goroutine.
func (s *Submission[T]) Cancel() {
	s.loop.post(func() {
		if s.task != nil { // it is nil only if the loop was closing
			s.task.scope.cancel(context.Canceled)
		}
	})
}
