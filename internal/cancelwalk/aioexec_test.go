//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestAioexec(t *testing.T) { testAll(t, commands) }

const script = "sleep 0.05; cat; echo done"

var commands = []walk{
	{"Cmd.Start", 1, runs(script, func(ctx context.Context, c *aioexec.Cmd) error {
		if err := c.Start(ctx); err != nil {
			return err
		}
		return c.Wait(context.WithoutCancel(ctx))
	})},
	{"Cmd.Run", 1, runs(script, func(ctx context.Context, c *aioexec.Cmd) error { return c.Run(ctx) })},
	{"Cmd.Run: what does not end when it is asked to", 1, runs("trap '' TERM; sleep 0.1; sleep 0.1", func(ctx context.Context, c *aioexec.Cmd) error {
		c.WaitDelay = 10 * time.Millisecond
		return c.Run(ctx)
	})},
	{"Cmd.Output", 1, runs(script, func(ctx context.Context, c *aioexec.Cmd) error {
		out, err := c.Output(ctx)
		if err == nil && string(out) != "done\n" {
			err = fmt.Errorf("printed %q", out)
		}
		return err
	})},
	{"Cmd.CombinedOutput", 1, runs("echo one >&2; sleep 0.05; echo two", func(ctx context.Context, c *aioexec.Cmd) error {
		out, err := c.CombinedOutput(ctx)
		if err == nil && string(out) != "one\ntwo\n" {
			err = fmt.Errorf("printed %q", out)
		}
		return err
	})},
	{"Cmd.Communicate", 1, runs(script, func(ctx context.Context, c *aioexec.Cmd) error {
		out, _, err := c.Communicate(ctx, data(200_000))
		if err == nil && len(out) != 200_000+5 {
			err = fmt.Errorf("printed %d bytes", len(out))
		}
		return err
	})},
	{"Cmd.StdinPipe, Cmd.StdoutPipe, Cmd.StderrPipe", 2, runs("cat; sleep 0.05; echo done >&2", talks)},
	{"Cmd.Wait", 1, waits},
}

// talks writes to a process until the pipes are full, and reads what it has to say.
func talks(ctx context.Context, c *aioexec.Cmd) (err error) {
	var pipes [3]*aiofile.Pipe
	for i, open := range []func(context.Context) (*aiofile.Pipe, error){c.StdinPipe, c.StdoutPipe, c.StderrPipe} {
		if pipes[i], err = open(ctx); err != nil {
			return err
		}
		defer pipes[i].Close()
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Wait(context.WithoutCancel(ctx))) }()
	const size = 300_000 // bytes: a pipe has room for 65,536
	_, _, err = asyncio.Gather2(ctx,
		func(context.Context) (asyncio.None, error) {
			_, err := pipes[0].Write(data(size))
			return asyncio.None{}, errors.Join(err, pipes[0].Close())
		},
		func(context.Context) (asyncio.None, error) {
			out, err := io.ReadAll(pipes[1])
			if err == nil && !bytes.Equal(out, data(size)) {
				err = fmt.Errorf("printed %d bytes", len(out))
			}
			return asyncio.None{}, err
		})
	if err != nil {
		return err
	}
	said, err := io.ReadAll(pipes[2])
	if err == nil && string(said) != "done\n" {
		err = fmt.Errorf("said %q", said)
	}
	return err
}

// A cancelled Wait leaves the process alone.
func waits(ctx context.Context, s *stage) error {
	c := aioexec.Shell(script)
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.do = c.Wait
	s.check = func(ctx context.Context, _ error) error { return errors.Join(c.Wait(ctx), noProcess()) }
	return nil
}

// runs runs a shell. When it is cancelled, no process is left.
func runs(script string, do func(ctx context.Context, c *aioexec.Cmd) error) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		c := aioexec.Shell(script)
		c.Group = true
		s.do = func(ctx context.Context) error { return do(ctx, c) }
		s.check = func(context.Context, error) error {
			if c.Process != nil && c.ProcessState == nil {
				return errors.New("the process has not ended")
			}
			return noProcess()
		}
		return nil
	}
}

// noProcess returns an error if this process has a child.
func noProcess() error {
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		return fmt.Errorf("a child is left: %d, %v", pid, err)
	}
	return nil
}
