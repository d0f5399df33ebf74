package asyncio

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-asyncio/asyncio/internal/callerpc"
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

type futureState uint8

const (
	pending futureState = iota
	finished
	cancelled
)

// future is what a Future and a Task share, whatever the type of the result.
type future struct {
	waiters  WaitQueue
	extra    *futureExtra
	err      error
	state    futureState
	observed bool   // somebody has seen how it ended, or will
	listed   bool   // in watchesOf: has its place already
	timed    bool   // made by After, so until it ends its timer is armed
	id       uint32 // of a task, for its name
}

// AnyFuture is a [Task] or a [Future], whatever the type of its result.
type AnyFuture interface {
	Waitable
	// Done reports whether there is a result, an error or a cancellation.
	Done() bool
	// Cancelled reports whether it was cancelled and ended for that reason.
	Cancelled() bool
	// Err returns the error with which it ended, nil if it ended well or is
	// not done.
	Err() error
	// Cancel asks for the result not to come, and reports whether it still could.
	Cancel(cause ...error) bool

	inner() (*future, *loop)
}

// futureExtra is what few futures have.
type futureExtra struct {
	callbacks []*Handle
	watches   *watch // see watch.go
	failure   *failure
	origin    uintptr // debug mode: where the future was made
}

// settle ends the future: everybody who waits goes on, callbacks get a turn.
func (f *future) settle(l *loop, state futureState, err error) {
	f.state, f.err = state, err
	if f.waiters.head != nil {
		f.waiters.WakeAll()
		f.observed = true
	}
	if e := f.extra; e != nil {
		f.forget(e)
		e.tell()
		for _, h := range e.callbacks {
			h.more.of = nil
			l.ready.push(h)
		}
	}
}

// forget lets go of all but what is of use after the end.
func (f *future) forget(e *futureExtra) {
	f.extra = nil
	if e.origin != 0 {
		f.extra = &futureExtra{origin: e.origin}
	}
}

func (f *future) more() *futureExtra {
	if f.extra == nil {
		f.extra = &futureExtra{}
	}
	return f.extra
}

func (f *future) addCallback(l *loop, fn func(), origin uintptr) *Handle {
	l.check("AddDoneCallback")
	h := l.newCallback(fn, origin)
	if f.state != pending {
		l.ready.push(h)
		return h
	}
	h.waitFor(f)
	f.more().callbacks = append(f.more().callbacks, h)
	return h
}

// removeCallback takes h out of those that wait for f.
func (f *future) removeCallback(h *Handle) {
	if e := f.extra; e != nil {
		if i := slices.Index(e.callbacks, h); i >= 0 {
			e.callbacks = slices.Delete(e.callbacks, i, i+1)
		}
	}
}

// A Future is a result that somebody else will set: the bridge between
// callbacks and coroutines (asyncio's Future). It belongs to its loop; set it
// from coroutines and callbacks, elsewhere through [Loop.CallSoonThreadsafe].
type Future[T any] struct {
	future
	loop  *loop
	value T
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
	if l.debug {
		f.extra = &futureExtra{origin: callerpc.Get()}
	}
	return f
}

// SetResult gives the future its value. It returns [ErrInvalidState] if the
// future is done already.
func (f *Future[T]) SetResult(v T) error {
	if err := f.settable("Future.SetResult"); err != nil {
		return err
	}
	if f.timed {
		f.disarm()
	}
	f.value = v
	f.settle(f.loop, finished, nil)
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
	if f.timed {
		f.disarm()
	}
	f.settle(f.loop, finished, err)
	if !f.observed {
		f.loop.watchFailure(&f.future, f, &failure{what: f.WaitName(), created: f.Created(), err: err})
	}
	return nil
}

// Cancel ends the future with cause, [context.Canceled] if there is none, and
// reports whether it was still pending.
func (f *Future[T]) Cancel(cause ...error) bool {
	f.loop.check("Future.Cancel")
	if f.state != pending {
		return false
	}
	if f.timed {
		f.disarm()
	}
	f.settle(f.loop, cancelled, causeOf(cause))
	return true
}

