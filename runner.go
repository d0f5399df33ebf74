package asyncio

import (
	"context"
	"errors"
	"fmt"
)

// ErrRunnerClosed is returned by the methods of a [Runner] that is closed.
var ErrRunnerClosed = errors.New("asyncio: the Runner is closed")

// A Runner runs several main functions on one loop, one after another (asyncio's
// Runner): tests do, and programs that are synchronous at heart. What one of
// them leaves behind, tasks and timers, stands still when it returns and goes on
// in the next run; Close ends it.
//
//	r := asyncio.NewRunner()
//	defer r.Close()
//	err := r.Run(ctx, setUp)
//	...
//	err = r.Run(ctx, work)
//
// A Runner is used by one goroutine at a time.
type Runner struct {
	opts   []Option
	loop   *Loop // made on first use
	closed bool
}

// NewRunner returns a Runner whose loop is made with opts, on first use.
func NewRunner(opts ...Option) *Runner { return &Runner{opts: opts} }

// Run runs main as a task on the Runner's loop and returns what main returns. It
// is the function [Run], Ctrl-C included, but leaves what still runs as it is.
//
// If the loop is stopped before main has returned ([Loop.Stop]), Run returns
// [ErrLoopStopped], and main is part of what goes on in the next run.
func (r *Runner) Run(ctx context.Context, main func(ctx context.Context) error) error {
	l, err := r.open("Runner.Run")
	if err != nil {
		return err
	}
	if err := l.loop.CheckBubble(); err != nil {
		return err
	}
	return l.loop.RunMain(ctx, mainTask(main), false)
}

// Loop returns the Runner's loop. Once it has been taken, a deadlock is only a
// likely one; see [Loop].
func (r *Runner) Loop() (*Loop, error) {
	l, err := r.open("Runner.Loop")
	if err == nil {
		l.loop.Take()
	}
	return l, err
}

func (r *Runner) open(call string) (*Loop, error) {
	if r.closed {
		return nil, fmt.Errorf("%w: %s", ErrRunnerClosed, call)
	}
	if r.loop == nil {
		l, err := newLoop(r.opts)
		if err != nil {
			return nil, err
		}
		r.loop = l
	}
	return r.loop, nil
}

// Close cancels the tasks that are left, awaits them, reports their errors to
// the exception handler, and closes the loop. Closing again does nothing. It
// returns an error if the loop is running, or a [*DeadlockError] if a task could
// not end; that is cut short then.
func (r *Runner) Close() error {
	if r.loop == nil || r.closed {
		r.closed = true
		return nil
	}
	if r.loop.loop.Running() {
		return errors.New("asyncio: Runner.Close: the loop is running; close it when Run has returned")
	}
	r.closed = true
	return r.loop.loop.Close("Runner.Close")
}
