package asyncio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A scope is a context of ours: a stretch of a program that is cancelled as a
// whole. A task, a timeout, a group and a shield each open one inside another,
// so scopes form a tree, and cancelling one cancels what is below it. It is a
// state, not an event: every wait under a cancelled scope fails, until the
// scope is left.
//
// The tree belongs to the loop. What other goroutines may do with a context
// goes through what never changes (Value, Deadline) or through the atomic ext
// (Err, Done, and context.AfterFunc, on which the standard library's derived
// contexts stand).
//
// Why not a context.CancelFunc of the standard library: it costs four
// allocations and a mutex a scope, and cancelling it wakes goroutines, not
// tasks, so every wait would need one.
type scope struct {
	loop     *loop
	task     *task           // whose block this is; nil for the loop's own scopes
	values   context.Context // where values come from: the nearest context around that is not a scope
	deadline *time.Time      // the earliest of this scope and those around it, on the wall clock
	above    *scope          // in whose list this one is, or was when it was left
	kids     *scope          // first of a circular list, in order of creation
	next     *scope
	prev     *scope
	cause    error // set once, before ext says that the scope has ended
	ext      atomic.Pointer[scopeExt]
}

// scopeExt is what a scope has once somebody else than the loop looks at it,
// or once it has ended.
type scopeExt struct {
	mu      sync.Mutex
	ended   bool
	done    chan struct{}
	after   map[*func()]struct{}
	foreign *foreign // the context around, if it is not a scope of ours
}

// endedExt stands for every ended scope that nobody else has looked at.
var endedExt = &scopeExt{ended: true, done: closedChan()}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

type scopeKey struct{}

// cancelKey is the key by which the standard library's contexts look for their
// own kind, found out by letting it look. With it, context.Cause works on ours.
var cancelKey = func() any {
	var spy keySpy
	context.Cause(&spy)
	return spy.key
}()

// keySpy is a cancelled context that remembers what it was asked for.
type keySpy struct{ key any }

func (*keySpy) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*keySpy) Done() <-chan struct{}       { return endedExt.done }
func (*keySpy) Err() error                  { return context.Canceled }
func (s *keySpy) Value(key any) any         { s.key = key; return nil }

// Deadline returns the time on the loop's wall clock at which this scope, or
// one around it, times out.
func (s *scope) Deadline() (time.Time, bool) {
	if s.deadline == nil {
		return time.Time{}, false
	}
	return *s.deadline, true
}

// Done returns a channel that is closed when the scope ends, for goroutines;
// coroutines need none.
func (s *scope) Done() <-chan struct{} {
	e := s.shared()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
	}
	return e.done
}

// Err returns nil, [context.Canceled] or [context.DeadlineExceeded].
func (s *scope) Err() error {
	cause := s.Cause()
	if cause == nil {
		return nil
	}
	if _, ok := cause.(*TimeoutError); ok || cause == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// Cause returns why the scope ended, or nil.
func (s *scope) Cause() error {
	e := s.ext.Load()
	if e == nil {
		return nil
	}
	if e != endedExt {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.ended {
			return nil
		}
	}
	return s.cause
}

func (s *scope) Value(key any) any {
	switch key {
	case scopeKey{}:
		return s
	case cancelKey:
		return s.standardCause()
	}
	return s.values.Value(key)
}

// standardCause answers context.Cause, which wants one of its own contexts.
func (s *scope) standardCause() any {
	cause := s.Cause()
	if cause == nil {
		return nil
	}
	c, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return c.Value(cancelKey)
}

// AfterFunc is how the standard library's derived contexts ask to be told; see
// [context.AfterFunc]. f runs on the loop and must not block, which theirs don't.
func (s *scope) AfterFunc(f func()) func() bool {
	e := s.shared()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		go f()
		return func() bool { return false }
	}
	if e.after == nil {
		e.after = map[*func()]struct{}{}
	}
	e.after[&f] = struct{}{}
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		_, waiting := e.after[&f]
		delete(e.after, &f)
		return waiting
	}
}

// shared returns the part that other goroutines may use, made on first use.
func (s *scope) shared() *scopeExt {
	if e := s.ext.Load(); e != nil {
		return e
	}
	e := &scopeExt{}
	if s.ext.CompareAndSwap(nil, e) {
		return e
	}
	return s.ext.Load()
}

// open makes s a scope below ctx. It starts cancelled if ctx is.
func (s *scope) open(l *loop, t *task, ctx context.Context) {
	s.loop, s.task = l, t
	near, kind := relate(ctx)
	s.inherit(ctx)
	switch kind {
	case ctxScope:
		s.link(near.standing())
		if cause := near.Cause(); cause != nil {
			s.end(cause)
		}
	case ctxForeign:
		s.link(&l.detached)
		s.watch(ctx)
	case ctxUncancellable:
		s.link(&l.detached)
	}
}

