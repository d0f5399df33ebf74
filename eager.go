package asyncio

import "context"

// EagerStart lets a task run its first step at once, inside the call that
// creates it, up to its first wait (asyncio's eager_start). A task that need not
// wait, since what it looks for is in a cache, has its result when CreateTask
// returns, and has not been scheduled. The price is the order that is easy to
// reason about: the new task runs before its creator goes on, so the creator
// must be ready to be overtaken in the middle of what it does.
//
// It costs two switches. EagerStart(false) overrides the loop's [TaskFactory].
func EagerStart(on bool) TaskOption {
	return func(s *TaskSpec) { s.Eager = on }
}

// EagerTasks is a [TaskFactory] that starts every task eagerly (asyncio's
// eager_task_factory).
func EagerTasks(_ context.Context, spec *TaskSpec) { spec.Eager = true }
