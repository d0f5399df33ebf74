package engine

import "fmt"

// A Watcher waits for several futures at once. It is told of each in the turn
// in which that is settled, before anything else runs, and must not wait.
type Watcher interface {
	Settled(w *Watch)
	Line() *WaitQueue // where the tasks wait that it watches for
}

// A Watch is a watcher's place in the list of one future. It is a link in that
// list, and not an entry of a slice, so that a thousand watchers of one future
// come and go in a constant time each. Watchers have theirs in one piece of
// memory, and lend of it to the futures: watching allocates nothing per future.
type Watch struct {
	by    Watcher
	of    *Future
	index int    // the watcher's own, for it to know which it is
	next  *Watch // in the circular list of the future; nil: in none
	prev  *Watch
	lent  futureExtra // to the future, if that had none
}

// MakeWatch returns a watch of f that has not begun.
func MakeWatch(by Watcher, f *Future, index int) Watch { return Watch{by: by, of: f, index: index} }

// Claim marks the future, until Unclaim, and reports false if it is marked
// already: so a list of futures is rid of repetitions without a map.
func (f *Future) Claim() bool {
	if f.listed {
		return false
	}
	f.listed = true
	return true
}

// Unclaim takes the mark away.
func (f *Future) Unclaim() { f.listed = false }

// Of returns the future; nil after Forget.
func (w *Watch) Of() *Future { return w.of }

// Index returns the number that the watcher has given the future.
func (w *Watch) Index() int { return w.index }

// Forget lets go of the future, which is done.
func (w *Watch) Forget() { w.of = nil }

// Begin lets the watcher be told when the future, which is pending, is settled.
func (w *Watch) Begin() {
	f := w.of
	if f.extra == nil {
		f.extra = &w.lent
	}
	first := f.extra.watches
	if first == nil {
		w.next, w.prev = w, w
		f.extra.watches = w
		return
	}
	w.next, w.prev = first, first.prev
	w.prev.next, first.prev = w, w
}

// End takes Begin back. It does nothing once the future is settled.
func (w *Watch) End() {
	if w.next == nil {
		return
	}
	e := w.of.extra
	e.unlink(w)
	switch {
	case e.watches == nil && len(e.callbacks) == 0:
		w.of.extra = nil
	case e == &w.lent: // still in use, by others
		own := *e
		w.of.extra = &own
	}
	w.lent = futureExtra{}
}

// tell tells all watchers of the future whose e was, in the order of their coming.
func (e *futureExtra) tell() {
	for e.watches != nil {
		w := e.watches
		e.unlink(w)
		w.by.Settled(w)
	}
}

func (e *futureExtra) unlink(w *Watch) {
	if e.watches == w {
		e.watches = w.next
	}
	if e.watches == w {
		e.watches = nil
	}
	w.prev.next, w.next.prev = w.next, w.prev
	w.next, w.prev = nil, nil
}

// watchers iterates over those who watch f.
func (f *Future) watchers(yield func(Watcher) bool) {
	if f.extra == nil || f.extra.watches == nil {
		return
	}
	first := f.extra.watches
	for w := first; yield(w.by) && w.next != first; w = w.next {
	}
}

// CanAwait says why the running task t cannot wait for f, which is a future of
// l, if so.
func CanAwait(call string, t *Task, f *Future, l *Loop) error {
	switch {
	case l == nil:
		l.Check(call)
	case l != t.Scope.loop:
		return ErrOtherLoop
	case f == &t.Future:
		return fmt.Errorf("asyncio: %s: a task cannot wait for itself", call)
	}
	return nil
}
