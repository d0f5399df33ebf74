package asyncio

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// ErrNotReady is returned by [TaskGroup.Start] for a task that ended without
// having said that it is ready.
var ErrNotReady = errors.New("asyncio: the task ended before it was ready")

// Start starts fn as a task of the group and waits until fn calls ready: a
// server that listens, a connection that is set up (trio's nursery.start). From
// then on it is a task like the others. ready may be called once or more often.
//
// If fn ends before, Start returns its error, which then is not the group's, or
// [ErrNotReady] if it has none. If ctx ends before, the task is cancelled, and
// Start returns the cause when it has ended, or the error with which it failed.
//
//go:noinline
func (g *TaskGroup) Start(ctx context.Context, fn func(ctx context.Context, ready func()) error, opts ...TaskOption) error {
	if fn == nil {
		panic("asyncio: TaskGroup.Start: nil function")
	}
	w, err := running(ctx)
	if err != nil {
		return fmt.Errorf("asyncio: TaskGroup.Start: %w", err)
	}
	t := &startingChild{do: fn}
	t.start(t, g, "TaskGroup.Start", opts, callerpc.Get())
	if t.phase == phaseStarting {
		if err := w.State.wait(ctx, &t.starter, t); err != nil {
			t.scope.cancel(err)
			for t.state == pending {
				w.State.join(&t.starter, t)
			}
			if t.phase == phaseFailed && t.state == finished && t.err != nil {
				return t.err
			}
			return err
		}
	}
	switch {
	case t.phase == phaseReady:
		return nil
	case t.err == nil:
		return fmt.Errorf("%w: %s", ErrNotReady, t.Name())
	default:
		return t.err
	}
}

// startingChild is a child that reports to who started it until it is ready.
type startingChild struct {
	child[None]
	do      func(ctx context.Context, ready func()) error
	starter WaitQueue
	phase   phase
}

type phase uint8

const (
	phaseStarting phase = iota
	phaseReady
	phaseFailed
)

func (t *startingChild) exec() {
	do := t.do
	t.do = nil
	run := t.around(func(ctx context.Context) error { return do(ctx, t.ready) })
	t.finish(run(&t.scope))
}

func (t *startingChild) ready() {
	t.scope.loop.check("the ready function of TaskGroup.Start")
	if t.phase == phaseStarting {
		t.phase = phaseReady
		t.starter.WakeAll()
	}
}

func (t *startingChild) ended() {
	if t.phase == phaseReady {
		t.child.ended()
		t.starter.WakeAll() // who was cancelled in Start waits for the end
		return
	}
	t.phase = phaseFailed
	t.starter.WakeAll()
	t.group.gone()
}

func (t *startingChild) awaiters() []*WaitQueue { return append(t.child.awaiters(), &t.starter) }
