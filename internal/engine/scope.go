package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// A Scope is a stretch of a program that is cancelled as a whole, and a context
// (see Ctx). A task, a timeout, a group and a shield each open one inside
// another, so scopes form a tree, and cancelling one cancels what is below it.
// It is a state, not an event: every wait under a cancelled scope fails, until
// the scope is left.
//
// The tree belongs to the loop. What other goroutines may do with a context
// goes through what never changes (Value, Deadline) or through the atomic ext
// (Err, Done, and context.AfterFunc, on which the standard library's derived
// contexts stand).
//
// Why not a context.CancelFunc of the standard library: it costs four
// allocations and a mutex a scope, and cancelling it wakes goroutines, not
// tasks, so every wait would need one.
type Scope struct {
	loop  *Loop
	task  *Task  // whose block this is; nil for the loop's own scopes
	given *given // shared with the scope around, unless something was added
	above *Scope // in whose list this one is, or was when it was left
	kids  *Scope // first of a circular list, in order of creation
	next  *Scope
	prev  *Scope
	ext   atomic.Pointer[scopeExt]
}

// given is what a scope has from the contexts around it, and never changes.
type given struct {
	values   context.Context // the nearest context around that is not a scope
	deadline time.Time       // the earliest, on the wall clock; zero if there is none
}

// Loop returns the scope's loop; nil before Open.
func (s *Scope) Loop() *Loop { return s.loop }

// Task returns the task whose block the scope is; nil for the loop's own.
func (s *Scope) Task() *Task { return s.task }

// Open makes s a scope of task t below ctx. It starts cancelled if ctx is.
func (s *Scope) Open(l *Loop, t *Task, ctx context.Context) {
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
		s.follow(ctx)
	case ctxUncancellable:
		s.link(&l.detached)
	}
	if l.closing {
		s.end(endedBy(ErrLoopClosed))
	}
	if l.ending && t != nil && t.at != nil && t == l.current {
		t.at.warn()
	}
}

// inherit takes over the values and the deadline of ctx. From a scope it takes
// what that one has, so that nothing keeps that one in memory.
func (s *Scope) inherit(ctx context.Context) {
	if around, ok := ctx.(*Ctx); ok {
		s.given = around.given
		return
	}
	s.given = &given{values: ctx}
	if at, ok := ctx.Deadline(); ok {
		s.given.deadline = at
	}
}

// expires notes that the scope ends at a time, in what is given on; g is where.
func (s *Scope) expires(at time.Time, g *given) {
	if around := s.given.deadline; around.IsZero() || at.Before(around) {
		*g = given{s.given.values, at}
		s.given = g
	}
}

// follow cancels s on the loop when ctx, which is not ours, is cancelled.
func (s *Scope) follow(ctx context.Context) {
	if ctx.Err() != nil {
		s.Cancel(context.Cause(ctx))
		return
	}
	e := s.shared()
	if e.ended { // and stays so: nothing is to be told
		return
	}
	e.foreign = s.loop.follow(ctx, s.Cancel)
}

// Close leaves a block: what is still below it is cancelled.
func (s *Scope) Close() {
	s.Cancel(context.Canceled)
	s.leave()
}

// leave cuts the scope out of the tree and ends it. What is below it goes to
// the scope above: so a task outlives the one that created it, and nothing
// keeps an ended scope in memory.
func (s *Scope) leave() {
	foreign := s.foreign()
	for s.kids != nil {
		k := s.kids
		k.unlink()
		k.link(s.above)
		if foreign != nil {
			k.follow(foreign.ctx)
		}
	}
	s.unlink()
	s.end(endedExt)
}

// foreign returns the context that s follows, nil if none or if s has ended.
func (s *Scope) foreign() *foreign {
	if e := s.ext.Load(); e != nil {
		return e.foreign
	}
	return nil
}

// Cancel ends s and all below it, and wakes the tasks that wait there. The first
// cause stays.
func (s *Scope) Cancel(cause error) { s.cancelAs(endedBy(cause)) }

func (s *Scope) cancelAs(end *scopeExt) {
	if s.Cause() != nil {
		return
	}
	s.end(end)
	if t := s.task; t != nil && t.at != nil && t.at.scope == s {
		t.at.wake(end.cause)
	}
	s.cancelBelow(end)
}

func (s *Scope) cancelBelow(end *scopeExt) {
	for k := range s.children {
		k.cancelAs(end)
	}
}

// end makes the scope's end visible to everybody.
func (s *Scope) end(end *scopeExt) {
	if !s.ext.CompareAndSwap(nil, end) && s.ext.Load() != endedExt {
		s.endShared(s.ext.Load(), end.cause)
	}
}

// endShared tells the standard library's contexts below s, and those who asked for
// it by AfterFunc. What of ours stands below those contexts hears of it here, too,
// and not only when a goroutine has come round: so the order is always the same.
func (s *Scope) endShared(e *scopeExt, cause error) {
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return
	}
	e.ended, e.cause = true, cause
	foreign := e.foreign
	e.foreign = nil
	if t := e.twin; t != nil {
		t.err, t.cause = errOf(cause), standardCause(cause)
		t.end() // it takes locks of the library only
	} else {
		e.done = endedExt.done
	}
	e.mu.Unlock()
	if foreign != nil {
		foreign.unfollow()
	}
	for f := e.after.Front(); f != nil; f = f.Next() {
		f.Value.(func())()
	}
	e.after.Init()
	if e.below > 0 {
		s.loop.lookAtForeigns()
	}
}

// standing returns s, or if it has been left the nearest scope above that has
// not. The loop's own are in no list and stand for ever.
func (s *Scope) standing() *Scope {
	for s.next == nil && s.above != nil {
		s = s.above
	}
	return s
}

func (s *Scope) link(above *Scope) {
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

func (s *Scope) unlink() {
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
func (s *Scope) children(yield func(*Scope) bool) {
	for k := s.kids; k != nil; {
		next := k.next
		if !yield(k) || next == s.kids {
			return
		}
		k = next
	}
}

// Tasks iterates over the tasks directly below s.
func (s *Scope) Tasks(yield func(*Task) bool) {
	for k := range s.children {
		if t := k.task; t != nil && k == &t.Scope && !yield(t) {
			return
		}
	}
}

// walk iterates over the tasks below s, parents first.
func (s *Scope) walk(yield func(*Task) bool) bool {
	if t := s.task; t != nil && s == &t.Scope && !yield(t) {
		return false
	}
	for k := range s.children {
		if !k.walk(yield) {
			return false
		}
	}
	return true
}

type ctxKind uint8

const (
	ctxScope         ctxKind = iota // ends exactly when our scope ends
	ctxUncancellable                // cannot be cancelled, as from context.WithoutCancel
	ctxForeign                      // is cancelled by something else as well
)

// relate returns the scope in which ctx was made, nil if there is none, and
// how its cancellation relates to that scope's.
func relate(ctx context.Context) (*Scope, ctxKind) {
	if c, ok := ctx.(*Ctx); ok {
		return (*Scope)(c), ctxScope
	}
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	done := ctx.Done()
	switch {
	case done == nil:
		return s, ctxUncancellable
	case s != nil && done == s.Ctx().Done():
		return s, ctxScope
	default:
		return s, ctxForeign
	}
}

// Foreign reports whether ctx is cancelled by something else than a scope.
func Foreign(ctx context.Context) bool {
	_, kind := relate(ctx)
	return kind == ctxForeign
}
