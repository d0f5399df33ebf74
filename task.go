package asyncio

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// None is the result of a coroutine that has none.
type None = struct{}

// A Coroutine is what a task runs: any function that takes a context and
// waits, if at all, with that context.
type Coroutine[T any] = func(ctx context.Context) (T, error)

// task is what the loop knows of a Task, whatever its result.
type task struct {
	future
	scope  scope
	body   body // the Task itself
	w      *worker
	spec   *TaskSpec // nil if it is all zero
	origin uintptr   // where CreateTask was called
}

// body is the typed side of a task.
type body interface {
	exec()  // runs the function and keeps its result
	ended() // is told at the end, after everybody who waits was woken
	any() AnyTask
	awaiters() []*WaitQueue // where tasks wait for its end, besides the future's own line
}

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
	task
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
	t := &Task[T]{fn: fn}
	t.body = t
	t.create("CreateTask", ctx, opts, callerpc.Get())
	return t
}

// Go is [CreateTask] for a function that has no result but an error.
//
//go:noinline
func Go(ctx context.Context, fn func(ctx context.Context) error, opts ...TaskOption) *Task[None] {
	if fn == nil {
		panic("asyncio: Go: nil function")
	}
	t := &plainTask{do: fn}
	t.body = t
	t.create("Go", ctx, opts, callerpc.Get())
	return &t.Task
}

// plainTask is a task whose function returns an error only: wrapping that in a
// Coroutine[None] would be another allocation.
type plainTask struct {
	Task[None]
	do func(ctx context.Context) error
}

func (t *plainTask) exec() {
	do := t.around(t.do)
	t.do = nil
	t.finish(do(&t.scope))
}

// around returns do as the task is to run it. Without a Wrap that is do itself:
// nothing more is on the stack below it.
func (t *task) around(do func(ctx context.Context) error) func(ctx context.Context) error {
	if t.spec == nil || t.spec.Wrap == nil {
		return do
	}
	wrap := t.spec.Wrap
	return func(ctx context.Context) error { return wrap(ctx, do) }
}

// create starts the task below ctx.
func (t *task) create(call string, ctx context.Context, opts []TaskOption, origin uintptr) {
	l := loopOf(call, ctx)
	t.begin(l, ctx, l.specify(ctx, opts), origin)
}

func (t *task) begin(l *loop, ctx context.Context, spec *TaskSpec, origin uintptr) {
	t.scope.open(l, t, ctx)
	l.nextID++
	t.id = l.nextID
	t.origin = origin
	l.tasks++
	if spec != nil {
		t.spec = spec
		if spec.Values != nil {
			t.scope.given = &given{spec.Values, t.scope.given.deadline}
		}
		if spec.Eager {
			t.startNow(l)
			return
		}
	}
	l.ready.push(t)
}

// exec runs the task's function on the current worker.
func (t *Task[T]) exec() {
	fn := t.fn
	t.fn = nil
	if t.spec != nil && t.spec.Wrap != nil {
		t.finish(t.wrapped(fn))
		return
	}
	var err error
	t.value, err = fn(&t.scope)
	t.finish(err)
}

func (t *Task[T]) wrapped(fn Coroutine[T]) error {
	return t.spec.Wrap(&t.scope, func(ctx context.Context) (err error) {
		t.value, err = fn(ctx)
		return err
	})
}

func (t *Task[T]) ended()                 {}
func (t *Task[T]) any() AnyTask           { return t }
func (t *Task[T]) awaiters() []*WaitQueue { return nil }

// finish ends the task with what its function returned.
func (t *task) finish(err error) {
	l := t.scope.loop
	p := &t.w.State
	p.task, p.block, p.refused = nil, nil, 0
	t.w = nil
	state := finished
	if err != nil && t.scope.explains(err) {
		state = cancelled
	}
	t.scope.leave()
	t.settle(l, state, err)
	l.tasks--
	t.body.ended()
	if err != nil && state == finished && !t.observed {
		l.watchFailure(&t.future, t, t.failure(err))
	}
}

