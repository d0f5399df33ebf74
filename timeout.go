package asyncio

import (
	"context"
	"time"
)

// Forever, given as a timeout, is none. No timer is armed for it.
const Forever time.Duration = 1<<63 - 1

// deadline is a scope with a timer.
type deadline struct {
	scope scope
	timer Timer
	start time.Duration
	given given
}

func (d *deadline) fire(*Timer) { d.scope.cancel(&TimeoutError{After: d.timer.when - d.start}) }

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
	w, err := running(ctx)
	if err != nil {
		return err
	}
	s := newDeadline(ctx, w.State.task, d)
	defer s.close()
	return s.scope.outcome(w.State.within(&s.scope, fn))
}

// outcome is the error of a timeout's function: the standard library's word for
// a cancellation, which says nothing, gives way to the timeout that was the cause.
func (s *scope) outcome(err error) error {
	if err == context.DeadlineExceeded || err == context.Canceled {
		if own, ok := s.Cause().(*TimeoutError); ok {
			return own
		}
	}
	return err
}

// TimeoutAt is [Timeout] with a wall-clock time, read on the loop's clock.
func TimeoutAt(ctx context.Context, at time.Time, fn func(ctx context.Context) error) error {
	s, err := taskScope(ctx)
	if err != nil {
		return err
	}
	return Timeout(ctx, at.Sub(s.loop.wall(s.loop.now())), fn)
}

// WithTimeout is [Timeout] in the shape of [context.WithTimeout], but on the
// loop's clock: waits with the returned context fail when the time is up, or
// when cancel is called. cancel may be called on any goroutine, and has to be
// called, or else the timer lives until it fires. With [Forever] there is none.
//
// Only waits that are given the context see it; a net.Conn, which is given
// none, obeys the blocks of [Timeout], [Group], [Enter] and their kind.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	l := loopOf("WithTimeout", ctx)
	near, _ := relate(ctx)
	s := newDeadline(ctx, near.task, d)
	return &s.scope, func() { l.onLoop(s.close) }
}

// WithDeadline is [WithTimeout] with a wall-clock time, read on the loop's clock.
func WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	l := loopOf("WithDeadline", ctx)
	return WithTimeout(ctx, at.Sub(l.wall(l.now())))
}

// WithCancel is [context.WithCancelCause] as a scope of ours, cheaper to wait
// under than the standard library's. cancel may be called on any goroutine,
// and has to be called.
func WithCancel(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	l := loopOf("WithCancel", ctx)
	near, _ := relate(ctx)
	s := &scope{}
	s.open(l, near.task, ctx)
	h := l.handle() // who can cancel can end a wait: no deadlock
	return s, func(cause error) {
		h.onLoop(func() {
			s.cancel(causeOf([]error{cause}))
			s.close()
		})
	}
}

// onLoop runs fn now if the caller is on the loop, or else soon.
func (l *loop) onLoop(fn func()) {
	if l.on() {
		fn()
	} else {
		l.post(fn)
	}
}

func newDeadline(ctx context.Context, t *task, d time.Duration) *deadline {
	s := &deadline{}
	s.open(ctx, t, d, s)
	if s.timer.when != Forever {
		s.scope.expires(s.scope.loop.wall(s.timer.when), &s.given)
	}
	return s
}

// open opens the scope below ctx; due is told when the time is up.
func (d *deadline) open(ctx context.Context, t *task, after time.Duration, due alarm) {
	l := loopOf("Timeout", ctx)
	d.scope.open(l, t, ctx)
	d.timer = newTimer(l, due)
	d.start = l.now()
	d.arm(d.start, addTime(d.start, after))
}

// arm sets the time at which d is due: it may be over now, or never come.
func (d *deadline) arm(now, when time.Duration) {
	d.timer.when = when
	switch {
	case when == Forever:
		d.timer.disarm()
	case when <= now:
		d.timer.disarm()
		d.timer.due.fire(&d.timer)
	default:
		d.scope.loop.timers.arm(&d.timer)
	}
}

// close leaves the scope. It may be called again.
func (d *deadline) close() {
	d.timer.disarm()
	d.scope.close()
}

// taskScope returns the scope of ctx if its task runs the caller.
func taskScope(ctx context.Context) (*scope, error) {
	w, err := running(ctx)
	if err != nil {
		return nil, err
	}
	return &w.State.task.scope, nil
}
