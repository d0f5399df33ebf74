//go:build unix

package cancelwalk_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio/aioexec"
)

func TestAioexec(t *testing.T) {
	const script = "sleep 0.05; cat; echo done"
	testAll(t, []walk{
		{"Cmd.Start", 1, runs(func(ctx context.Context, c *aioexec.Cmd) error {
			if err := c.Start(ctx); err != nil {
				return err
			}
			return c.Wait(context.WithoutCancel(ctx))
		})},
		{"Cmd.Run", 1, runs(func(ctx context.Context, c *aioexec.Cmd) error { return c.Run(ctx) })},
		{"Cmd.Output", 1, runs(func(ctx context.Context, c *aioexec.Cmd) error {
			out, err := c.Output(ctx)
			if err == nil && string(out) != "done\n" {
				err = fmt.Errorf("printed %q", out)
			}
			return err
		})},
		{"Cmd.Communicate", 1, runs(func(ctx context.Context, c *aioexec.Cmd) error {
			out, _, err := c.Communicate(ctx, data(200_000))
			if err == nil && len(out) != 200_000+5 {
				err = fmt.Errorf("printed %d bytes", len(out))
			}
			return err
		})},
		{"Cmd.Wait", 1, func(ctx context.Context, s *stage) error {
			c := aioexec.Shell(script)
			if err := c.Start(ctx); err != nil {
				return err
			}
			s.do = c.Wait
			s.check = func(ctx context.Context, _ error) error { // the process is left alone
				return errors.Join(c.Wait(ctx), noProcess())
			}
			return nil
		}},
	})
}

// runs runs a shell. When it is cancelled, no process is left.
func runs(do func(ctx context.Context, c *aioexec.Cmd) error) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		c := aioexec.Shell("sleep 0.05; cat; echo done")
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
