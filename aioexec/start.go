package aioexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// Start starts the process, in a thread, and returns when it runs. [Cmd.Wait] tells how it ended.
//
// When ctx ends the process is cancelled, at any time; see the package's documentation. If that happens during Start,
// it returns the cause when the process has ended. If Start fails, nothing of it is left.
func (c *Cmd) Start(ctx context.Context) error {
	loop, err := worlds.LoopOf(ctx)
	if err != nil {
		return c.fail("start", err)
	}
	if c.inner != nil {
		return c.fail("start", ErrStarted)
	}
	c.inner = c.command()
	err = c.startable()
	if err == nil && ctx.Err() != nil {
		err = asyncio.Yield(ctx)
	}
	if err == nil {
		err = c.connect(ctx)
	}
	if err == nil {
		err = c.startInThread(ctx, loop)
	}
	closeAll(c.theirs)
	c.theirs = nil
	if err != nil {
		closeAll(c.pipes)
		c.pipes = nil
		return c.fail("start", err)
	}
	c.Process = c.inner.Process
	c.waitedFor = loop.Opened((*leaked)(c))
	c.exit.watch(loop, c.inner)
	c.beginCopies(ctx)
	c.reaper = asyncio.Go(ctx, c.reap, asyncio.Name(fmt.Sprintf("process %d", c.Process.Pid)))
	if ctx.Err() != nil {
		asyncio.Shield(ctx, func(ctx context.Context) error { _, err := c.reaper.Await(ctx); return err })
		return c.fail("start", context.Cause(ctx))
	}
	return nil
}

// startInThread is not cancelled: what a thread has begun it ends. Only if the loop itself is ending nobody waits for
// it; then the thread ends what it has started.
func (c *Cmd) startInThread(ctx context.Context, l *engine.Loop) error {
	var taken atomic.Bool // by the thread, when the process runs, or by the end of the wait for it
	err := asyncio.Shield(ctx, func(ctx context.Context) error {
		_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
			err := l.Env.Processes.Start(c.inner)
			if err == nil && taken.Swap(true) {
				l.Env.Processes.Signal(c.inner, os.Kill, false)
				l.Env.Processes.Wait(c.inner)
			}
			return asyncio.None{}, err
		})
		return err
	})
	if err != nil && errors.Is(err, asyncio.ErrLoopClosed) && taken.Swap(true) {
		return nil // it runs already: it is ended like all others
	}
	return err
}

func (c *Cmd) startable() error {
	switch {
	case c.Err != nil:
		return c.Err
	case c.Path == "":
		return errors.New("no program is given: Path is empty")
	case c.WaitDelay < 0:
		return fmt.Errorf("WaitDelay is %v; it must not be negative", c.WaitDelay)
	}
	return nil
}

// command is what the environment gets to start: all streams are files or ends of pipes, so os/exec starts no goroutine
// of its own.
func (c *Cmd) command() *exec.Cmd {
	inner := &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, ExtraFiles: c.ExtraFiles}
	if c.SysProcAttr != nil {
		attr := *c.SysProcAttr
		inner.SysProcAttr = &attr
	}
	if c.Group {
		if inner.SysProcAttr == nil {
			inner.SysProcAttr = &syscall.SysProcAttr{}
		}
		setGroup(inner.SysProcAttr)
	}
	return inner
}
