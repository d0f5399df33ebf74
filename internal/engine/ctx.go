package engine

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A Ctx is a Scope as users have it: a context, with no method besides. (With
// more, a type assertion in somebody's code could find and call Scope.Cancel.)
type Ctx Scope

// Ctx returns s as the context that users are given.
func (s *Scope) Ctx() *Ctx { return (*Ctx)(s) }

// ScopeOf returns the innermost scope in which ctx was made, or nil.
func ScopeOf(ctx context.Context) *Scope {
	if c, ok := ctx.(*Ctx); ok {
		return (*Scope)(c)
	}
	return scopeAround(ctx)
}

func scopeAround(ctx context.Context) *Scope {
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

type scopeKey struct{}

// scopeExt is what a scope has once somebody else than the loop looks at it,
// or once it has ended.
type scopeExt struct {
	mu      sync.Mutex
	ended   bool
	cause   error // set with ended
	done    <-chan struct{}
	twin    *twin     // whose channel done is, if it was asked for before the end
	after   list.List // of func(), in the order of their coming
	foreign *foreign  // the context around, if it is not a scope of ours
	below   int       // foreigns that were made below this scope; the loop's own
}

// endedExt stands for every scope that has ended normally and that nobody else
// had looked at. Nothing ever changes it.
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

// Deadline returns the time on the loop's wall clock at which this scope, or
// one around it, times out.
func (c *Ctx) Deadline() (time.Time, bool) {
	at := c.given.deadline
	return at, !at.IsZero()
}

// Done returns a channel that is closed when the scope ends, for goroutines;
// coroutines need none.
func (c *Ctx) Done() <-chan struct{} {
	e := (*Scope)(c).shared()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.twin = newTwin()
		e.done = e.twin.ctx.Done()
	}
	return e.done
}

// Err returns nil, [context.Canceled] or [context.DeadlineExceeded].
func (c *Ctx) Err() error {
	if cause := (*Scope)(c).Cause(); cause != nil {
		return errOf(cause)
	}
	return nil
}

// errOf is the standard library's word for a cause.
func errOf(cause error) error {
	if cause == context.DeadlineExceeded || Errors.IsTimeout(cause) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// Value returns the value that a context around has for key.
func (c *Ctx) Value(key any) any {
	switch key {
	case scopeKey{}:
		return (*Scope)(c)
	case cancelKey:
		return (*Scope)(c).standard()
	}
	return c.given.values.Value(key)
}

// AfterFunc lets the loop call f when the scope ends, in the order of asking. f
// must not block.
func (c *Ctx) AfterFunc(f func()) func() bool {
	e := (*Scope)(c).shared()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		go f() // not here: the caller may hold a lock that f takes
		return func() bool { return false }
	}
	at := e.after.PushBack(f)
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.ended || at == nil {
			return false
		}
		e.after.Remove(at)
		at = nil
		return true
	}
}

// shared returns the part that other goroutines may use, made on first use.
func (s *Scope) shared() *scopeExt {
	if e := s.ext.Load(); e != nil {
		return e
	}
	e := &scopeExt{}
	if s.ext.CompareAndSwap(nil, e) {
		return e
	}
	return s.ext.Load()
}

// Cause returns why the scope ended, or nil. Any goroutine may ask.
func (s *Scope) Cause() error {
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

// CauseOf returns why ctx is done, or nil.
func CauseOf(ctx context.Context) error {
	if c, ok := ctx.(*Ctx); ok && c.ext.Load() == nil {
		return nil
	}
	return causeOf(ctx)
}

func causeOf(ctx context.Context) error {
	if c, ok := ctx.(*Ctx); ok {
		return (*Scope)(c).Cause()
	}
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

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

// A twin is a context of the standard library that ends when its scope does, by
// the loop's own hand. The library takes it for the scope, as they have their
// channel in common. So each context that is derived from the scope's, even with
// values or types of others in between, is a child of the twin and ends with it at
// once. (The library would have a goroutine wait for the end otherwise, and the
// order would be the scheduler's.)
type twin struct {
	ctx   context.Context
	end   func()
	err   error // with which it is to end
	cause any   // see standardCause
}

func newTwin() *twin {
	t := &twin{}
	ctx, cancel := context.WithCancel((*twinParent)(t))
	_ = cancel // end does what it would, with the scope's error
	t.ctx = ctx
	return t
}

// twinParent is what a twin is derived from: that gives it the error and the cause.
type twinParent twin

var never = make(chan struct{})

func (*twinParent) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*twinParent) Done() <-chan struct{}       { return never }
func (t *twinParent) Err() error                { return t.err }
func (t *twinParent) AfterFunc(end func()) func() bool {
	t.end = end
	return func() bool { return true }
}
func (t *twinParent) Value(key any) any {
	if key == cancelKey {
		return t.cause
	}
	return nil
}

// standard answers the standard library, which looks for a context of its own: to
// derive others from it, or to ask for the cause.
func (s *Scope) standard() any {
	e := s.ext.Load()
	if e == nil {
		return nil
	}
	if e != endedExt {
		e.mu.Lock()
		defer e.mu.Unlock()
	}
	switch {
	case e.twin != nil:
		return e.twin.ctx.Value(cancelKey)
	case e.ended:
		return standardCause(e.cause)
	default:
		return nil
	}
}

func standardCause(cause error) any {
	c, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return c.Value(cancelKey)
}
