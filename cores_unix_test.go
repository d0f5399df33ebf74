//go:build unix

package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
)

func TestRunLoops_interrupted_cancelsAll(t *testing.T) {
	var waiting, ended atomic.Int32
	err := asyncio.RunLoops(context.Background(), 3, func(ctx context.Context, i int) error {
		if waiting.Add(1) == 3 {
			if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
		err := forever(ctx)
		ended.Add(1)
		return err
	})
	if !errors.Is(err, asyncio.ErrInterrupted) || ended.Load() != 3 || strings.Contains(err.Error(), "\n") {
		t.Errorf("RunLoops = %v, %d ended", err, ended.Load())
	}
}
