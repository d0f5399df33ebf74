package engine

import (
	"container/list"
	"io"
)

// AddCloser lets c be closed when the loop ends, the last one first, and
// returns a function that takes it back. It is for what would otherwise
// outlive its loop, like sockets. If c is a Leaker, it should have been closed
// before: see Opened.
func (l *Loop) AddCloser(c io.Closer) (remove func()) {
	l.Check("AddCloser")
	e := l.closers.PushBack(c)
	if leaker, ok := c.(Leaker); ok && l.Debug {
		closed := l.Opened(leaker)
		return func() {
			closed()
			l.removeCloser(e)
		}
	}
	return func() { l.removeCloser(e) }
}

// removeCloser takes e back, unless it has been taken or closed already.
func (l *Loop) removeCloser(e *list.Element) {
	if !l.closed {
		l.Check("the remove function of AddCloser")
		l.closers.Remove(e)
	}
}

// closeAll closes what was added, the last one first.
func (l *Loop) closeAll() {
	for last := l.closers.Back(); last != nil; last = l.closers.Back() {
		if err := l.closers.Remove(last).(io.Closer).Close(); err != nil {
			l.Report(ExceptionInfo{Message: "closing at the loop's end failed", Err: err})
		}
	}
}
