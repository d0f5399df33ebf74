package asyncio

import "io"

// AddCloser lets c be closed when the loop ends, the last one first, and
// returns a function that takes it back. It is for what would otherwise
// outlive its loop, like sockets.
func (l *Loop) AddCloser(c io.Closer) (remove func()) {
	l.check("Loop.AddCloser")
	e := &closer{c: c, index: len(l.closers)}
	l.closers = append(l.closers, e)
	inner := l.loop // not l: holding remove is no reason to expect work from outside
	return func() { inner.removeCloser(e) }
}

type closer struct {
	c     io.Closer
	index int // in closers, -1 when taken back
}

func (l *loop) removeCloser(e *closer) {
	if e.index < 0 || l.closed {
		return
	}
	l.check("remove of Loop.AddCloser")
	last := l.closers[len(l.closers)-1]
	l.closers[e.index], last.index = last, e.index
	l.closers[len(l.closers)-1] = nil
	l.closers = l.closers[:len(l.closers)-1]
	e.index = -1
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
	for len(l.closers) > 0 {
		e := l.closers[len(l.closers)-1]
		l.closers = l.closers[:len(l.closers)-1]
		e.index = -1
		if err := e.c.Close(); err != nil {
			l.exception(ExceptionInfo{Message: "closing at the loop's end failed", Err: err})
		}
	}
	l.unwind()
	l.inbox.close()
	for f := range l.failures {
		f.cleanup.Stop()
		f.report()
	}
	l.pool.Close()
	l.closed = true
	unregister(l)
	return l.poller.Close()
}

// unwind runs the tasks that are left until they have all returned.
func (l *loop) unwind() {
	for {
		l.inbox.drain()
		l.wakeAll(&l.root)
		l.wakeAll(&l.detached)
		if l.ready.n == 0 {
			return
		}
		for l.turn = l.ready.n; l.turn > 0; {
			l.next().run(l)
		}
	}
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
