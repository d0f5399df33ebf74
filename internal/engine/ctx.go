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
	done    chan struct{}
	after   list.List // of func(), in the order of their coming
	foreign *foreign  // the context around, if it is not a scope of ours
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
		e.done = make(chan struct{})
	}
	return e.done
}

// Err returns nil, [context.Canceled] or [context.DeadlineExceeded].
func (c *Ctx) Err() error {
	cause := (*Scope)(c).Cause()
	if cause == nil {
		return nil
	}
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
		return (*Scope)(c).standardCause()
	}
	return c.given.values.Value(key)
}

// AfterFunc is how the standard library's derived contexts ask to be told; see
// [context.AfterFunc]. The loop calls f, in the order of asking, and f must not
// block, which theirs don't.
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

// standardCause answers context.Cause, which wants one of its own contexts.
func (s *Scope) standardCause() any {
	cause := s.Cause()
	if cause == nil {
		return nil
	}
	c, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return c.Value(cancelKey)
}
