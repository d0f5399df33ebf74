package aionet_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// With no descriptor left, Serve reports it, waits, and takes the connection when there is one again.
//
// conformance: net-server-05
func TestServe_outOfDescriptors_waitsAndGoesOn(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}
	defer restore()
	reported := false
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String()) // sits in the queue
		if err != nil {
			return err
		}
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		low := limit
		low.Cur = uint64(len(entries)) - 1 // less the one that ReadDir had open
		for {
			f, err := os.Open(os.DevNull) // fill gaps in the numbers
			if err != nil {
				return err
			}
			defer f.Close()
			if uint64(f.Fd()) >= low.Cur {
				low.Cur = uint64(f.Fd()) + 1
				break
			}
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo) })
		if err := roundTrip(ctx, c, "after all"); err != nil {
			return err
		}
		server.Cancel()
		_, _ = server.Await(ctx)
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) {
		if errors.Is(info.Err, syscall.EMFILE) && strings.Contains(info.Err.Error(), "ulimit -n") {
			reported = true
			restore()
		}
	}))
	if err != nil || !reported {
		t.Fatalf("%v, reported: %v", err, reported)
	}
}
