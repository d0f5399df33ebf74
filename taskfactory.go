package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A TaskSpec says how a task is created. Options set it, and then a
// [TaskFactory] may change what they left open.
type TaskSpec struct {
	// Name is the task's name; if it is empty, that is Task-1, Task-2, and so on.
	Name string

	// Eager runs the task's first step at once; see EagerStart.
	Eager bool

	// Values, if not nil, is the context whose values the task's context has, in
	// place of those of the context it was created with. Cancellation stays
	// with the latter.
	Values context.Context

	// Wrap, if not nil, is what the task does: it calls run, which is the task's
	// function, with ctx or one derived from it, and returns its error or another
	// one. If it does not call run, the result is the zero value. It is the place
	// for what has to happen around each task: tracing, metrics, recovery.
	Wrap func(ctx context.Context, run func(ctx context.Context) error) error
}

// A TaskOption changes how a task is created.
type TaskOption func(*TaskSpec)

// Name gives a task a name for logs, reports and live views, in place of
// Task-1, Task-2, and so on.
func Name(name string) TaskOption {
	return func(s *TaskSpec) { s.Name = name }
}

// WithValues gives a task the values of ctx, in place of those of the context
// with which it is created; that is still what cancels it. Use it where the two
// differ, as for a task in a group that serves a request of somebody else's.
func WithValues(ctx context.Context) TaskOption {
	return func(s *TaskSpec) { s.Values = ctx }
}

// A TaskFactory is asked about each task that is created on its loop, and may
// change spec. ctx is the context with which the task is created. What the
// task's own options say comes last.
//
// asyncio's factory makes the task itself, of a class of its own; here the types
// are fixed, and what such classes are used for is what a TaskSpec can say. A
// panic of the factory is one of the call that creates the task.
type TaskFactory func(ctx context.Context, spec *TaskSpec)

// WithTaskFactory sets the loop's task factory.
func WithTaskFactory(f TaskFactory) Option { return Option{func(c *config) { c.factory = f }} }

// SetTaskFactory replaces the loop's task factory; nil removes it.
func (l *Loop) SetTaskFactory(f TaskFactory) {
	l.loop.Check("Loop.SetTaskFactory")
	l.factory = f
}

// TaskFactory returns the loop's task factory, nil if there is none.
func (l *Loop) TaskFactory() TaskFactory {
	l.loop.Check("Loop.TaskFactory")
	return l.factory
}

// specify returns what options and the factory say of a task, nil if nothing.
func (l *Loop) specify(ctx context.Context, opts []TaskOption) *engine.Spec {
	if len(opts) == 0 && l.factory == nil {
		return nil
	}
	spec := &TaskSpec{}
	for _, o := range opts {
		o(spec)
	}
	if l.factory != nil {
		l.factory(ctx, spec)
		for _, o := range opts {
			o(spec)
		}
	}
	return (*engine.Spec)(spec)
}
