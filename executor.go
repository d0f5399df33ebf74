package asyncio

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrThreadsShutDown is returned by ToThread after [Loop.ShutdownThreads].
var ErrThreadsShutDown = errors.New("asyncio: ToThread: Loop.ShutdownThreads was called; no new calls are taken")

// WithExecutor sets what runs the calls of [ToThread] (asyncio's
// set_default_executor): start is called on the loop, and lets work run once,
// elsewhere and soon, without waiting for it. The default, also for nil, is
// go work(), which is hard to better: an executor is for goroutines that have
// something of their own, like a locked thread, or for a test that runs calls by
// hand. Limits on how many calls run at once hold as without it.
//
// If start panics, so does ToThread. Work that is never run leaves its caller
// waiting, until that is cancelled, and counts as abandoned from then on.
func WithExecutor(start func(work func())) Option {
	return Option{func(c *config) { c.execute = start }}
}

// threadCalls are the calls of ToThread that wait for a permit or run.
type threadCalls struct {
	n         int
	running   int              // of these, the abandoned ones included
	abandoned []*AbandonedCall // the oldest first
	warned    bool             // that there are many
	refused   bool             // by ShutdownThreads
	idle      engine.WaitQueue
}

func (c *threadCalls) end() {
	if c.n--; c.n == 0 {
		c.idle.WakeAll()
	}
}

// ShutdownThreads refuses calls of [ToThread] from now on, with
// [ErrThreadsShutDown], and waits until those that were made have ended, also
// those whose tasks were cancelled (asyncio's shutdown_default_executor). It is
// for the end of a program that must not leave work behind: a loop that is
// closed, or has run by [Run], does not wait for calls under way.
//
// If ctx ends first, ShutdownThreads says how many calls have not ended, and
// wraps the cause. They run on, and new ones stay refused.
func (l *Loop) ShutdownThreads(ctx context.Context) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	if p.Loop() != l.loop {
		return engine.ErrOtherLoop
	}
	l.calls.refused = true
	if l.calls.n == 0 {
		return nil
	}
	if err := p.Wait(ctx, &l.calls.idle, waitThreads); err != nil {
		return fmt.Errorf("asyncio: Loop.ShutdownThreads: calls of ToThread that have not ended: %d: %w", l.calls.n, err)
	}
	return nil
}

var waitThreads engine.Waitable = engine.Named("the calls of ToThread to end")

// submit lets the executor run fn.
func (c *threadCall[T]) submit(execute func(work func()), t *engine.Task, fn func() (T, error)) {
	var begun atomic.Bool
	taken := false
	defer func() {
		switch {
		case taken:
		case begun.Swap(true): // start has panicked, but the call is under way
			c.abandon(t)
		default: // and will never be
			c.done()
		}
	}()
	execute(func() {
		if begun.Swap(true) {
			panic("asyncio: WithExecutor: work was run twice, or after start had panicked")
		}
		c.run(fn)
	})
	taken = true
}
