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

// startNow runs t until it waits or ends, and then goes on with who called:
// nobody else runs in between.
func (t *task) startNow(l *loop) {
	switch creator := l.current; {
	case creator != nil && creator.w != nil:
		t.startFromTask(l, creator)
	case l.calling:
		t.startFromCallback(l)
	default: // the loop does not run, or runs nothing of the user's
		l.ready.push(t)
	}
}

// startFromTask puts the creator first in line, and switches to t.
func (t *task) startFromTask(l *loop, creator *task) {
	w := creator.w
	l.ready.pushFront(creator)
	l.turn++
	if l.pool.Idle() > 0 {
		l.step()
		w.Switch(l.dispatch(t))
		return
	}
	l.ready.pushFront(t) // only the hub makes workers
	l.turn++
	w.Switch(nil)
}

// startFromCallback runs t on the hub, as a turn of its own.
func (t *task) startFromCallback(l *loop) {
	turn, single := l.turn, l.single
	l.turn, l.single, l.calling = 0, true, false
	t.run(l)
	for l.turn > 0 {
		l.next().run(l)
	}
	l.turn, l.single, l.calling = turn, single, true
}
