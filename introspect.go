package asyncio

import (
	"context"
	"io"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// CurrentTask returns the task that runs the caller, if ctx is its context; else
// nil, as in callbacks and on other goroutines (asyncio.current_task).
func CurrentTask(ctx context.Context) AnyTask {
	s := engine.ScopeOf(ctx)
	if s == nil || !s.Loop().On() || s.Task() == nil || s.Task() != s.Loop().Current() {
		return nil
	}
	return s.Task().Face().(AnyTask)
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

// DumpTasks writes what each task of l does, parents before children: what it
// waits for and in which line, where it was created, and who awaits it. On the
// loop it costs some 10 µs a task.
//
// Any goroutine may call DumpTasks. Elsewhere than on the loop it asks that, and
// blocks until it has answered, which is in its next turn. If the loop is blocked,
// DumpTasks finds that out within a fifth of a second and writes where; the tasks
// cannot be read then. It returns the error of w.
//
// While [Run] runs, SIGQUIT (Ctrl-\) does the same for each loop of the program, on
// the standard error, before it ends the program; see [WithQuitDump].
func DumpTasks(w io.Writer, l *Loop) error {
	_, err := io.WriteString(w, l.loop.Dump())
	return err
}