// inherit takes over the values and the deadline of ctx. From a scope it takes
// what that one has, so that nothing keeps that one in memory.
func (s *scope) inherit(ctx context.Context) {
	if around, ok := ctx.(*scope); ok {
		s.values, s.deadline = around.values, around.deadline
		return
	}
	s.values = ctx
	if at, ok := ctx.Deadline(); ok {
		s.deadline = new(at)
	}
}

// expires brings the deadline forward to at, which never changes.
func (s *scope) expires(at *time.Time) {
	if s.deadline == nil || at.Before(*s.deadline) {
		s.deadline = at
	}
}

// watch cancels s on the loop when ctx, which is not ours, is cancelled.
func (s *scope) watch(ctx context.Context) {
	if ctx.Err() != nil {
		s.end(context.Cause(ctx))
		return
	}
	s.shared().foreign = s.loop.watchForeign(ctx, s.cancel)
}

// close leaves a block: what is still below it is cancelled.
func (s *scope) close() {
	s.cancel(context.Canceled)
	s.leave()
}

// leave cuts the scope out of the tree and ends it. What is below it goes to
// the scope above: so a task outlives the one that created it, and nothing
// keeps an ended scope in memory.
func (s *scope) leave() {
	for s.kids != nil {
		k := s.kids
		k.unlink()
		k.link(s.above)
	}
	s.unlink()
	s.end(context.Canceled)
}

// cancel ends s and all below it, and wakes the tasks that wait there.
func (s *scope) cancel(cause error) {
	if s.Cause() != nil {
		return
	}
	s.end(cause)
	if t := s.task; t != nil && t.w != nil && t.w.State.scope == s {
		s.loop.wake(t.w, cause)
	}
	s.cancelBelow(cause)
}

func (s *scope) cancelBelow(cause error) {
	for k := range s.children {
		k.cancel(cause)
	}
}

// end makes the scope's end visible to everybody.
func (s *scope) end(cause error) {
	if e := s.ext.Load(); e == endedExt {
		return
	} else if e == nil {
		s.cause = cause
		if s.ext.CompareAndSwap(nil, endedExt) {
			return
		}
	}
	s.endShared(s.ext.Load(), cause)
}

func (s *scope) endShared(e *scopeExt, cause error) {
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return
	}
	e.ended, s.cause = true, cause
	after, foreign := e.after, e.foreign
	e.after, e.foreign = nil, nil
	if e.done == nil {
		e.done = endedExt.done
	} else {
		close(e.done)
	}
	e.mu.Unlock()
	if foreign != nil {
		foreign.unwatch()
	}
	for f := range after {
		(*f)()
	}
}

// standing returns s, or if it has been left the nearest scope above that has
// not. The loop's own are in no list and stand for ever.
func (s *scope) standing() *scope {
	for s.next == nil && s.above != nil {
		s = s.above
	}
	return s
}

func (s *scope) link(above *scope) {
	s.above = above
	first := above.kids
	if first == nil {
		s.next, s.prev = s, s
		above.kids = s
		return
	}
	last := first.prev
	s.prev, s.next = last, first
	last.next, first.prev = s, s
}

func (s *scope) unlink() {
	if s.next == nil {
		return
	}
	if s.above.kids == s {
		s.above.kids = s.next
	}
	if s.above.kids == s {
		s.above.kids = nil
	}
	s.prev.next, s.next.prev = s.next, s.prev
	s.next, s.prev = nil, nil
}

// children iterates over the scopes directly below s.
func (s *scope) children(yield func(*scope) bool) {
	for k := s.kids; k != nil; {
		next := k.next
		if !yield(k) || next == s.kids {
			return
		}
		k = next
	}
}

type ctxKind uint8

const (
	ctxScope         ctxKind = iota // ends exactly when our scope ends
	ctxUncancellable                // cannot be cancelled, as from context.WithoutCancel
	ctxForeign                      // is cancelled by something else as well
)

// relate returns the scope in which ctx was made, nil if there is none, and
// how its cancellation relates to that scope's.
func relate(ctx context.Context) (*scope, ctxKind) {
	if s, ok := ctx.(*scope); ok {
		return s, ctxScope
	}
	s, _ := ctx.Value(scopeKey{}).(*scope)
	done := ctx.Done()
	switch {
	case done == nil:
		return s, ctxUncancellable
	case s != nil && done == s.Done():
		return s, ctxScope
	default:
		return s, ctxForeign
	}
}
