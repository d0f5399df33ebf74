package asyncio

import (
	"context"
	"errors"
	"reflect"
	"slices"
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
	loop  *loop
	task  *task  // whose block this is; nil for the loop's own scopes
	given *given // shared with the scope around, unless something was added
	above *scope // in whose list this one is, or was when it was left
	kids  *scope // first of a circular list, in order of creation
	next  *scope
	prev  *scope
	ext   atomic.Pointer[scopeExt]
}

// given is what a scope has from the contexts around it, and never changes.
type given struct {
	values   context.Context // the nearest context around that is not a scope
	deadline time.Time       // the earliest, on the wall clock; zero if there is none
}

// scopeExt is what a scope has once somebody else than the loop looks at it,
// or once it has ended.
type scopeExt struct {
	mu      sync.Mutex
	ended   bool
	cause   error // set with ended
	done    chan struct{}
	after   map[*func()]struct{}
	foreign *foreign // the context around, if it is not a scope of ours
}

// endedExt stands for every scope that has ended normally and that nobody else
// had looked at.
var endedExt = &scopeExt{ended: true, cause: context.Canceled, done: closedChan()}

// endedBy is endedExt for another cause; all that it cancels share it.
func endedBy(cause error) *scopeExt {
	if cause == context.Canceled {
		return endedExt
	}
	return &scopeExt{ended: true, cause: cause, done: endedExt.done}
}

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
	at := s.given.deadline
	return at, !at.IsZero()
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
	}
	return e.cause
}

// explains reports whether err says that s was cancelled, and nothing else: an
// error that came up besides, or a panic, must not be taken for that.
func (s *scope) explains(err error) bool {
	cause := s.Cause()
	if cause == nil {
		return false
	}
	// What most tasks return costs no search: that would grow the stack of each
	// of a million tasks that are woken only to end.
	if err == context.Canceled || reflect.TypeOf(cause).Kind() == reflect.Pointer && err == cause {
		return true
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if several, ok := e.(interface{ Unwrap() []error }); ok && !errors.Is(cause, e) {
			return !slices.ContainsFunc(several.Unwrap(), func(e error) bool { return !s.explains(e) })
		}
	}
	if p := (*PanicError)(nil); errors.As(err, &p) {
		return false
	}
	return errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, s.Err())
}

func (s *scope) Value(key any) any {
	switch key {
	case scopeKey{}:
		return s
	case cancelKey:
		return s.standardCause()
	}
	return s.given.values.Value(key)
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
			s.end(endedBy(cause))
		}
	case ctxForeign:
		s.link(&l.detached)
		s.watch(ctx)
	case ctxUncancellable:
		s.link(&l.detached)
	}
	if l.closing {
		s.end(endedBy(ErrLoopClosed))
	}
}

// inherit takes over the values and the deadline of ctx. From a scope it takes
// what that one has, so that nothing keeps that one in memory.
func (s *scope) inherit(ctx context.Context) {
	if around, ok := ctx.(*scope); ok {
		s.given = around.given
		return
	}
	s.given = &given{values: ctx}
	if at, ok := ctx.Deadline(); ok {
		s.given.deadline = at
	}
}

// expires notes that the scope ends at a time, in what is given on; g is where.
func (s *scope) expires(at time.Time, g *given) {
	if around, ok := s.Deadline(); !ok || at.Before(around) {
		*g = given{s.given.values, at}
		s.given = g
	}
}

// watch cancels s on the loop when ctx, which is not ours, is cancelled.
func (s *scope) watch(ctx context.Context) {
	if ctx.Err() != nil {
		s.cancel(context.Cause(ctx))
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
	foreign := s.foreign()
	for s.kids != nil {
		k := s.kids
		k.unlink()
		k.link(s.above)
		if foreign != nil {
			k.watch(foreign.ctx)
		}
	}
	s.unlink()
	s.end(endedExt)
}

// foreign returns what s watches, nil if it does not or has ended.
func (s *scope) foreign() *foreign {
	if e := s.ext.Load(); e != nil {
		return e.foreign
	}
	return nil
}

// cancel ends s and all below it, and wakes the tasks that wait there.
func (s *scope) cancel(cause error) { s.cancelAs(endedBy(cause)) }

func (s *scope) cancelAs(end *scopeExt) {
	if s.Cause() != nil {
		return
	}
	s.end(end)
	if t := s.task; t != nil && t.w != nil && t.w.State.scope == s {
		s.loop.wake(t.w, end.cause)
	}
	s.cancelBelow(end)
}

func (s *scope) cancelBelow(end *scopeExt) {
	for k := range s.children {
		k.cancelAs(end)
	}
}

// end makes the scope's end visible to everybody.
func (s *scope) end(end *scopeExt) {
	if !s.ext.CompareAndSwap(nil, end) && s.ext.Load() != endedExt {
		s.endShared(s.ext.Load(), end.cause)
	}
}

func (s *scope) endShared(e *scopeExt, cause error) {
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return
	}
	e.ended, e.cause = true, cause
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
