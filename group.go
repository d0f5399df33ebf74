package asyncio

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A TaskGroup owns tasks: it ends when they all have (asyncio's TaskGroup,
// trio's nursery). Make one with [Group].
type TaskGroup struct {
	scope    engine.Scope
	running  int         // tasks that have not ended, also those that wait for their start
	limit    *groupLimit // nil: there is none
	joined   engine.WaitQueue
	errs     []error
	cut      bool // a task was cancelled before it had its result
	tolerant bool // a failing child does not cancel the others
	ended    bool
}

// siblingError is why the tasks of a group are cancelled when one has failed.
type siblingError struct{ err error }

func (e *siblingError) Error() string {
	return fmt.Sprintf("asyncio: cancelled, because another task of the group failed: %v", e.err)
}
func (e *siblingError) Is(target error) bool { return target == context.Canceled }

// errGroupCancelled is why they are cancelled by TaskGroup.Cancel.
var errGroupCancelled = fmt.Errorf("asyncio: the group was cancelled: %w", context.Canceled)

// Group runs fn, which starts tasks in g, and returns when fn and all those
// tasks have ended. Nothing that was started in it is left running.
//
// If fn or one of the tasks fails, the others are cancelled. Group then returns
// the error, or several joined ([errors.Join]); tasks that were merely cancelled
// add none. If ctx is cancelled, so are fn and the tasks, and Group returns the
// cause when they have ended, unless one of them failed, or all succeeded
// although they were cancelled.
//
// A panic of a task is returned as [*PanicError]; one of fn goes on after the
// tasks have been cancelled and have ended, and their errors are reported.
func Group(ctx context.Context, fn func(ctx context.Context, g *TaskGroup) error) error {
	return (&TaskGroup{}).run(ctx, fn)
}

func (g *TaskGroup) run(ctx context.Context, fn func(context.Context, *TaskGroup) error) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	if err := p.Refuse(); err != nil {
		return err
	}
	g.scope.Open(p.Loop(), p.Task(), ctx)
	normal := false
	defer func() {
		if !normal {
			g.Cancel()
		}
		g.join(p)
		g.ended = true
		g.scope.Close()
		if !normal {
			g.reportErrors()
		}
	}()
	err = p.Within(g.scope.Ctx(), func(ctx context.Context) error { return fn(ctx, g) })
	if err != nil && !g.scope.Explains(err) {
		g.fail(err)
	}
	g.join(p)
	normal = true
	return g.outcome(err)
}

// join waits until all tasks of the group have ended.
func (g *TaskGroup) join(p *engine.Parking) {
	for g.running > 0 {
		p.BehindAll()
		p.Join(&g.joined, (*waitGroup)(g))
	}
}

// fail keeps err and cancels what still runs.
func (g *TaskGroup) fail(err error) {
	g.errs = append(g.errs, err)
	if !g.tolerant {
		g.scope.Cancel(&siblingError{err})
	}
}

// reportErrors is for when a panic is in the way of returning them.
func (g *TaskGroup) reportErrors() {
	for _, err := range g.errs {
		g.scope.Loop().Report(engine.ExceptionInfo{
			Message: "a task failed in a group whose function panicked", Err: err,
		})
	}
}

// outcome is what Group returns; own is the error of its function.
func (g *TaskGroup) outcome(own error) error {
	switch cause := g.scope.Cause(); {
	case len(g.errs) == 1:
		return g.errs[0]
	case len(g.errs) > 1:
		return errors.Join(g.errs...)
	case cause == nil || cause == errGroupCancelled || own == nil && !g.cut:
		return nil
	case own != nil:
		return own
	default:
		return cause
	}
}

// waitGroup is a group as what its owner waits for.
type waitGroup TaskGroup

// WaitName names the group in reports.
func (g *waitGroup) WaitName() string {
	return fmt.Sprintf("the %d tasks of its group", g.running)
}

// WokenBy yields the tasks of the group: only their end ends it.
func (g *waitGroup) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	for t := range g.scope.Tasks {
		if child, ok := t.Body().(interface{ of(g *TaskGroup) bool }); ok && child.of((*TaskGroup)(g)) && !yield(t) {
			break
		}
	}
	return engine.Wakers{}
}

// Go starts fn as a task of the group, when [TaskGroup.SetLimit] allows. See
// [Spawn].
//
//go:noinline
func (g *TaskGroup) Go(fn func(ctx context.Context) error, opts ...TaskOption) *Task[None] {
	if fn == nil {
		panic("asyncio: TaskGroup.Go: nil function")
	}
	t := &plainChild{child[None]{created: plain(fn)}}
	t.start(t, g, "TaskGroup.Go", opts, callerpc.Get())
	return &t.Task
}

// plainChild is to child what plainTask is to Task.
type plainChild struct{ child[None] }

func (t *plainChild) Exec() { t.task.Finish(t.task.Around(t.takePlain())(t.task.Scope.Ctx())) }

// Cancel cancels all tasks of the group and its function. The group then ends
// without an error, unless one of them has failed.
func (g *TaskGroup) Cancel() {
	g.scope.Loop().Check("TaskGroup.Cancel")
	g.scope.Cancel(errGroupCancelled)
}

// child is a task that tells its group when it ends.
type child[T any] struct {
	created[T]
	group *TaskGroup
}

// Spawn starts fn as a task of g, with a result, when [TaskGroup.SetLimit]
// allows. It does not wait for that. Any task of the loop may do so as long as the
// group has not ended; Spawn panics after that. In a group that has been
// cancelled, fn starts with a cancelled context.
//
//go:noinline
func Spawn[T any](g *TaskGroup, fn Coroutine[T], opts ...TaskOption) *Task[T] {
	if fn == nil {
		panic("asyncio: Spawn: nil function")
	}
	return spawn(g, fn, callerpc.Get(), opts...)
}

// spawn is [Spawn], called at origin.
func spawn[T any](g *TaskGroup, fn Coroutine[T], origin uintptr, opts ...TaskOption) *Task[T] {
	t := &child[T]{created: created[T]{Task[T]{fn: fn}}}
	t.start(t, g, "Spawn", opts, origin)
	return &t.Task
}

func (t *child[T]) start(b engine.Body, g *TaskGroup, call string, opts []TaskOption, origin uintptr) {
	if g.ended || g.scope.Loop() == nil {
		panic("asyncio: " + call + ": the group has ended, or was not made by asyncio.Group")
	}
	l := engine.MustLoopOf(call, g.scope.Ctx())
	spec := face(l).specify(g.scope.Ctx(), opts)
	t.group = g
	t.task.Disown()
	g.running++ // before it begins, which may be its end if it is eager
	if g.limit == nil || g.limit.admit() {
		t.task.Begin(l, g.scope.Ctx(), b, spec, origin)
	} else {
		t.task.Prepare(l, g.scope.Ctx(), b, spec, origin)
		g.limit.line.push(&t.task)
	}
}

func (t *child[T]) Awaiters() []*engine.WaitQueue { return []*engine.WaitQueue{&t.group.joined} }

func (t *child[T]) Joiner() *engine.WaitQueue { return &t.group.joined }

// of reports whether the task is one of g's.
func (t *child[T]) of(g *TaskGroup) bool { return t.group == g }

func (t *child[T]) Ended() {
	switch {
	case t.Cancelled():
		t.group.cut = true
	case t.task.Failed():
		t.group.fail(t.task.Peek())
	}
	t.group.gone()
}

// gone notes that a task has ended.
func (g *TaskGroup) gone() {
	g.running--
	if g.limit != nil {
		g.limit.left()
	}
	if g.running == 0 {
		g.joined.WakeAll()
	}
}
