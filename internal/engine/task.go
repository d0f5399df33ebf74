package engine

import (
	"context"
	"fmt"
)

// A Task is what the loop knows of a coroutine that was started, whatever its
// result. It is embedded in one that knows more: its Body.
type Task struct {
	Future
	Scope  Scope
	body   Body
	at     *Parking // where it runs or is suspended; nil before the start and after the end
	spec   *Spec    // nil if it is all zero
	origin uintptr  // where it was created
}

// A Body is the typed side of a task.
type Body interface {
	Exec()                  // runs the function, keeps its result, and calls Task.Finish
	Ended()                 // is told at the end, after everybody who waits was woken
	Face() any              // what users know the task as
	Awaiters() []*WaitQueue // where tasks wait for its end, besides the future's own line
	Joiner() *WaitQueue     // where who started it waits, or the owner of its group; may be nil
}

// A Spec says how a task is created; it is the root package's TaskSpec.
type Spec struct {
	Name   string
	Eager  bool
	Values context.Context
	Wrap   func(ctx context.Context, run func(ctx context.Context) error) error
}

// Begin starts the task below ctx. spec may be nil.
func (t *Task) Begin(l *Loop, ctx context.Context, body Body, spec *Spec, origin uintptr) {
	t.Prepare(l, ctx, body, spec, origin)
	if spec != nil && spec.Eager {
		t.startNow(l)
		return
	}
	l.ready.push(t)
}

// Prepare is Begin for a task that starts later, when Enqueue is called.
func (t *Task) Prepare(l *Loop, ctx context.Context, body Body, spec *Spec, origin uintptr) {
	t.body = body
	t.Scope.Open(l, t, ctx)
	l.nextID++
	t.id = l.nextID
	t.origin = origin
	l.tasks++
	if spec != nil {
		t.spec = spec
		if spec.Values != nil {
			t.Scope.given = &given{spec.Values, t.Scope.given.deadline}
		}
	}
}

// Enqueue lets the task start in the next turn.
func (t *Task) Enqueue() { t.Scope.loop.ready.push(t) }

// Wrap returns what the spec wants done around the task's function, or nil.
func (t *Task) Wrap() func(ctx context.Context, run func(ctx context.Context) error) error {
	if t.spec == nil {
		return nil
	}
	return t.spec.Wrap
}

// Around returns do as the task is to run it. Without a Wrap that is do itself:
// nothing more is on the stack below it.
func (t *Task) Around(do func(ctx context.Context) error) func(ctx context.Context) error {
	wrap := t.Wrap()
	if wrap == nil {
		return do
	}
	return func(ctx context.Context) error { return wrap(ctx, do) }
}

// Finish ends the task with what its function returned.
func (t *Task) Finish(err error) {
	l := t.Scope.loop
	p := t.at
	p.task, p.block, p.what, p.refused = nil, nil, nil, 0
	p.held, p.holds = false, 0
	t.at = nil
	state := Finished
	if err != nil && t.Scope.Explains(err) {
		state = Cancelled
	}
	t.Scope.leave()
	t.settle(l, state, err)
	l.tasks--
	t.body.Ended()
	if err != nil && state == Finished && !t.observed {
		l.failures.add(&t.Future, t, t.failure(err))
	}
}

// AllLines are where tasks wait for the task's end.
func (t *Task) AllLines() []*WaitQueue { return append(t.Lines(), t.body.Awaiters()...) }

// WaitName names the task in reports.
func (t *Task) WaitName() string { return t.Name() }

// Cancel cancels the task's scope, and reports whether it was still running.
func (t *Task) Cancel(cause error) bool {
	if t.state != Pending {
		return false
	}
	t.Scope.Cancel(cause)
	return true
}

// Body returns the task's typed side.
func (t *Task) Body() Body { return t.body }

// Face returns what users know the task as.
func (t *Task) Face() any { return t.body.Face() }

// Cancelling reports whether the task's scope is cancelled and the task has not
// ended yet.
func (t *Task) Cancelling() bool { return t.state == Pending && t.Scope.Cause() != nil }

// Seen returns the error with which the task ended, and notes that it was seen.
func (t *Task) Seen() error { return t.Future.Seen(t.Scope.loop) }

// Name returns the name given at creation, or Task-1, Task-2, and so on.
func (t *Task) Name() string {
	if t.spec != nil && t.spec.Name != "" {
		return t.spec.Name
	}
	return fmt.Sprintf("Task-%d", t.id)
}

// SetName gives the task another name.
func (t *Task) SetName(name string) {
	spec := Spec{}
	if t.spec != nil {
		spec = *t.spec
	}
	spec.Name = name
	t.spec = &spec // a new one: the watchdog may be reading the old one
}

// Created returns where the task was created, as file:line; "" if that was by
// the library itself.
func (t *Task) Created() string { return place(t.origin) }

// OnEnd gives fn a turn once the task has ended: soon, if it has now.
func (t *Task) OnEnd(h *Handle, fn func(), origin uintptr) {
	t.addCallback(t.Scope.loop, h, fn, origin)
}

// String shows the task's name and state.
func (t *Task) String() string { return fmt.Sprintf("%s (%s)", t.Name(), t.Condition()) }

// Condition says what the task is doing.
func (t *Task) Condition() string {
	if t.Cancelling() {
		return t.doing() + ", cancelling"
	}
	return t.doing()
}

func (t *Task) doing() string {
	switch {
	case t.state == Cancelled:
		return "cancelled"
	case t.state == Finished && t.err != nil:
		return "failed"
	case t.state == Finished:
		return "finished"
	case t.Scope.loop.current == t:
		return "running"
	case t.at == nil:
		return "not started yet"
	case t.at.parked && t.at.what != nil:
		return "waits for " + t.at.waitName()
	default:
		return "ready"
	}
}
