package asyncio

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// None is the result of a coroutine that has none.
type None = struct{}

// A Coroutine is what a task runs: any function that takes a context and
// waits, if at all, with that context.
type Coroutine[T any] = func(ctx context.Context) (T, error)

// AnyTask is a [Task], whatever the type of its result.
type AnyTask interface {
	AnyFuture
	// Name returns the name given at creation, or Task-1, Task-2, and so on.
	Name() string
	// SetName gives the task another name.
	SetName(name string)
	// Context returns the context that the task's function was given.
	Context() context.Context
	// Cancelling reports whether the task is cancelled and has not ended yet.
	Cancelling() bool
	// Created returns where the task was created, as file:line.
	Created() string
	// Stack returns where the task is; see Task.Stack.
	Stack() []runtime.Frame
}

// A Task is a coroutine that was started, and its result to come.
//
// It runs until its function returns; cancelling it ends the waits of the
// function with the cause. A task is a [Awaitable]; awaiting does not own: when
// a waiter is cancelled, the task goes on.
type Task[T any] struct {
	task  engine.Task
	value T
	fn    Coroutine[T]
}

// CreateTask starts fn as a task of its own in the next turn of the loop, and
// returns at once (asyncio.create_task). It costs one allocation.
//
// The task is cancelled when ctx is: it belongs to the innermost timeout, group
// or other block of ctx. It outlives the task that creates it, though; what
// still runs when the main function returns is cancelled and awaited then. A
// task always starts: if ctx is cancelled already, its function sees that.
//
// CreateTask panics if it is not called on the loop of ctx.
//
//go:noinline
func CreateTask[T any](ctx context.Context, fn Coroutine[T], opts ...TaskOption) *Task[T] {
	if fn == nil {
		panic("asyncio: CreateTask: nil function")
	}
	t := &created[T]{Task[T]{fn: fn}}
	t.begin("CreateTask", ctx, t, opts, callerpc.Get())
	return &t.Task
}

// Go is [CreateTask] for a function that has no result but an error.
//
//go:noinline
func Go(ctx context.Context, fn func(ctx context.Context) error, opts ...TaskOption) *Task[None] {
	if fn == nil {
		panic("asyncio: Go: nil function")
	}
	t := &plainTask{plain(fn)}
	t.begin("Go", ctx, t, opts, callerpc.Get())
	return &t.Task
}

// begin starts the task below ctx; body is the struct around it.
func (t *Task[T]) begin(call string, ctx context.Context, body engine.Body, opts []TaskOption, origin uintptr) {
	l := engine.MustLoopOf(call, ctx)
	t.task.Begin(l, ctx, body, face(l).specify(ctx, opts), origin)
}

// created is a Task with what the engine calls, which users need not see.
type created[T any] struct{ Task[T] }

// Exec runs the task's function on the current worker.
func (t *created[T]) Exec() {
	fn := t.fn
	t.fn = nil
	if wrap := t.task.Wrap(); wrap != nil {
		t.task.Finish(wrap(t.task.Scope.Ctx(), func(ctx context.Context) (err error) {
			t.value, err = fn(ctx)
			return err
		}))
		return
	}
	var err error
	t.value, err = fn(t.task.Scope.Ctx())
	t.task.Finish(err)
}

func (t *created[T]) Ended()                        {}
func (t *created[T]) Face() any                     { return &t.Task }
func (t *created[T]) Awaiters() []*engine.WaitQueue { return nil }
func (t *created[T]) Joiner() *engine.WaitQueue     { return nil }

// plainTask is a task whose function returns an error only. Wrapping that in a
// Coroutine[None] would be another allocation, and a field for it eight bytes in
// each task: so it is kept in fn under a type that is not its own, see plain.
type plainTask struct{ created[None] }

// plain returns a task for do. Nobody but takePlain may look at its fn.
func plain(do func(ctx context.Context) error) created[None] {
	return created[None]{Task[None]{fn: *(*Coroutine[None])(unsafe.Pointer(&do))}}
}