func (f *Future[T]) settable(call string) error {
	f.loop.check(call)
	if f.state != pending {
		return fmt.Errorf("%w: %s: the future is done", ErrInvalidState, call)
	}
	return nil
}

// Await waits until the future is done and returns its result. A future that
// is done already gives its result at once, whatever the state of ctx.
//
// If ctx ends first, Await returns its cause; the future goes on.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	if err := f.await(ctx, f.loop, f); err != nil {
		var zero T
		return zero, err
	}
	return f.value, f.err
}

// WaitName names the future in reports.
func (f *Future[T]) WaitName() string { return fmt.Sprintf("a Future[%T]", f.value) }

// await waits until f is settled. It returns an error of the wait only.
func (f *future) await(ctx context.Context, l *loop, what Waitable) error {
	if l == nil {
		l.check("Future.Await")
	}
	if !l.on() || f.state == pending {
		w, err := running(ctx)
		if err != nil {
			return err
		}
		if w.State.task.scope.loop != l {
			return errOtherLoop
		}
		if err := w.State.wait(ctx, &f.waiters, what); err != nil {
			return err
		}
	}
	f.observe(l)
	return nil
}

// observe notes that somebody has seen how the future ended.
//
// A loop that has ended is told nothing: then any goroutine may ask.
func (f *future) observe(l *loop) {
	if l.closed {
		return
	}
	f.observed = true
	if f.extra != nil && f.extra.failure != nil {
		f.extra.failure.settled()
		f.forget(f.extra)
	}
}

// Done reports whether the future has a result, an error or a cancellation.
func (f *Future[T]) Done() bool { return f.state != pending }

// Cancelled reports whether the future was cancelled.
func (f *Future[T]) Cancelled() bool { return f.state == cancelled }

// Result returns the outcome, or [ErrInvalidState] if the future is pending.
func (f *Future[T]) Result() (T, error) {
	if f.state == pending {
		return f.value, fmt.Errorf("%w: Future.Result: the future is pending", ErrInvalidState)
	}
	f.observe(f.loop)
	return f.value, f.err
}

// Err returns the error with which the future ended, nil if it has a result or
// is pending.
func (f *Future[T]) Err() error {
	if f.state != pending {
		f.observe(f.loop)
	}
	return f.err
}

// AddDoneCallback lets fn run on the loop once the future is done: soon, if it
// is now. Cancelling the Handle takes that back. fn must not wait.
//
//go:noinline
func (f *Future[T]) AddDoneCallback(fn func(*Future[T])) *Handle {
	if fn == nil {
		panic("asyncio: AddDoneCallback: nil function")
	}
	return f.addCallback(f.loop, func() { fn(f) }, callerpc.Get())
}

func (f *Future[T]) inner() (*future, *loop) { return &f.future, f.loop }

// Created returns where the future was made, as file:line, if its loop was in
// debug mode then; else "".
func (f *Future[T]) Created() string {
	if f.extra == nil {
		return ""
	}
	return place(f.extra.origin)
}

// String shows the state of the future, how it ended, and how many wait for it.
func (f *Future[T]) String() string {
	var b strings.Builder
	b.WriteString(f.WaitName())
	switch {
	case f.state == pending:
		b.WriteString(" (pending")
		if f.extra != nil && len(f.extra.callbacks) > 0 {
			fmt.Fprintf(&b, ", %d callbacks", len(f.extra.callbacks))
		}
	case f.state == cancelled:
		fmt.Fprintf(&b, " (cancelled: %v", f.err)
	case f.err != nil:
		fmt.Fprintf(&b, " (failed: %v", f.err)
	default:
		fmt.Fprintf(&b, " (result: %v", f.value)
	}
	if at := f.Created(); at != "" {
		fmt.Fprintf(&b, ", created at %s", at)
	}
	return b.String() + f.waiters.waiting()
}

// place returns the file:line of a program counter, "" if it is this package's.
func place(pc uintptr) string {
	f := callerpc.Frame(pc)
	if f.PC == 0 || ownFrame(f.Function) {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// causeOf returns the cause that a Cancel was given.
func causeOf(cause []error) error {
	if len(cause) > 0 && cause[0] != nil {
		return cause[0]
	}
	return context.Canceled
}
