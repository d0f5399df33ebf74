//go:build !windows

package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// silent is a listening socket whose queue is full, so that connecting to it waits.
func silent(t *testing.T, ctx context.Context) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
	for range 8 {
		c, err := asyncio.ToThread(ctx, func() (net.Conn, error) { return net.DialTimeout("tcp", addr, 30*time.Millisecond) })
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system's listening queues do not fill up")
	return ""
}

// conformance: net-connect-04
func TestDial_cancelled_leavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		addr := silent(t, ctx)
		err := asyncio.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", addr)
			return err
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) || !strings.Contains(err.Error(), addr) {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}
