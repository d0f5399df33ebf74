package aioexec

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/go-asyncio/asyncio"
)

// Wait waits until the process has ended and all that Stdin, Stdout and Stderr are copied from and to has been, and
// returns nil if it has exited with status 0. Else the error is an [*exec.ExitError], or the cause of the context
// that has cancelled the process, or what has gone wrong in copying.
//
// If ctx ends first, Wait returns its cause, and the process goes on. It may be called again, and by several tasks.
func (c *Cmd) Wait(ctx context.Context) error {
	if c.reaper == nil {
		return c.fail("wait for", ErrNotStarted)
	}
	if _, err := c.reaper.Await(ctx); err != nil {
		return c.fail("wait for", err)
	}
	return c.outcome
}

// reap is the task that sees the process to its end.
func (c *Cmd) reap(ctx context.Context) error {
	cause := c.exit.wait(ctx)
	if cause != nil {
		asyncio.Shield(ctx, c.finish)
	}
	waited := c.exit.reap(c.inner)
	c.ProcessState = c.inner.ProcessState
	var copied error
	asyncio.Shield(ctx, func(ctx context.Context) error {
		copied = c.endCopies(ctx, cause != nil)
		return nil
	})
	c.outcome = c.fail("run", c.judge(cause, waited, copied))
	return nil
}

// finish ends a process that was cancelled.
func (c *Cmd) finish(ctx context.Context) error {
	if c.Cancel != nil {
		if err := c.Cancel(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.Kill()
		}
	} else {
		c.Terminate()
	}
	asyncio.Timeout(ctx, c.delay(), c.exit.wait)
	if c.Group || !c.exit.over { // of a group others may be left
		c.Kill()
	}
	return c.exit.wait(ctx)
}

// endCopies waits for the streams to end. The process's children may keep them open for long.
func (c *Cmd) endCopies(ctx context.Context, cancelled bool) error {
	limit := asyncio.Forever
	if cancelled || c.WaitDelay > 0 {
		limit = c.delay()
	}
	var errs []error
	err := asyncio.Timeout(ctx, limit, func(ctx context.Context) error {
		for _, y := range c.copies {
			if y.in {
				y.task.Cancel() // nobody reads any more
			}
			if _, err := y.task.Await(ctx); err != nil {
				if ctx.Err() != nil {
					return err
				}
				if !y.task.Cancelled() {
					errs = append(errs, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		errs = append(errs, exec.ErrWaitDelay)
	}
	for _, y := range c.copies {
		if y.task.Cancel() {
			y.task.Await(ctx)
		}
	}
	return errors.Join(errs...)
}

// judge says how the process has ended.
func (c *Cmd) judge(cause, waited, copied error) error {
	switch {
	case waited == nil && copied == nil:
		return nil
	case cause != nil:
		return cause
	case waited != nil:
		if exit, ok := errors.AsType[*exec.ExitError](waited); ok && c.tail != nil {
			exit.Stderr = c.tail.bytes()
		}
		return waited
	default:
		return copied
	}
}
