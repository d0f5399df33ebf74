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
// (Err, Done, Value, and context.AfterFunc, on which the standard library's
// derived contexts stand) goes through the atomic ext alone.
//
// Why not a context.CancelFunc of the standard library: it costs four
// allocations and a mutex a scope, and cancelling it wakes goroutines, not
// tasks, so every wait would need one.
type scope struct {
	loop     *loop
	task     *task           // whose block this is; nil for the loop's own scopes
	parent   context.Context // values come from here, and mostly cancellation
	kids     *scope          // first of a circular list, in order of creation
	next     *scope
	prev     *scope
	cause    error // set once, before ext says that the scope has ended
	deadline *deadline
	ext      atomic.Pointer[scopeExt]
}

// scopeExt is what a scope has once somebody else than the loop looks at it,
// or once it has ended.
type scopeExt struct {
	mu    sync.Mutex
	ended bool
	done  chan struct{}
	after map[*func()]struct{}
	stop  func() bool // ends watching a parent that is not a scope of ours
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
	t, ok := s.parent.Deadline()
	if s.deadline != nil && s.deadline.timer.Active() {
		if own := s.loop.wall(s.deadline.timer.when); !ok || own.Before(t) {
			return own, true
		}
	}
	return t, ok
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
	return s.parent.Value(key)
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
	s.loop, s.task, s.parent = l, t, ctx
	near, kind := relate(ctx)
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

// watch cancels s on the loop when ctx, which is not ours, is cancelled.
func (s *scope) watch(ctx context.Context) {
	if ctx.Err() != nil {
		s.end(context.Cause(ctx))
		return
	}
	stop := context.AfterFunc(ctx, func() {
		s.loop.post(func() { s.cancel(context.Cause(ctx)) })
	})
	s.loop.outside++
	s.shared().stop = func() bool {
		s.loop.outside--
		return stop()
	}
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
	up := s.up()
	for s.kids != nil {
		k := s.kids
		k.unlinkFrom(s)
		if k.parent == context.Context(s) {
			k.parent = s.parent
		}
		k.link(up)
	}
	s.unlinkFrom(up)
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
	after, stop := e.after, e.stop
	e.after, e.stop = nil, nil
	if e.done == nil {
		e.done = endedExt.done
	} else {
		close(e.done)
	}
	e.mu.Unlock()
	if stop != nil {
		stop()
	}
	for f := range after {
		(*f)()
	}
}

// up returns the scope in whose list s is.
func (s *scope) up() *scope {
	near, kind := relate(s.parent)
	if kind != ctxScope {
		return &s.loop.detached
	}
	return near.standing()
}

// standing returns s, or if it has been left the nearest scope above that has
// not.
func (s *scope) standing() *scope {
	for s.next == nil && s != &s.loop.root && s != &s.loop.detached {
		s = s.up()
	}
	return s
}

func (s *scope) link(up *scope) {
	first := up.kids
	if first == nil {
		s.next, s.prev = s, s
		up.kids = s
		return
	}
	last := first.prev
	s.prev, s.next = last, first
	last.next, first.prev = s, s
}

func (s *scope) unlinkFrom(up *scope) {
	if s.next == nil {
		return
	}
	if up.kids == s {
		up.kids = s.next
	}
	if up.kids == s {
		up.kids = nil
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
