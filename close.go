package asyncio

import (
	"container/list"
	"io"
)

// AddCloser lets c be closed when the loop ends, the last one first, and
// returns a function that takes it back. It is for what would otherwise
// outlive its loop, like sockets.
func (l *Loop) AddCloser(c io.Closer) (remove func()) {
	l.check("Loop.AddCloser")
	e := l.closers.PushBack(c)
	inner := l.loop // not l: holding remove is no reason to expect work from outside
	return func() { inner.removeCloser(e) }
}

// removeCloser takes e back, unless it has been taken or closed already.
func (l *loop) removeCloser(e *list.Element) {
	if !l.closed {
		l.check("remove of Loop.AddCloser")
		l.closers.Remove(e)
	}
}

// Close ends the loop. Tasks that have not ended are unwound: their waits fail
// with [ErrLoopClosed] until they return. What was added by AddCloser is
// closed, and failures that nobody saw are reported. Closing again does nothing.
func (l *Loop) Close() error {
	if l.closed {
		return nil
	}
	leave := l.enter("Loop.Close")
	defer leave()
	return l.shut()
}

func (l *loop) shut() error {
	l.closing, l.single = true, true
	l.root.cancel(ErrLoopClosed)
	l.detached.cancel(ErrLoopClosed)
	l.unwind()
	for last := l.closers.Back(); last != nil; last = l.closers.Back() {
		if err := l.closers.Remove(last).(io.Closer).Close(); err != nil {
			l.exception(ExceptionInfo{Message: "closing at the loop's end failed", Err: err})
		}
	}
	l.unwind()
	l.signals.clear(l)
	l.clearFDs()
	l.inbox.close()
	l.unwind()
	for range l.failures.Len() {
		l.failures.Front().Value.(*failure).report()
	}
	l.pool.Close()
	l.closed = true
	unregister(l)
	return l.poller.Close()
}

// unwind runs the tasks that are left until they have all returned. Callbacks
// have one more turn then: no more, as they may ask for themselves for ever. For
// the same reason no task is started after some rounds.
func (l *loop) unwind() {
	round, newest := 0, l.nextID
	for last := false; !last || l.tasks > 0; {
		l.inbox.drain()
		l.wakeAll(&l.root)
		l.wakeAll(&l.detached)
		last = l.tasks == 0
		if !last && !l.anyTask(newest) {
			round, newest = round+1, l.nextID
		}
		if round > maxRounds {
			l.startNone()
		}
		for l.turn = l.ready.n; l.turn > 0; {
			l.next().run(l)
		}
	}
}

// startNone lets tasks that are about to start end instead.
func (l *loop) startNone() {
	for i := range l.ready.n {
		if t, ok := l.ready.at(i).(*task); ok && t.w == nil {
			t.body = &stillborn{t.body, t}
		}
	}
}

// stillborn takes the place of the function of a task that does not start.
type stillborn struct {
	body
	task *task
}

func (b *stillborn) exec() {
	b.task.observed = true // who started it will not hear of it
	b.task.finish(ErrLoopClosed)
}

// wakeAll wakes every parked task below s, whatever it waits for.
func (l *loop) wakeAll(s *scope) {
	if t := s.task; t != nil && t.w != nil && t.w.State.parked && t.w.State.task == t {
		l.wake(t.w, ErrLoopClosed)
	}
	for k := range s.children {
		l.wakeAll(k)
	}
}
