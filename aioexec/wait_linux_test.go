package aioexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
)

// untilEnded waits until the process has ended, whether anybody has reaped it or not.
func untilEnded(ctx context.Context, pid int) error {
	_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
		for {
			err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				return asyncio.None{}, err
			}
		}
	})
	if errors.Is(err, unix.ECHILD) {
		err = nil
	}
	return err
}

// untilStreamsAreAwaited waits until the loop, too, has seen the process end, and waits for its output. It gives up after
// a second or two.
func untilStreamsAreAwaited(ctx context.Context, c *aioexec.Cmd) {
	for range 1000 {
		var tasks strings.Builder
		asyncio.DumpTasks(&tasks, asyncio.RunningLoop(ctx))
		if strings.Contains(tasks.String(), fmt.Sprintf("process %d waits for /bin/sh stdout", c.Process.Pid)) {
			return
		}
		asyncio.Sleep(ctx, time.Millisecond)
	}
}

func TestContext_endedWhenOnlyChildrenHoldTheStreams_theGroupIsEnded(t *testing.T) {
	for name, script := range map[string]string{
		"that listens":  "sleep 1000 & echo $!",
		"that does not": "(trap '' TERM; while :; do sleep 0.01; done) & echo $!",
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				var out bytes.Buffer
				c := aioexec.Shell(script)
				c.Group, c.Stdout = true, &out
				if strings.Contains(script, "trap") {
					c.WaitDelay = 50 * time.Millisecond
				}
				enough := errors.New("enough")
				owner, cancel := asyncio.WithCancel(ctx)
				if err := c.Start(owner); err != nil {
					return err
				}
				if err := untilEnded(ctx, c.Process.Pid); err != nil {
					return err
				}
				untilStreamsAreAwaited(ctx, c)
				cancel(enough)
				if err := c.Wait(ctx); !errors.Is(err, enough) || status(t, c) != 0 {
					t.Errorf("Wait = %v, %v", err, c)
				}
				if out.Len() == 0 {
					t.Error("the output is lost")
				}
				return nil
			})
		})
	}
}

func TestContext_endedWhenOnlyChildrenHoldTheStreams_thoseAreClosed(t *testing.T) {
	for _, delay := range []time.Duration{0, 100 * time.Millisecond} {
		run(t, func(ctx context.Context) error {
			var out bytes.Buffer
			c := aioexec.Shell("sleep 1000 & echo $!")
			c.Stdout, c.WaitDelay = &out, delay
			c.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // for the end of the test
			enough := errors.New("enough")
			owner, cancel := asyncio.WithCancel(ctx)
			if err := c.Start(owner); err != nil {
				return err
			}
			defer killGroup(c.Process.Pid)
			for c.ProcessState == nil {
				asyncio.Sleep(ctx, time.Millisecond)
			}
			cancel(enough)
			loop := asyncio.RunningLoop(ctx)
			start := loop.Time()
			err := c.Wait(ctx)
			if took := loop.Time() - start; took >= aioexec.DefaultWaitDelay {
				t.Errorf("with a WaitDelay of %v it took %v", delay, took) // that one is for processes
			}
			if !errors.Is(err, enough) || !errors.Is(err, exec.ErrWaitDelay) || status(t, c) != 0 || out.Len() == 0 {
				t.Errorf("Wait = %v, %v, output %q", err, c, &out)
			}
			return nil
		})
	}
}
