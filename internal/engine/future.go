package engine

import (
	"context"
	"errors"
	"slices"
)

// A State is that of a future.
type State uint8

const (
	Pending State = iota
	Finished
	Cancelled
)

// A Future is what every future and task has in common, whatever the type of its
// result.
type Future struct {
	waiters  WaitQueue
	extra    *futureExtra
	err      error
	state    State
	observed bool // somebody has seen how it ended, or will
	listed   bool // see Claim

	Timed bool   // for its owner: it has a timer, which is armed until it ends
	id    uint32 // of a task, for its name
}

// futureExtra is what few futures have.
type futureExtra struct {
	callbacks []*Handle
	watches   *Watch // see watch.go
	failure   *failure
	origin    uintptr // debug mode: where the future was made
}

// Remember notes where the future was made.
func (f *Future) Remember(origin uintptr) { f.extra = &futureExtra{origin: origin} }

// Made returns where the future was made, if it remembers that.
func (f *Future) Made() string {
	if f.extra == nil {
		return ""
	}
	return place(f.extra.origin)
}

// State returns the state.
func (f *Future) State() State { return f.state }

// Done reports whether the future is not pending any more.
func (f *Future) Done() bool { return f.state != Pending }

// Peek returns the error with which the future ended, which stays unseen.
func (f *Future) Peek() error { return f.err }

// Failed reports whether the future ended with an error that is no cancellation.
func (f *Future) Failed() bool { return f.state == Finished && f.err != nil }

// Resolve ends the future, which is pending: everybody who waits goes on,
// callbacks get a turn.
func (f *Future) Resolve(l *Loop, state State, err error) { f.settle(l, state, err) }

// Unseen lets the error be reported if nobody sees it; what the future is called
// and where it was made is for the report.
func (f *Future) Unseen(l *Loop, name, created string) {
	if f.err != nil && !f.observed {
		l.failures.add(f, nil, &failure{what: name, created: created, err: f.err})
	}
}

func (f *Future) settle(l *Loop, state State, err error) {
	f.state, f.err = state, err
	if f.waiters.head != nil && f.waiters.WakeAll() > 0 {
		f.observed = true
	}
	if e := f.extra; e != nil {
		f.forget(e)
		e.tell()
		for _, h := range e.callbacks {
			h.more.of = nil
			l.ready.push(h)
		}
	}
}

// forget lets go of all but what is of use after the end.
func (f *Future) forget(e *futureExtra) {
	f.extra = nil
	if e.origin != 0 {
		f.extra = &futureExtra{origin: e.origin}
	}
}

func (f *Future) more() *futureExtra {
	if f.extra == nil {
		f.extra = &futureExtra{}
	}
	return f.extra
}

func (f *Future) addCallback(l *Loop, h *Handle, fn func(), origin uintptr) {
	h.init(l, fn, origin)
	if f.state != Pending {
		l.ready.push(h)
		return
	}
	h.waitFor(f)
	f.more().callbacks = append(f.more().callbacks, h)
}

// OnDone gives fn a turn once the future is done: soon, if it is now.
func (f *Future) OnDone(l *Loop, h *Handle, fn func(), origin uintptr) {
	f.addCallback(l, h, fn, origin)
}

// Callbacks returns how many callbacks wait for the future.
func (f *Future) Callbacks() int {
	if f.extra == nil {
		return 0
	}
	return len(f.extra.callbacks)
}

// removeCallback takes h out of those that wait for f.
func (f *Future) removeCallback(h *Handle) {
	if e := f.extra; e != nil {
		if i := slices.Index(e.callbacks, h); i >= 0 {
			e.callbacks = slices.Delete(e.callbacks, i, i+1)
		}
	}
}

// Awaiting begins an await of f. If that has to wait, it returns the Parking of
// the running task, for a Wait in the Line of f; at the end Observe is called.
// (It is in pieces for the sake of the stack: a frame less for each task that
// waits is memory that the collector need not read.)
func (f *Future) Awaiting(ctx context.Context, l *Loop) (*Parking, error) {
	if l == nil {
		l.Check("Future.Await")
	}
	if f.state != Pending && l.On() {
		if t := l.current; t != nil {
			t.at.Step()
		}
		return nil, nil
	}
	p, err := Running(ctx) // and not Step: it is known that this one waits
	if err == nil && p.Loop() != l {
		err = misused(ErrOtherLoop)
	}
	if err == nil && p.task == l.current && f == &p.task.Future {
		err = errors.New("asyncio: Task.Await: a task cannot await itself")
	}
	if err != nil {
		err = AtOnce(err)
	}
	return p, err
}

// Line is where tasks wait for the future.
func (f *Future) Line() *WaitQueue { return &f.waiters }

// Seen returns the error with which the future ended, and notes that it was
// seen.
func (f *Future) Seen(l *Loop) error {
	if f.state != Pending {
		f.Observe(l)
	}
	return f.err
}

// Observe notes that somebody has seen how the future ended, or will.
//
// A loop that has ended is told nothing: then any goroutine may ask.
func (f *Future) Observe(l *Loop) {
	if l.closed {
		return
	}
	f.observed = true
	if f.extra != nil && f.extra.failure != nil {
		f.extra.failure.settled()
		f.forget(f.extra)
	}
}

// Disown says that the future's error is nobody's to see: its owner deals with it.
func (f *Future) Disown() { f.observed = true }

// Lines are where tasks wait for f.
func (f *Future) Lines() []*WaitQueue {
	lines := []*WaitQueue{&f.waiters}
	for w := range f.watchers {
		lines = append(lines, w.Line())
	}
	return lines
}

// Waiting is the end of the future's description.
func (f *Future) Waiting() string { return f.waiters.Waiting() }