// Await waits until the task has ended and returns its result. A task that has
// ended already gives it at once, whatever the state of ctx. A panic of the
// task is returned as a [*PanicError].
//
// If ctx ends first, Await returns its cause; the task goes on.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	if t.scope.loop.on() && t.scope.loop.current == &t.task {
		return t.value, errors.New("asyncio: Task.Await: a task cannot await itself")
	}
	if err := t.await(ctx, t.scope.loop, t); err != nil {
		var zero T
		return zero, err
	}
	return t.value, t.err
}

// WaitName names the task in reports.
func (t *task) WaitName() string { return t.Name() }

// Cancel cancels the task's context with cause, [context.Canceled] if there is
// none: each wait of the task fails with it from now on. The first cause stays.
// Cancel reports whether the task was still running. It does not wait for its
// end.
func (t *Task[T]) Cancel(cause ...error) bool {
	t.scope.loop.check("Task.Cancel")
	if t.state != pending {
		return false
	}
	t.scope.cancel(causeOf(cause))
	return true
}

// Cancelling reports whether the task's context is cancelled and the task has
// not ended yet.
func (t *task) Cancelling() bool { return t.state == pending && t.scope.Cause() != nil }

// Done reports whether the task has ended.
func (t *task) Done() bool { return t.state != pending }

// Cancelled reports whether the task was cancelled and ended for that reason.
func (t *task) Cancelled() bool { return t.state == cancelled }

// Result returns what the task's function returned, or [ErrInvalidState] if it
// still runs.
func (t *Task[T]) Result() (T, error) {
	if t.state == pending {
		var zero T
		return zero, fmt.Errorf("%w: Task.Result: %s is still running", ErrInvalidState, t.Name())
	}
	t.observe(t.scope.loop)
	return t.value, t.err
}

// Err returns the error with which the task ended, nil if it ended well or
// still runs.
func (t *task) Err() error {
	if t.state != pending {
		t.observe(t.scope.loop)
	}
	return t.err
}

// Name returns the name given at creation, or Task-1, Task-2, and so on.
func (t *task) Name() string {
	if t.spec != nil && t.spec.Name != "" {
		return t.spec.Name
	}
	return fmt.Sprintf("Task-%d", t.id)
}

// SetName gives the task another name.
func (t *task) SetName(name string) {
	t.scope.loop.check("Task.SetName")
	spec := TaskSpec{}
	if t.spec != nil {
		spec = *t.spec
	}
	spec.Name = name
	t.spec = &spec // a new one: the watchdog may be reading the old one
}

// Context returns the context that the task's function was given. Waits with
// it are for the task alone.
func (t *task) Context() context.Context { return &t.scope }

// Created returns where the task was created, as file:line; "" if that was by
// this package, as it was for Run's own task.
func (t *task) Created() string { return place(t.origin) }

// AddDoneCallback lets fn run on the loop once the task has ended: soon, if it
// has now. Cancelling the Handle takes that back. fn must not wait. It has not
// seen how the task ended until it asks.
//
//go:noinline
func (t *Task[T]) AddDoneCallback(fn func(*Task[T])) *Handle {
	if fn == nil {
		panic("asyncio: AddDoneCallback: nil function")
	}
	return t.addCallback(t.scope.loop, func() { fn(t) }, callerpc.Get())
}

func (t *task) inner() (*future, *loop) { return &t.future, t.scope.loop }

// String shows the task's name and state.
func (t *task) String() string {
	return fmt.Sprintf("%s (%s)", t.Name(), t.condition())
}

// condition says what the task is doing.
func (t *task) condition() string {
	if t.Cancelling() {
		return t.doing() + ", cancelling"
	}
	return t.doing()
}

func (t *task) doing() string {
	switch {
	case t.state == cancelled:
		return "cancelled"
	case t.state == finished && t.err != nil:
		return "failed"
	case t.state == finished:
		return "finished"
	case t.scope.loop.current == t:
		return "running"
	case t.w == nil:
		return "not started yet"
	case t.w.State.parked && t.w.State.what != nil:
		return "waits for " + t.w.State.what.WaitName()
	default:
		return "ready"
	}
}
