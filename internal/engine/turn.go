package engine

import (
	"runtime/debug"
	"unsafe"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// This file is how the loop's tasks take turns: who runs next, and on which
// worker. A worker that has to wait picks the next one itself and switches
// straight to it; the hub, the goroutine that called Run, comes in only for
// callbacks, for the operating system's events, and when nothing is ready.

// next takes the next entry of this turn out of the ready queue.
func (l *Loop) next() runnable {
	if l.director != nil {
		l.director.next()
	}
	return l.pop()
}

// pop is next without a director.
func (l *Loop) pop() runnable {
	l.turn--
	l.sincePoll++
	l.spent = 0
	l.step()
	return l.ready.pop()
}

// run lets the hub start the task, or resume it where it was suspended.
func (t *Task) run(l *Loop) {
	l.pool.Enter(l.dispatch(t))
	l.current = nil
	l.setRunning(l.hub)
}

// dispatch makes t the task that runs, and returns its worker.
func (l *Loop) dispatch(t *Task) *worker {
	if t.at == nil {
		l.assign(&l.pool.Get().State, t)
	}
	w := t.at.worker()
	l.current = t
	l.setRunning(max(w.G(), starting))
	return w
}

// starting stands for a worker that has yet to find out who it is: the loop runs
// already, so calls from elsewhere are refused.
const starting = 1

// assign makes p's worker that of a task that is to start.
func (l *Loop) assign(p *Parking, t *Task) {
	p.alarm.task, p.spot.p = true, p
	p.task, p.block, t.at = t, t.Scope.Ctx(), p
}

// successor takes the next task out of the ready queue and returns its worker;
// nil if it is the hub's turn.
func (l *Loop) successor() *worker {
	if t := l.nextTask(l.pool.Idle() > 0); t != nil {
		return l.dispatch(t)
	}
	return nil
}

// nextTask takes the next entry out of the ready queue, if it is a task and
// nothing else is due; mayStart says whether there is a worker for one that has
// not started (only the hub makes new ones). A turn that is over runs on into
// the next one, unless somebody counts them.
func (l *Loop) nextTask(mayStart bool) *Task {
	if l.ready.n == 0 || l.sincePoll >= pollEvery {
		return nil
	}
	if l.turn == 0 {
		if l.single {
			return nil
		}
		l.turn = l.ready.n
	}
	d := l.director
	if d != nil {
		d.choose()
	}
	t, ok := l.ready.at(0).(*Task)
	if !ok || t.at == nil && !mayStart {
		return nil
	}
	if l.ready.n >= prefetchFrom {
		l.prefetch()
	}
	if d != nil {
		d.next()
	}
	l.pop()
	return t
}

// prefetchFrom is how many have to be ready for their memory to be cold. Below
// it, asking costs more than it gains (measured: break-even at 600 to 1,000).
const prefetchFrom = 768

// prefetch asks for the memory of those that are soon to run, step by step,
// because each step reads what the one before has asked for.
func (l *Loop) prefetch() {
	t, _ := l.ready.at(12).(*Task)
	ahead := coro.Lookahead[Parking]{
		Owner: unsafe.Pointer(t), Self: l.workerAt(9), Stack: l.workerAt(6), Cross: l.workerAt(4), State: l.workerAt(2),
	}
	ahead.Prefetch()
}

// workerAt returns the worker of the i-th entry of the ready queue, nil if it has
// none.
func (l *Loop) workerAt(i int) *worker {
	if t, ok := l.ready.at(i).(*Task); ok && t.at != nil {
		return t.at.worker()
	}
	return nil
}

// perform is what a worker does: its task, and then those that are next and not
// yet started, which saves a switch each. It returns who runs after it. A panic
// becomes the task's error.
//
// It is a plain function and does all by itself, because the garbage collector
// reads each frame of each suspended task.
func perform(w *worker) (next *worker) {
	p := &w.State
	l := p.Loop()
	defer func() {
		if p.task != nil {
			l.failed(w, p.task, recover())
		}
	}()
	l.setRunning(w.G())
	for {
		switch body := p.task.body; l.mark { // see marks.go
		case 0:
			mark0(body)
		case 1:
			mark1(body)
		case 2:
			mark2(body)
		case 3:
			mark3(body)
		case 4:
			mark4(body)
		case 5:
			mark5(body)
		case 6:
			mark6(body)
		default:
			mark7(body)
		}
		t := l.nextTask(true)
		if t == nil {
			return nil
		}
		if t.at != nil {
			return l.dispatch(t)
		}
		l.assign(p, t)
		l.current = t
	}
}

// failed ends a task that panicked, or, if the panic is nil, that called
// runtime.Goexit, which also ends its worker.
func (l *Loop) failed(w *worker, t *Task, panicked any) {
	if panicked == nil {
		err := ErrGoexit
		if w.State.refused > maxRefused { // refuse has called it
			err = ErrLoopClosed
		}
		t.Finish(err)
		w.Exited()
		return
	}
	t.Finish(Errors.Panic(panicked, debug.Stack()))
}