// takePlain takes the function out of a task that plain has made.
func (t *created[T]) takePlain() func(ctx context.Context) error {
	do := *(*func(ctx context.Context) error)(unsafe.Pointer(&t.fn))
	t.fn = nil
	return do
}

func (t *plainTask) Exec() { t.task.Finish(t.task.Around(t.takePlain())(t.task.Scope.Ctx())) }

// Await waits until the task has ended and returns its result. A task that has
// ended already gives it at once, whatever the state of ctx. A panic of the
// task is returned as a [*PanicError].
//
// If ctx ends first, Await returns its cause; the task goes on.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	l := t.task.Scope.Loop()
	p, err := t.task.Awaiting(ctx, l)
	if p != nil && err == nil {
		p.Behind(&t.task)
		err = p.Wait(ctx, t.task.Line(), &t.task)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	t.task.Observe(l)
	return t.value, t.task.Peek()
}

// Cancel cancels the task's context with cause, [context.Canceled] if there is
// none: each wait of the task fails with it from now on. The first cause stays.
// Cancel reports whether the task was still running. It does not wait for its
// end.
func (t *Task[T]) Cancel(cause ...error) bool {
	t.task.Scope.Loop().Check("Task.Cancel")
	return t.task.Cancel(causeOf(cause))
}

// Cancelling reports whether the task's context is cancelled and the task has
// not ended yet.
func (t *Task[T]) Cancelling() bool { return t.task.Cancelling() }

// Done reports whether the task has ended.
func (t *Task[T]) Done() bool { return t.task.Done() }

// Cancelled reports whether the task was cancelled and ended for that reason.
func (t *Task[T]) Cancelled() bool { return t.task.State() == engine.Cancelled }

// Result returns what the task's function returned, or [ErrInvalidState] if it
// still runs.
func (t *Task[T]) Result() (T, error) {
	if !t.task.Done() {
		var zero T
		return zero, fmt.Errorf("%w: Task.Result: %s is still running", ErrInvalidState, t.Name())
	}
	return t.value, t.task.Seen()
}

// Err returns the error with which the task ended, nil if it ended well or
// still runs.
func (t *Task[T]) Err() error { return t.task.Seen() }

// Name returns the name given at creation, or Task-1, Task-2, and so on.
func (t *Task[T]) Name() string { return t.task.Name() }

// SetName gives the task another name.
func (t *Task[T]) SetName(name string) {
	t.task.Scope.Loop().Check("Task.SetName")
	t.task.SetName(name)
}

// Context returns the context that the task's function was given. Waits with
// it are for the task alone.
func (t *Task[T]) Context() context.Context { return t.task.Scope.Ctx() }

// Created returns where the task was created, as file:line; "" if that was by
// this package, as it was for Run's own task.
func (t *Task[T]) Created() string { return t.task.Created() }

// Stack returns where the task is, the innermost call first: what it waits in,
// with the line of the call, and from there out to the task's own function.
// Frames of this package are left out, but for its exported functions. A
// task that has not started yet, or has ended, has none. It belongs on the loop,
// and costs a few microseconds.
func (t *Task[T]) Stack() []runtime.Frame { return t.task.Stack() }

// AddDoneCallback lets fn run on the loop once the task has ended: soon, if it
// has now. Cancelling the Handle takes that back. fn must not wait. It has not
// seen how the task ended until it asks.
//
//go:noinline
func (t *Task[T]) AddDoneCallback(fn func(*Task[T])) *Handle {
	if fn == nil {
		panic("asyncio: AddDoneCallback: nil function")
	}
	t.task.Scope.Loop().Check("AddDoneCallback")
	h := &Handle{}
	t.task.OnEnd(&h.handle, func() { fn(t) }, callerpc.Get())
	return h
}

func (t *Task[T]) inner() (*engine.Future, *engine.Loop) {
	return &t.task.Future, t.task.Scope.Loop()
}

func (t *Task[T]) self() *engine.Task { return &t.task }

func (t *Task[T]) name() string { return t.Name() }

// String shows the task's name and state.
func (t *Task[T]) String() string { return t.task.String() }
