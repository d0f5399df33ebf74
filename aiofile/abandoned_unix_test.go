//go:build unix

package aiofile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// The opening of a FIFO without a writer ends when there is one, and not before.
func TestFiles_besideAbandonedOpensOfFIFOs_areReadAsEver(t *testing.T) {
	const more = 64 // than there are threads for files
	fifos := 0
	dir := t.TempDir()
	fifo := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for ; len(loop.Threads().Abandoned) < more; fifos++ { // some are cancelled before their thread has begun, and end at once
			if err := syscall.Mkfifo(fifo(fifos), 0o600); err != nil {
				return err
			}
			scope, cancel := asyncio.WithCancel(ctx)
			loop.CallSoon(func() { cancel(nil) })
			if _, err := aiofile.ReadFile(scope, fifo(fifos)); err == nil {
				t.Error("a FIFO without a writer was read")
			}
			_ = asyncio.Yield(ctx)
		}
		err := asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			_, err := aiofile.Stat(ctx, dir)
			return err
		})
		if a := loop.Threads().Abandoned[0]; a.Call != "aiofile.ReadFile" || !strings.Contains(a.Place, "abandoned_unix_test.go:") {
			t.Errorf("the first is %v", a)
		}
		for i := range fifos {
			if w, failed := os.OpenFile(fifo(i), os.O_RDWR, 0); failed == nil { // lets the opening go on
				defer w.Close()
			}
		}
		_ = loop.ShutdownThreads(ctx)
		return err
	}, asyncio.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Error(err)
	}
}
