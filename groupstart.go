package asyncio

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
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
// In a group with a limit ([TaskGroup.SetLimit]), Start waits for room first.
//
//go:noinline
func (g *TaskGroup) Start(ctx context.Context, fn func(ctx context.Context, ready func()) error, opts ...TaskOption) error {
	if fn == nil {
		panic("asyncio: TaskGroup.Start: nil function")
	}
	p, err := engine.Step(ctx)
	if err != nil {
		return fmt.Errorf("asyncio: TaskGroup.Start: %w", err)
	}
	if err := g.awaitRoom(ctx, p); err != nil {
		return err
	}
	t := &startingChild{do: fn}
	t.start(t, g, "TaskGroup.Start", opts, callerpc.Get())
	if t.phase == phaseStarting {
		p.Behind(&t.task)
		t.awaited = true
		if err := p.Wait(ctx, &t.starter, &t.task); err != nil {
			return t.abandon(p, err)
		}
	}
	switch {
	case t.phase == phaseReady:
		return nil
	case t.task.Peek() == nil:
		return fmt.Errorf("%w: %s", ErrNotReady, t.Name())
	default:
		return t.task.Peek()
	}
}

// abandon is for a Start that was cancelled: its task ends with it. The task's
// own failure is Start's to return, whether it came before ready or after.
func (t *startingChild) abandon(p *engine.Parking, cause error) error {
	t.abandoned = true
	t.task.Cancel(cause)
	for !t.task.Done() {
		p.Behind(&t.task)
		p.Join(&t.starter, &t.task)
	}
	if t.task.Failed() {
		return t.task.Peek()
	}
	return cause
}

// startingChild is a child that reports to who started it until it is ready.
type startingChild struct {
	child[None]
	do      func(ctx context.Context, ready func()) error
	starter engine.WaitQueue
	phase   phase

	awaited   bool // Start waits
	abandoned bool // Start was cancelled, and waits for the end
}

type phase uint8

const (
	phaseStarting phase = iota
	phaseReady
	phaseFailed
)

func (t *startingChild) Exec() {
	do := t.do
	t.do = nil
	run := t.task.Around(func(ctx context.Context) error { return do(ctx, t.ready) })
	t.task.Finish(run(t.task.Scope.Ctx()))
}

func (t *startingChild) ready() {
	t.task.Scope.Loop().Check("the ready function of TaskGroup.Start")
	if t.phase == phaseStarting {
		t.phase = phaseReady
		if t.starter.WakeAll() == 0 && t.awaited { // Start is cancelled, and only has not run yet
			t.abandoned = true
		}
	}
}

func (t *startingChild) Ended() {
	if t.phase == phaseReady && !t.abandoned {
		t.child.Ended()
	} else {
		t.phase = phaseFailed
		t.group.gone()
	}
	t.starter.WakeAll()
}

func (t *startingChild) Joiner() *engine.WaitQueue {
	if !t.starter.Empty() {
		return &t.starter
	}
	return t.child.Joiner()
}

func (t *startingChild) Awaiters() []*engine.WaitQueue { return append(t.child.Awaiters(), &t.starter) }
