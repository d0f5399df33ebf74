package asyncio

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Submission is the result of a coroutine that was started on a loop from
// outside it. A goroutine waits for it by Wait, a coroutine of any loop by
// Await. Its methods may be called anywhere.
type Submission[T any] struct {
	loop  *engine.Loop
	done  chan struct{}
	value T
	err   error
	task  *Task[T] // loop only

	mu       sync.Mutex
	awaiters []*awaiter // nil once it is done

	origin uintptr // where it was asked for
}

// RunThreadsafe starts fn as a task on l from any goroutine, and returns at
// once; Wait for its result (asyncio.run_coroutine_threadsafe). There and back
// it costs 1 to 4 µs. If the loop has ended, or ends first, the result is
// [ErrLoopClosed]. A panic of the loop's task factory is the result, too, and is
// reported. The task does not start eagerly: the goroutine is not on the loop.
//
//go:noinline
func RunThreadsafe[T any](l *Loop, fn Coroutine[T], opts ...TaskOption) *Submission[T] {
	if fn == nil {
		panic("asyncio: RunThreadsafe: nil function")
	}
	s := &Submission[T]{loop: l.loop, done: make(chan struct{}), origin: callerpc.Get()}
	if !l.loop.Post(func() { s.start(fn, opts) }) {
		s.end(s.value, fmt.Errorf("asyncio: RunThreadsafe: %w", ErrLoopClosed))
	}
	return s
}

func (s *Submission[T]) start(fn Coroutine[T], opts []TaskOption) {
	if s.loop.Closing() {
		s.end(s.value, fmt.Errorf("asyncio: RunThreadsafe: %w", ErrLoopClosed))
		return
	}
	t := &submitted[T]{created: created[T]{Task[T]{fn: fn}}, to: s}
	t.task.Disown()
	defer func() {
		if v := recover(); v != nil {
			err := &PanicError{Value: v, Stack: debug.Stack()}
			s.loop.Report(engine.ExceptionInfo{Message: "creating a task for RunThreadsafe panicked", Err: err})
			s.end(s.value, err)
		}
	}()
	t.begin("RunThreadsafe", s.loop.Top().Ctx(), t, opts, s.origin)
	s.task = &t.Task
}

// submitted is a task that hands its result to another goroutine.
type submitted[T any] struct {
	created[T]
	to *Submission[T]
}

func (t *submitted[T]) Ended() {
	t.to.end(t.value, t.task.Peek())
	t.to.loop.HandOver() // it may be that a goroutine waits
}

func (s *Submission[T]) end(v T, err error) {
	s.value, s.err = v, err
	s.mu.Lock()
	close(s.done)
	awaiters := s.awaiters
	s.awaiters = nil
	s.mu.Unlock()
	for _, a := range awaiters {
		a.loop.Post(a.wake) // a loop that has ended has no need to know
	}
}

// Wait blocks the goroutine until the result is there, or ctx is done: then it
// returns the cause of that, and the task goes on.
//
// On the loop itself, Wait would block what it waits for; it returns an error.
// Coroutines have Await.
func (s *Submission[T]) Wait(ctx context.Context) (T, error) {
	var zero T
	if s.loop.On() {
		return zero, engine.AtOnce(fmt.Errorf("asyncio: Submission.Wait: called on the event loop, which it would block; use Await"))
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

// Await waits until the result is there and returns it, on a coroutine of any
// loop, the submission's own or another one (asyncio.wrap_future). It needs no
// goroutine. A result that is there already it gives at once, whatever the state
// of ctx.
//
// What another loop does is outside to this one: a wait for it is no deadlock,
// and a virtual clock does not stand still for it.
//
// If ctx ends first, Await returns its cause; the task goes on, and its result
// is there for others. Cancel is what ends the task.
func (s *Submission[T]) Await(ctx context.Context) (T, error) {
	p, err := engine.Step(ctx)
	if err == nil {
		err = s.await(ctx, p)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return s.value, s.err
}

// await returns an error of the wait only.
func (s *Submission[T]) await(ctx context.Context, p *engine.Parking) error {
	a := &awaiter{loop: p.Loop()}
	if a.loop == s.loop && s.task != nil && &s.task.task == p.Task() {
		return errors.New("asyncio: Submission.Await: a task cannot await itself")
	}
	if !s.enlist(a) {
		return nil
	}
	if a.loop != s.loop {
		a.loop.BeginOutside()
		defer a.loop.EndOutside()
	}
	err := p.Wait(ctx, &a.line, waitSubmission)
	if err != nil {
		s.strike(a)
	}
	return err
}

// enlist lets a be told of the end, and reports false if that has come.
func (s *Submission[T]) enlist(a *awaiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
		s.awaiters = append(s.awaiters, a)
		return true
	}
}

// strike takes enlist back.
func (s *Submission[T]) strike(a *awaiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.awaiters, a); i >= 0 {
		s.awaiters = slices.Delete(s.awaiters, i, i+1)
	}
}

// awaiter is a task that awaits a submission, which may be another loop's.
type awaiter struct {
	loop *engine.Loop // the task's
	line engine.WaitQueue
}

func (a *awaiter) wake() { a.line.Wake(1) }

var waitSubmission engine.Waitable = engine.Named("a Submission")

// Done returns a channel that is closed when there is a result.
func (s *Submission[T]) Done() <-chan struct{} { return s.done }

// Cancel cancels the task with cause, [context.Canceled] if there is none. It may
// be called on any goroutine.
func (s *Submission[T]) Cancel(cause ...error) {
	s.loop.Post(func() {
		if s.task != nil { // it is nil only if the loop was closing
			s.task.task.Scope.Cancel(causeOf(cause))
		}
	})
}
