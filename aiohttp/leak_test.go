package aiohttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/aionet"
)

// In debug mode the loop's end names each thing that was never closed, with the line that opened it.
func TestDebug_whatWasNeverClosed_isNamedWithItsLine(t *testing.T) {
	s := newCounting(t, hello)
	name := filepath.Join(t.TempDir(), "left")
	leave := func(ctx context.Context, closes bool) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		f, err := aiofile.Create(ctx, name)
		if err != nil {
			return err
		}
		resp, err := Get(ctx, s.URL+"/body")
		if err != nil {
			return err
		}
		cmd := aioexec.Command("true")
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		if closes {
			c.Close()
			ln.Close()
			f.Close()
			resp.Body.Close()
			return cmd.Wait(ctx)
		}
		return nil
	}
	for _, closes := range []bool{true, false} {
		var reports []string
		err := asyncio.Run(t.Context(), func(ctx context.Context) error { return leave(ctx, closes) }, asyncio.WithDebug(true),
			asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
				what, _, _ := strings.Cut(i.Message, " (")
				if !strings.Contains(i.Created, "leak_test.go:") {
					t.Errorf("%s: opened at %q", i.Message, i.Created)
				}
				reports = append(reports, strings.ReplaceAll(what, s.URL, ""))
			}))
		var want []string
		if !closes {
			want = []string{"a listener", "a connection", "a file",
				"the body of the response to GET /body was never closed", "the process of true was never waited for"}
		}
		if err != nil || !slices.Equal(reports, want) {
			t.Errorf("closes %v: %v, reports %q, want %q", closes, err, reports, want)
		}
	}
	os.Remove(name)
}

// What is merely open can wake nobody: a listener and a connection on which nobody waits, a file, a pool.
func TestRun_deadlockWithEverythingOpen_isReturned(t *testing.T) {
	s := newCounting(t, hello)
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		udp, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f, err := aiofile.Create(ctx, filepath.Join(t.TempDir(), "file"))
		if err != nil {
			return err
		}
		resp, err := Get(ctx, s.URL+"/pool")
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		resp.Body.Close()
		if out, err := aioexec.Command("true").Output(ctx); err != nil {
			return fmt.Errorf("%q, %w", out, err)
		}
		var never asyncio.Event
		err = never.Wait(ctx)
		runtime.KeepAlive([]any{ln, c, udp, f})
		return err
	})
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) || len(deadlock.Tasks) != 1 || !strings.Contains(deadlock.Tasks[0], "main waits for an Event (at ") {
		t.Errorf("Run = %v", err)
	}
}
