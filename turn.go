package asyncio

import (
	"runtime/debug"
	"unsafe"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// This file is how the loop's tasks take turns: who runs next, and on which
// worker. A worker that has to wait picks the next one itself and switches
// straight to it; the hub, the goroutine that called Run, comes in only for
// callbacks, for the operating system's events, and when nothing is ready.

// run lets the hub start the task, or resume it where it was suspended.
func (t *task) run(l *loop) {
	l.pool.Enter(l.dispatch(t))
	l.current = nil
	l.setRunning(l.hub)
}

// dispatch makes t the task that runs, and returns its worker.
func (l *loop) dispatch(t *task) *worker {
	w := t.w
	if w == nil {
		w = l.pool.Get()
		l.assign(w, t)
	}
	l.current = t
	l.setRunning(max(w.G(), starting))
	return w
}

// starting stands for a worker that has yet to find out who it is: the loop runs
// already, so calls from elsewhere are refused.
const starting = 1

// assign makes w the worker of a task that is to start.
func (l *loop) assign(w *worker, t *task) {
	p := &w.State
	if p.worker == nil {
		p.worker = w
		p.timer = newTimer(l, p)
	}
	p.task, p.block, t.w = t, &t.scope, w
}

// successor takes the next task out of the ready queue and returns its worker;
// nil if it is the hub's turn.
func (l *loop) successor() *worker {
	if t := l.nextTask(l.pool.Idle() > 0); t != nil {
		return l.dispatch(t)
	}
	return nil
}

// nextTask takes the next entry out of the ready queue, if it is a task and
// nothing else is due; mayStart says whether there is a worker for one that has
// not started (only the hub makes new ones). A turn that is over runs on into
// the next one, unless somebody counts them.
func (l *loop) nextTask(mayStart bool) *task {
	if l.ready.n == 0 || l.sincePoll >= pollEvery {
		return nil
	}
	if l.turn == 0 {
		if l.single {
			return nil
		}
		l.turn = l.ready.n
	}
	t, ok := l.ready.at(0).(*task)
	if !ok || t.w == nil && !mayStart {
		return nil
	}
	if l.ready.n >= prefetchFrom {
		l.prefetch()
	}
	l.next()
	return t
}

// prefetchFrom is how many have to be ready for their memory to be cold.
const prefetchFrom = 256

// prefetch asks for the memory of those that are soon to run, step by step,
// because each step reads what the one before has asked for.
func (l *loop) prefetch() {
	if t, ok := l.ready.at(12).(*task); ok {
		coro.Prefetch(uintptr(unsafe.Pointer(t)))
		coro.Prefetch(uintptr(unsafe.Pointer(t)) + 128)
	}
	if t, ok := l.ready.at(9).(*task); ok && t.w != nil {
		t.w.Prefetch(coro.ItsSelf)
	}
	if t, ok := l.ready.at(6).(*task); ok && t.w != nil {
		t.w.Prefetch(coro.ItsStack)
	}
	if t, ok := l.ready.at(4).(*task); ok && t.w != nil {
		t.w.Prefetch(coro.ItsSwitch)
	}
	if t, ok := l.ready.at(2).(*task); ok && t.w != nil {
		t.w.Prefetch(coro.ItsSwitchState)
	}
}

// perform is what a worker does: its task, and then those that are next and not
// yet started, which saves a switch each. It returns who runs after it. A panic
// becomes the task's error.
//
// It is a plain function and does all by itself, because the garbage collector
// reads each frame of each suspended task.
func perform(w *worker) (next *worker) {
	l := w.State.timer.loop
	defer func() {
		if t := w.State.task; t != nil {
			l.failed(w, t, recover())
		}
	}()
	l.setRunning(w.G())
	for {
		w.State.task.body.exec()
		t := l.nextTask(true)
		if t == nil {
			return nil
		}
		if t.w != nil {
			return l.dispatch(t)
		}
		l.assign(w, t)
		l.current = t
	}
}

// failed ends a task that panicked, or, if the panic is nil, that called
// runtime.Goexit, which also ends its worker.
func (l *loop) failed(w *worker, t *task, panicked any) {
	if panicked == nil {
		err := ErrGoexit
		if w.State.refused > maxRefused { // refuse has called it
			err = ErrLoopClosed
		}
		t.finish(err)
		w.Exited()
		return
	}
	t.finish(&PanicError{Value: panicked, Stack: debug.Stack()})
}
