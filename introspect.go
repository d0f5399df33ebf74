package asyncio

import "context"

// CurrentTask returns the task that runs the caller, if ctx is its context; else
// nil, as in callbacks and on other goroutines (asyncio.current_task).
func CurrentTask(ctx context.Context) AnyTask {
	w, err := running(ctx)
	if err != nil {
		return nil
	}
	return w.State.task.body.any()
}

// AllTasks returns the tasks of l that have not ended, parents before children
// (asyncio.all_tasks). On another goroutine it asks the loop, and blocks until
// that has answered, which is in its next turn; nil if it has ended. What
// AllTasks returns is still the loop's: elsewhere, only its names may be read.
func AllTasks(l *Loop) []AnyTask {
	if g := l.running(); g == 0 || l.on() {
		return l.list()
	}
	answer := make(chan []AnyTask, 1)
	if !l.post(func() { answer <- l.list() }) {
		return nil
	}
	return <-answer
}

func (l *loop) list() []AnyTask {
	tasks := make([]AnyTask, 0, l.tasks)
	for t := range l.allTasks {
		tasks = append(tasks, t.body.any())
	}
	return tasks
}
