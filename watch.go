package asyncio

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrWatchClosed is returned by [Watch.Set] on a Watch that is closed, and by waits
// for another value of it.
var ErrWatchClosed = errors.New("asyncio: the watch is closed")

// A Watch is a value that tasks can wait for to change: a configuration, a state, a
// progress (tokio's watch channel). It has the last value only: who is slow misses
// those in between, but never the last one. To get each of them, use a [Broadcast].
//
// Setting costs a few nanoseconds, and a wake-up for each task that waits, with 0
// allocations. A Watch belongs to one loop. The zero Watch has the zero value.
type Watch[T any] struct {
	home    engine.Home
	queue   engine.WaitQueue
	value   T
	version int // how often it was set
	closed  bool
}

// NewWatch returns a Watch that has the value v.
func NewWatch[T any](v T) *Watch[T] { return &Watch[T]{value: v} }

// Get returns the value.
func (w *Watch[T]) Get() T { return w.value }

// Set makes v the value, and wakes all that wait for another one. It does not wait.
// On a closed Watch it returns [ErrWatchClosed], and changes nothing.
func (w *Watch[T]) Set(v T) error {
	return w.Update(func(value *T) bool { *value = v; return true })
}

// Update lets fn change the value in place. If fn returns false nobody is told: so
// what is set only if it differs wakes nobody for nothing. fn must not wait. On a
// closed Watch Update returns [ErrWatchClosed], and does not call fn.
func (w *Watch[T]) Update(fn func(value *T) (changed bool)) error {
	w.home.Check("Watch.Update")
	if w.closed {
		return ErrWatchClosed
	}
	if fn(&w.value) {
		w.version++
		w.queue.WakeAll()
	}
	return nil
}

// Close says that the value will not change any more: who waits for another one
// gets [ErrWatchClosed]. Get goes on returning the last one.
func (w *Watch[T]) Close() {
	w.home.Check("Watch.Close")
	w.closed = true
	w.queue.Fail(ErrWatchClosed)
}

// WaitFor waits until the value is such that pred returns true, and returns it. If
// it is so already, WaitFor returns at once, whatever the state of ctx. pred must
// not wait; it sees the values there are when the task runs.
//
// If ctx ends first, WaitFor returns its cause; if the Watch is closed,
// [ErrWatchClosed].
func (w *Watch[T]) WaitFor(ctx context.Context, pred func(T) bool) (v T, err error) {
	p, err := w.home.Step(ctx)
	if err != nil {
		return v, err
	}
	for !pred(w.value) {
		if w.closed {
			return v, ErrWatchClosed
		}
		if err := p.Wait(ctx, &w.queue, waitWatch); err != nil {
			return v, err
		}
	}
	return w.value, nil
}

// Subscribe returns a Watcher that has seen the value there is now.
func (w *Watch[T]) Subscribe() *Watcher[T] {
	w.home.Check("Watch.Subscribe")
	return &Watcher[T]{of: w, seen: w.version}
}

// String shows the value, and how many tasks wait.
func (w *Watch[T]) String() string {
	s := fmt.Sprintf("a Watch (%v", w.value)
	if w.closed {
		s += ", closed"
	}
	return s + w.queue.Waiting()
}

// A Watcher knows which value of a [Watch] it has seen, so that it can wait for
// another one. It is a case of [Select], that of Changed: when it was chosen, Get
// returns the value. The Watch does not know its watchers, and they need no end.
type Watcher[T any] struct {
	of   *Watch[T]
	seen int // the version
}

// Get returns the value, and marks it as seen.
func (r *Watcher[T]) Get() T {
	r.seen = r.of.version
	return r.of.value
}

// Changed waits until the value was set since the watcher has last seen it, marks
// it as seen and returns it.
//
// If ctx is done or ends first, Changed returns its cause, and nothing is marked.
// If the Watch is closed and the last value was seen, it returns [ErrWatchClosed].
func (r *Watcher[T]) Changed(ctx context.Context) (v T, err error) {
	err = receive(ctx, &r.of.home, &r.of.queue, waitWatch, func() (done bool, err error) {
		if done, err = r.try(); done {
			v = r.of.value
		}
		return done, err
	})
	return v, err
}

// try marks the value as seen, and reports whether there is nothing to wait for.
func (r *Watcher[T]) try() (done bool, err error) {
	switch {
	case r.seen != r.of.version:
		r.seen = r.of.version
		return true, nil
	case r.of.closed:
		return true, ErrWatchClosed
	}
	return false, nil
}

// All returns an iterator that yields the value there is, and then the last one
// each time when it was set since, until the Watch is closed. If ctx ends, it yields
// the cause, and ends.
func (r *Watcher[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		v, err := r.Get(), error(nil)
		for yield(v, err) && err == nil {
			v, err = r.Changed(ctx)
			if err == ErrWatchClosed && r.of.closed { // and not ctx's cause
				return
			}
		}
	}
}

func (r *Watcher[T]) selecting() engine.Case { return enabled((*watchCase[T])(r)) }

type watchCase[T any] Watcher[T]

func (c *watchCase[T]) Try(p *engine.Parking) (bool, error) {
	if err := c.of.home.Admit(p); err != nil {
		return true, err
	}
	return (*Watcher[T])(c).try()
}

func (c *watchCase[T]) Enter(s *engine.Selection)           { s.SharedLine(&c.of.queue, waitWatch) }
func (c *watchCase[T]) Woken(*engine.Parking) (bool, error) { return (*Watcher[T])(c).try() }

var waitWatch engine.Waitable = engine.Named("a Watch to change")
