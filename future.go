package asyncio

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// An Awaitable is a result to come: a [Task] or a [Future].
type Awaitable[T any] interface {
	// Await waits for the result and returns it. See [Future.Await].
	Await(ctx context.Context) (T, error)
	// Done reports whether there is a result, an error or a cancellation.
	Done() bool
	// Result returns the outcome, or ErrInvalidState if there is none yet.
	Result() (T, error)
	// Cancel asks for the result not to come, and reports whether it still could.
	Cancel(cause ...error) bool
}

// AnyFuture is a [Task] or a [Future], whatever the type of its result.
type AnyFuture interface {
	// Done reports whether there is a result, an error or a cancellation.
	Done() bool
	// Cancelled reports whether it was cancelled and ended for that reason.
	Cancelled() bool
	// Err returns the error with which it ended, nil if it ended well or is
	// not done.
	Err() error
	// Cancel asks for the result not to come, and reports whether it still could.
	Cancel(cause ...error) bool

	inner() (*engine.Future, *engine.Loop)
	name() string // for reports
}

// A Future is a result that somebody else will set: the bridge between
// callbacks and coroutines (asyncio's Future). It belongs to its loop; set it
// from coroutines and callbacks, elsewhere through [Loop.CallSoonThreadsafe].
type Future[T any] struct {
	future engine.Future
	loop   *engine.Loop
	value  T
}

// NewFuture returns a future that is pending. In debug mode it remembers where
// it was made.
//
//go:noinline
func NewFuture[T any](l *Loop) *Future[T] {
	if l == nil {
		panic("asyncio: NewFuture: the Loop is nil; RunningLoop gives it")
	}
	f := &Future[T]{loop: l.loop}
	if l.loop.Debug {
		f.future.Remember(callerpc.Get())
	}
	return f
}

// SetResult gives the future its value. It returns [ErrInvalidState] if the
// future is done already.
func (f *Future[T]) SetResult(v T) error {
	if err := f.settable("Future.SetResult"); err != nil {
		return err
	}
	if f.future.Timed {
		f.disarm()
	}
	f.value = v
	f.future.Resolve(f.loop, engine.Finished, nil)
	return nil
}

// SetError lets the future fail with err, which must not be nil. It returns
// [ErrInvalidState] if the future is done already.
func (f *Future[T]) SetError(err error) error {
	if err == nil {
		return fmt.Errorf("asyncio: Future.SetError: the error is nil; use SetResult")
	}
	if err := f.settable("Future.SetError"); err != nil {
		return err
	}
	if f.future.Timed {
		f.disarm()
	}
	f.future.Resolve(f.loop, engine.Finished, err)
	f.future.Unseen(f.loop, f.name(), f.Created())
	return nil
}

// Cancel ends the future with cause, [context.Canceled] if there is none, and
// reports whether it was still pending.
func (f *Future[T]) Cancel(cause ...error) bool {
	f.loop.Check("Future.Cancel")
	if f.future.Done() {
		return false
	}
	if f.future.Timed {
		f.disarm()
	}
	f.future.Resolve(f.loop, engine.Cancelled, causeOf(cause))
	return true
}

func (f *Future[T]) settable(call string) error {
	f.loop.Check(call)
	if f.future.Done() {
		return fmt.Errorf("%w: %s: the future is done", ErrInvalidState, call)
	}
	return nil
}

// Await waits until the future is done and returns its result. A future that
// is done already gives its result at once, whatever the state of ctx.
//
// If ctx ends first, Await returns its cause; the future goes on.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	p, err := f.future.Awaiting(ctx, f.loop)
	if p != nil && err == nil {
		err = p.Wait(ctx, f.future.Line(), (*waitFuture[T])(f))
	}
	if err != nil {
		var zero T
		return zero, err
	}
	f.future.Observe(f.loop)
	return f.value, f.future.Peek()
}

// waitFuture is a Future as what a task waits for.
type waitFuture[T any] Future[T]

func (f *waitFuture[T]) WaitName() string { return (*Future[T])(f).name() }

func (f *Future[T]) name() string { return fmt.Sprintf("a Future[%T]", f.value) }

// Done reports whether the future has a result, an error or a cancellation.
func (f *Future[T]) Done() bool { return f.future.Done() }

// Cancelled reports whether the future was cancelled.
func (f *Future[T]) Cancelled() bool { return f.future.State() == engine.Cancelled }

// Result returns the outcome, or [ErrInvalidState] if the future is pending.
func (f *Future[T]) Result() (T, error) {
	if !f.future.Done() {
		return f.value, fmt.Errorf("%w: Future.Result: the future is pending", ErrInvalidState)
	}
	return f.value, f.future.Seen(f.loop)
}

// Err returns the error with which the future ended, nil if it has a result or
// is pending.
func (f *Future[T]) Err() error { return f.future.Seen(f.loop) }

// AddDoneCallback lets fn run on the loop once the future is done: soon, if it
// is now. Cancelling the Handle takes that back. fn must not wait.
//
//go:noinline
func (f *Future[T]) AddDoneCallback(fn func(*Future[T])) *Handle {
	if fn == nil {
		panic("asyncio: AddDoneCallback: nil function")
	}
	f.loop.Check("AddDoneCallback")
	h := &Handle{}
	f.future.OnDone(f.loop, &h.handle, func() { fn(f) }, callerpc.Get())
	return h
}

func (f *Future[T]) inner() (*engine.Future, *engine.Loop) { return &f.future, f.loop }

// Created returns where the future was made, as file:line, if its loop was in
// debug mode then; else "".
func (f *Future[T]) Created() string { return f.future.Made() }

// String shows the state of the future, how it ended, and how many wait for it.
func (f *Future[T]) String() string {
	var b strings.Builder
	b.WriteString(f.name())
	err := f.future.Peek()
	switch {
	case !f.future.Done():
		b.WriteString(" (pending")
		if n := f.future.Callbacks(); n > 0 {
			fmt.Fprintf(&b, ", %d callbacks", n)
		}
	case f.Cancelled():
		fmt.Fprintf(&b, " (cancelled: %v", err)
	case err != nil:
		fmt.Fprintf(&b, " (failed: %v", err)
	default:
		fmt.Fprintf(&b, " (result: %v", f.value)
	}
	if at := f.Created(); at != "" {
		fmt.Fprintf(&b, ", created at %s", at)
	}
	return b.String() + f.future.Waiting()
}
