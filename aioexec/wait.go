package aioexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// Wait waits until the process has ended and all that Stdin, Stdout and Stderr are copied from and to has been, and
// returns nil if it has exited with status 0. Else the error is an [*exec.ExitError], or the cause of the context
// that has cancelled the process, or what has gone wrong in copying.
//
// If ctx ends first, Wait returns its cause, and the process goes on. It may be called again, and by several tasks.
func (c *Cmd) Wait(ctx context.Context) error {
	if c.reaper == nil {
		return engine.AtOnce(c.fail("wait for", ErrNotStarted))
	}
	c.waitedFor()
	if _, err := c.reaper.Await(ctx); err != nil {
		return c.fail("wait for", err)
	}
	return c.outcome
}

// leaked is a Cmd in the report of what was never closed.
type leaked Cmd

func (c *leaked) Leak() (any, string) {
	return c, "the process of " + (*Cmd)(c).name() + " was never waited for"
}

// reap is the task that sees the process to its end. What the user has given to be called runs in tasks of its own, so
// that a panic there cannot keep this one from its work.
func (c *Cmd) reap(ctx context.Context) error {
	cause := c.exit.wait(ctx)
	var end ending
	if cause != nil {
		asyncio.Shield(ctx, func(ctx context.Context) error {
			end.cancel = c.finish(ctx)
			return nil
		})
	}
	c.exit.unwatch()
	if !c.Group { // as long as the leader is not reaped, nobody else gets the number of its group
		c.collect()
	}
	end.cause = cause
	c.endCopies(ctx, &end)
	c.collect()
	c.outcome = c.fail("run", c.judge(end))
	return nil
}

// ending is what has come of a process, beside its status.
type ending struct {
	cause  error // why it was cancelled while it ran
	late   error // why it was cancelled when only its streams were still open
	cancel error // what has gone wrong in cancelling
	copied error // and in copying
}

// collect reaps the process, once.
func (c *Cmd) collect() {
	if !c.collected {
		c.collected = true
		c.waited = c.exit.reap(c.inner)
		c.ProcessState = c.inner.ProcessState
	}
}

// finish ends a process that was cancelled. It returns what has gone wrong in asking it to end, for which it has its
// time all the same.
func (c *Cmd) finish(ctx context.Context) error {
	asked := c.ask(ctx)
	asyncio.Timeout(ctx, c.delay(), c.exit.wait)
	if c.Group || !c.exit.over { // of a group others may be left
		c.Kill()
	}
	c.exit.wait(ctx)
	return c.answer(ctx, asked)
}

// ask asks the process to end. It begins to do so before it returns.
func (c *Cmd) ask(ctx context.Context) *asyncio.Task[asyncio.None] {
	cancel := c.Cancel
	if cancel == nil {
		cancel = c.Terminate
	}
	return asyncio.Go(ctx, func(context.Context) error { return cancel() },
		asyncio.Name(c.name()+" cancel"), asyncio.EagerStart(true))
}

// answer returns what has gone wrong in asking. It does not wait for a Cancel that has not returned by now.
func (c *Cmd) answer(ctx context.Context, asked *asyncio.Task[asyncio.None]) error {
	asked.Cancel()
	_, err := asked.Await(ctx)
	if err == nil || asked.Cancelled() || errors.Is(err, os.ErrProcessDone) || errors.Is(err, asyncio.ErrLoopClosed) {
		return nil
	}
	return fmt.Errorf("cancelling: %w", err)
}

// endCopies waits for the streams to end, and ends them when their time is up. The process's children may keep them
// open for long.
func (c *Cmd) endCopies(ctx context.Context, end *ending) {
	ended := engine.MustLoopOf("aioexec", ctx).Time()
	if end.cause == nil {
		limit := asyncio.Forever
		if c.WaitDelay > 0 {
			limit = c.WaitDelay
		}
		if err := asyncio.Timeout(ctx, limit, c.awaitCopies); err != nil && ctx.Err() != nil {
			end.late = context.Cause(ctx)
		}
	}
	asyncio.Shield(ctx, func(ctx context.Context) error {
		switch {
		case end.late != nil && c.Group:
			asked := c.ask(ctx)
			asyncio.Timeout(ctx, c.delay(), c.awaitCopies)
			c.Kill()
			end.cancel = c.answer(ctx, asked)
		case end.late != nil || end.cause != nil:
			left := c.streamDelay() - (engine.MustLoopOf("aioexec", ctx).Time() - ended)
			asyncio.Timeout(ctx, left, c.awaitCopies)
		}
		end.copied = c.stopCopies(ctx)
		return nil
	})
}

// awaitCopies waits for the streams to end, as the process has.
func (c *Cmd) awaitCopies(ctx context.Context) error {
	for _, y := range c.copies {
		if y.in {
			y.task.Cancel() // nobody reads any more
		}
		if y.task.Done() {
			continue
		}
		if _, err := y.task.Await(ctx); err != nil && !y.task.Done() {
			return err
		}
	}
	return nil
}

// stopCopies ends the copies that are left, and returns what has gone wrong in all of them.
func (c *Cmd) stopCopies(ctx context.Context) error {
	var errs []error
	var cut error
	for _, y := range c.copies {
		if y.task.Cancel() && !y.in {
			cut = exec.ErrWaitDelay
		}
		if _, err := y.task.Await(ctx); err != nil && !y.task.Cancelled() {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, cut)...)
}

// judge says how the process has ended. No panic of what the user has given is lost.
func (c *Cmd) judge(end ending) error {
	var err error
	switch {
	case end.late != nil:
		err = also(end.late, end.copied)
	case c.waited == nil && end.copied == nil:
	case end.cause != nil:
		err = end.cause
	case c.waited != nil:
		if exit, ok := errors.AsType[*exec.ExitError](c.waited); ok && c.tail != nil {
			exit.Stderr = c.tail.bytes()
		}
		err = c.waited
	default:
		err = end.copied
	}
	if isPanic(end.copied) && !isPanic(err) {
		err = also(err, end.copied)
	}
	return also(err, end.cancel)
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*asyncio.PanicError](err)
	return ok
}

// also adds to err what has gone wrong, too.
func also(err, more error) error {
	switch {
	case err == nil:
		return more
	case more == nil:
		return err
	default:
		return fmt.Errorf("%w (%w)", err, more)
	}
}
