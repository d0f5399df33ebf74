package asyncio

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Deadline is the time limit of a [TimeoutScope], as long as that runs: it can
// be looked at, moved and removed. It belongs to its loop.
type Deadline struct{ deadline engine.Deadline }

// TimeoutScope is [Timeout] with a time limit that can be moved while fn runs
// (asyncio's timeout, with its reschedule): a limit on a silence, say, which
// each message puts off. With [Forever] there is none to begin with.
//
// The After of its [*TimeoutError] is the whole time that fn has had. As the
// limit may move, fn's context does not tell it by its Deadline method; what is
// told there is the limit of what is around.
func TimeoutScope(ctx context.Context, d time.Duration, fn func(ctx context.Context, t *Deadline) error) error {
	if fn == nil {
		panic("asyncio: TimeoutScope: nil function")
	}
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	t := &Deadline{}
	t.deadline.Open(p.Loop(), p.Task(), ctx, d)
	defer t.deadline.Leave()
	err = p.Within(t.deadline.Ctx(), func(ctx context.Context) error { return fn(ctx, t) })
	return outcome(&t.deadline.Scope, err)
}

// When returns the time on the loop's clock ([Loop.Time]) at which the time is
// up; ok is false if there is no limit.
func (t *Deadline) When() (at time.Duration, ok bool) {
	if t.deadline.Loop() == nil || t.deadline.When() == Forever {
		return 0, false
	}
	return t.deadline.When(), true
}

// Reschedule moves the deadline to another time on the loop's clock. If that is
// over, the scope is cancelled at once; [Forever] removes the deadline. It
// returns [ErrInvalidState] if the time is up already, or the scope has ended.
func (t *Deadline) Reschedule(at time.Duration) error { return t.move("Deadline.Reschedule", at) }

// Remove lets fn take as long as it likes. It returns [ErrInvalidState] if the
// time is up already, or the scope has ended.
func (t *Deadline) Remove() error { return t.move("Deadline.Remove", Forever) }

func (t *Deadline) move(call string, at time.Duration) error {
	l := t.deadline.Loop()
	if l != nil {
		l.Check(call)
	}
	if l == nil || t.deadline.Fired() || t.deadline.Left() {
		return fmt.Errorf("%w: %s: the scope is %s", ErrInvalidState, call, t.state())
	}
	t.deadline.Move(at)
	return nil
}

// Expired reports whether the time was up while fn ran, which has cancelled it.
func (t *Deadline) Expired() bool { return t.deadline.Fired() }

// String shows the state of the scope: active, and until when; expiring, when
// the time is up and fn has yet to return; expired; or finished.
func (t *Deadline) String() string { return "a Deadline (" + t.state() + ")" }

func (t *Deadline) state() string {
	at, limited := t.When()
	switch {
	case t.deadline.Loop() == nil:
		return "not entered"
	case t.deadline.Left() && t.deadline.Fired():
		return "expired"
	case t.deadline.Left():
		return "finished"
	case t.deadline.Fired():
		return "expiring"
	case limited:
		return fmt.Sprintf("active until %v", at)
	default:
		return "active without limit"
	}
}
