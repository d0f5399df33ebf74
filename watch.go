package asyncio

import "fmt"

// A watcher waits for several futures at once. It is told of each in the turn
// in which that is settled, before anything else runs, and must not wait.
type watcher interface {
	settled(w *watch)
	line() *WaitQueue // where the tasks wait that it watches for
}

// A watch is a watcher's place in the list of one future. It is a link in that
// list, and not an entry of a slice, so that a thousand watchers of one future
// come and go in a constant time each. Watchers have theirs in one piece of
// memory, and lend of it to the futures: watching allocates nothing per future.
type watch struct {
	by    watcher
	of    *future
	index int    // the watcher's own, for it to know which it is
	next  *watch // in the circular list of the future; nil: in none
	prev  *watch
	lent  futureExtra // to the future, if that had none
}

// begin lets the watcher be told when the future, which is pending, is settled.
func (w *watch) begin() {
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

// end takes begin back. It does nothing once the future is settled.
func (w *watch) end() {
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
		w.by.settled(w)
	}
}

func (e *futureExtra) unlink(w *watch) {
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
func (f *future) watchers(yield func(watcher) bool) {
	if f.extra == nil || f.extra.watches == nil {
		return
	}
	first := f.extra.watches
	for w := first; yield(w.by) && w.next != first; w = w.next {
	}
}

// watchesOf returns a watch, not yet begun, for each of the futures, and the
// futures in the same order: those given, without repetitions.
func watchesOf[A AnyFuture](call string, t *task, by watcher, given []A) ([]A, []watch, error) {
	for _, f := range given {
		if err := awaitable(call, t, f); err != nil {
			return nil, nil, err
		}
	}
	futures := make([]A, 0, len(given))
	watches := make([]watch, 0, len(given))
	for _, f := range given {
		inner, _ := f.inner()
		if !inner.listed {
			inner.listed = true
			watches = append(watches, watch{by: by, of: inner, index: len(futures)})
			futures = append(futures, f)
		}
	}
	for i := range watches {
		watches[i].of.listed = false
	}
	return futures, watches, nil
}

// awaitable says why the running task t cannot wait for f, if so.
func awaitable(call string, t *task, f AnyFuture) error {
	inner, l := f.inner()
	switch {
	case l == nil:
		l.check(call)
	case l != t.scope.loop:
		return errOtherLoop
	case inner == &t.future:
		return fmt.Errorf("asyncio: %s: a task cannot wait for itself", call)
	}
	return nil
}

// mustFutures panics if one of the futures is nil.
func mustFutures[A AnyFuture](call string, futures []A) {
	var none A
	for i, f := range futures {
		if any(f) == any(none) {
			panic(fmt.Sprintf("asyncio: %s: number %d of %d futures is nil", call, i+1, len(futures)))
		}
	}
}

// namesOf is what waits for several futures says of them in reports: the names
// of those that are still pending, but not of a thousand.
func namesOf[A AnyFuture](futures []A, watches []watch) string {
	const most = 5
	names, n := "", 0
	for i := range watches {
		if w := &watches[i]; w.of == nil || w.of.state != pending {
			continue
		}
		n++
		if n <= most {
			if n > 1 {
				names += ", "
			}
			names += futures[i].WaitName()
		}
	}
	if n > most {
		names += fmt.Sprintf(" and %d more", n-most)
	}
	return names
}
