package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// CurrentTask returns the task that runs the caller, if ctx is its context; else
// nil, as in callbacks and on other goroutines (asyncio.current_task).
func CurrentTask(ctx context.Context) AnyTask {
	p, err := engine.Running(ctx)
	if err != nil {
		return nil
	}
	return p.Task().Face().(AnyTask)
}

// AllTasks returns the tasks of l that have not ended, parents before children
// (asyncio.all_tasks). On another goroutine it asks the loop, and blocks until
// that has answered, which is in its next turn; nil if it has ended. What
// AllTasks returns is still the loop's: elsewhere, only its names may be read.
func AllTasks(l *Loop) []AnyTask {
	if !l.loop.Elsewhere() {
		return l.list()
	}
	answer := make(chan []AnyTask, 1)
	if !l.loop.Post(func() { answer <- l.list() }) {
		return nil
	}
	return <-answer
}

func (l *Loop) list() []AnyTask {
	tasks := []AnyTask{}
	for t := range l.loop.AllTasks {
		tasks = append(tasks, t.Face().(AnyTask))
	}
	return tasks
}
