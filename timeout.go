package asyncio

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A timeout of Forever means no timeout. No timer is armed for it.
const Forever time.Duration = 1<<63 - 1

// Timeout runs fn with a context that is cancelled after d on the loop's clock:
// what fn waits for then, however deep, fails with a [*TimeoutError], which is
// a [context.DeadlineExceeded]. Timeout returns what fn returns, when it
// returns: it never leaves fn behind. If fn succeeds although the time is up,
// that is a success.
//
// With a d of zero or less, fn is entered, and its first wait fails. With
// [Forever] there is no timeout. A cancellation of ctx passes through and stays
// what it is. See [TimeoutScope] for a timeout that can be moved.
func Timeout(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	if fn == nil {
		panic("asyncio: Timeout: nil function")
	}
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	s := &engine.Deadline{}
	s.OpenFixed(p.Loop(), p.Task(), ctx, d)
	defer s.Leave()
	return outcome(&s.Scope, p.Within(s.Ctx(), fn))
}

// outcome is the error of a timeout's function: the standard library's word for
// a cancellation, which says nothing, gives way to the timeout that was the cause.
func outcome(s *engine.Scope, err error) error {
	if err == context.DeadlineExceeded || err == context.Canceled {
		if own, ok := s.Cause().(*TimeoutError); ok {
			return own
		}
	}
	return err
}

// TimeoutAt is [Timeout] with a wall-clock time, read on the loop's clock.
func TimeoutAt(ctx context.Context, at time.Time, fn func(ctx context.Context) error) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	return Timeout(ctx, until(p.Loop(), at), fn)
}

// WithTimeout is [Timeout] in the shape of [context.WithTimeout], but on the
// loop's clock: waits with the returned context fail when the time is up, or
// when cancel is called. cancel may be called on any goroutine, and has to be
// called, or else the timer lives until it fires. With [Forever] there is none.
//
// Only waits that are given the context see it; a net.Conn, which is given
// none, obeys the blocks of [Timeout], [Group], [Enter] and their kind.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	l := engine.MustLoopOf("WithTimeout", ctx)
	s := &engine.Deadline{}
	s.OpenFixed(l, engine.ScopeOf(ctx).Task(), ctx, d)
	return s.Ctx(), func() { l.Do(s.Leave) }
}

// WithDeadline is [WithTimeout] with a wall-clock time, read on the loop's clock.
func WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	l := engine.MustLoopOf("WithDeadline", ctx)
	return WithTimeout(ctx, until(l, at))
}

// WithCancel is [context.WithCancelCause] as a scope of ours, cheaper to wait
// under than the standard library's. cancel may be called on any goroutine,
// and has to be called.
func WithCancel(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	l := engine.MustLoopOf("WithCancel", ctx)
	s := &engine.Canceller{}
	s.Open(l, engine.ScopeOf(ctx).Task(), ctx)
	return s.Ctx(), func(cause error) {
		l.Do(func() { s.Close(causeOf([]error{cause})) })
	}
}

// until returns how long it is until a wall-clock time, on the clock of l.
func until(l *engine.Loop, at time.Time) time.Duration { return at.Sub(l.Now()) }
