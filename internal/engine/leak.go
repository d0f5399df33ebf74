package engine

import (
	"container/list"
	"errors"
	"runtime"
)

// In debug mode, what users open and have to close is followed: at the loop's end
// each that was never closed is reported, with the line that opened it. Without
// debug mode nothing is remembered, and opening costs one comparison.

var errNeverClosed = errors.New("asyncio: left open until the end of the event loop")

// A Leaker is a closer, or anything else, that users have to close.
type Leaker interface {
	// Leak returns what users know it as, and the report that it was left.
	Leak() (thing any, report string)
}

// opened is a thing that has not been closed, with the line that opened it.
type opened struct {
	what Leaker
	at   string
}

func nothing() {}

// Opened notes that the user has opened something, until the function that it
// returns is called.
func (l *Loop) Opened(what Leaker) (closed func()) {
	if !l.Debug {
		return nothing
	}
	e := l.opened.PushBack(&opened{what, userPlace()})
	return func() {
		l.opened.Remove(e)
		if len(l.owned) > 0 {
			thing, _ := what.Leak()
			delete(l.owned, thing)
		}
	}
}

// Own notes that thing is the library's to close, as a connection of a pool is.
func (l *Loop) Own(thing any) {
	if l.Debug {
		if l.owned == nil {
			l.owned = map[any]bool{}
		}
		l.owned[thing] = true
	}
}

// leaks are what debug mode remembers.
type leaks struct {
	opened list.List    // of *opened
	owned  map[any]bool // that are the library's to close
}

// reportLeaks reports what was never closed, in the order of opening.
func (l *Loop) reportLeaks() {
	for e := l.opened.Front(); e != nil; e = e.Next() {
		o := e.Value.(*opened)
		if thing, report := o.what.Leak(); !l.owned[thing] {
			l.Report(ExceptionInfo{Message: report, Err: errNeverClosed, Created: o.at})
		}
	}
	l.opened.Init()
}

// userPlace returns the line of the user's code that has called the library.
func userPlace() string {
	pcs := make([]uintptr, 64)
	for frames, more := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]), true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !libraryFrame(f) && !goFrame(f) {
			return lineOf(f)
		}
	}
	return ""
}
