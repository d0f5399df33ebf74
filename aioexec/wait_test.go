//go:build unix

package aioexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
)

// reader is a Stdin that is a function.
type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func TestCancel_thatFails_isReportedAndTheProcessIsKilledAfterItsDelay(t *testing.T) {
	why := errors.New("no way")
	for name, tc := range map[string]struct {
		cancel func() error
		want   error
	}{
		"error":  {func() error { return why }, why},
		"panic":  {func() error { panic(why) }, why},
		"Goexit": {func() error { runtime.Goexit(); return nil }, asyncio.ErrGoexit},
		"done":   {func() error { return os.ErrProcessDone }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				c := aioexec.Command("sleep", "1000")
				c.Cancel, c.WaitDelay = tc.cancel, 10*time.Millisecond
				owner, cancel := asyncio.WithCancel(ctx)
				if err := c.Start(owner); err != nil {
					return err
				}
				cancel(nil)
				err := c.Wait(ctx)
				if !errors.Is(err, tc.want) || !errors.Is(err, context.Canceled) || status(t, c) != -int(syscall.SIGKILL) {
					t.Errorf("Wait = %v, want %v; %v", err, tc.want, c)
				}
				if _, ok := errors.AsType[*asyncio.PanicError](err); ok != (name == "panic") {
					t.Errorf("Wait = %v", err)
				}
				if !gone(c.Process.Pid) {
					t.Error("the process is there")
				}
				return nil
			})
		})
	}
}

// The process is not killed at once, as what Cancel has done before it failed may end it.
func TestCancel_thatFails_processThatEndsWellAllTheSame_isOnlyThatError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		why := errors.New("half done")
		c := aioexec.Shell("read line; exit 0")
		in, err := c.StdinPipe(ctx)
		if err != nil {
			return err
		}
		c.WaitDelay = time.Hour
		c.Cancel = func() error { in.Close(); return why }
		owner, cancel := asyncio.WithCancel(ctx)
		if err := c.Start(owner); err != nil {
			return err
		}
		cancel(nil)
		if err := c.Wait(ctx); !errors.Is(err, why) || errors.Is(err, context.Canceled) || status(t, c) != 0 {
			t.Errorf("Wait = %v, %v", err, c)
		}
		return nil
	})
}

func TestStdin_whoseReadFails_endsTheInputAndIsTheError(t *testing.T) {
	why := errors.New("no more")
	for name, tc := range map[string]struct {
		read func([]byte) (int, error)
		want error
	}{
		"error":          {func([]byte) (int, error) { return 0, why }, why},
		"panic":          {func([]byte) (int, error) { panic(why) }, why},
		"Goexit":         {func([]byte) (int, error) { runtime.Goexit(); return 0, nil }, asyncio.ErrGoexit},
		"always nothing": {func([]byte) (int, error) { return 0, nil }, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				c := aioexec.Command("cat")
				c.Stdin = reader(tc.read)
				if err := c.Run(ctx); !errors.Is(err, tc.want) || status(t, c) != 0 {
					t.Errorf("Run = %v, want %v; %v", err, tc.want, c)
				}
				return nil
			})
		})
	}
}

func TestStdout_whoseWritePanics_isTheErrorHoweverTheProcessEnds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, c := range []*aioexec.Cmd{aioexec.Command("echo", "x"), aioexec.Command("yes")} {
			c.Stdout = writer(func([]byte) { panic("in Write") })
			err := c.Run(ctx)
			if _, ok := errors.AsType[*asyncio.PanicError](err); !ok || !strings.Contains(err.Error(), "in Write") {
				t.Errorf("%v: Run = %v", c, err)
			}
		}
		return nil
	})
}

func TestStderr_isReadAndCopiedAsStdoutIs(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("echo out; echo err >&2")
		errs, err := c.StderrPipe(ctx)
		if err != nil {
			return err
		}
		defer errs.Close()
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(ctx); err != nil {
			return err
		}
		got, err := io.ReadAll(errs)
		if string(got) != "err\n" || err != nil {
			t.Errorf("StderrPipe gave %q, %v", got, err)
		}
		if err := c.Wait(ctx); err != nil || out.String() != "out\n" {
			t.Errorf("Wait = %v, output %q", err, &out)
		}
		var both bytes.Buffer
		c = aioexec.Shell("echo out; echo err >&2")
		c.Stderr = &both
		if got, err := c.Output(ctx); string(got) != "out\n" || both.String() != "err\n" || err != nil {
			t.Errorf("Output = %q, %v, and Stderr got %q", got, err, &both)
		}
		return nil
	})
}
