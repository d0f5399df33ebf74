//go:build unix

package asyncio_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func init() {
	programs["signals"] = signalsOneByOne
	if os.Getenv("ASYNCIO_POLLER") != "portable" { // there goroutines say what is ready, when the scheduler lets them
		programs["a server, and one client after another"] = func(ctx context.Context) error { return served(ctx, 5, 1) }
		programs["a server, and clients at once"] = func(ctx context.Context) error { return served(ctx, 5, 5) }
	}
}

// signalsOneByOne has no timer set while it waits for a signal: the virtual clock does
// not wait for one.
func signalsOneByOne(ctx context.Context) error {
	loop := asyncio.RunningLoop(ctx)
	var come asyncio.Event
	for _, sig := range []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2} {
		if err := loop.AddSignalHandler(sig, func(os.Signal) { come.Set() }); err != nil {
			return err
		}
		defer loop.RemoveSignalHandler(sig)
	}
	for i := range 4 {
		come.Clear()
		syscall.Kill(os.Getpid(), []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}[i%2])
		if err := come.Wait(ctx); err != nil {
			return err
		}
		asyncio.Sleep(ctx, time.Second)
	}
	return nil
}

// socketDir is one for all runs: its name is in the traces.
var socketDir = filepath.Join(os.TempDir(), fmt.Sprintf("asyncio-determinism-%d", os.Getpid()))

// served is an echo server on a Unix socket with clients, so many at once. (What is
// sent over TCP, the system delivers when it likes.)
func served(ctx context.Context, clients, atOnce int) error {
	if err := os.MkdirAll(socketDir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(socketDir)
	ln, err := aionet.Listen(ctx, "unix", filepath.Join(socketDir, "s"))
	if err != nil {
		return err
	}
	return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
		server := g.Go(func(ctx context.Context) error {
			return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
				buf := make([]byte, 16)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return nil
					}
					c.Write(buf[:n])
				}
			})
		})
		_, err := asyncio.Map(ctx, atOnce, func(yield func(int) bool) {
			for i := 0; i < clients && yield(i); i++ {
			}
		}, func(ctx context.Context, i int) (int, error) {
			c, err := aionet.Dial(ctx, "unix", filepath.Join(socketDir, "s"))
			if err != nil {
				return 0, err
			}
			defer c.Close()
			buf := make([]byte, 16)
			for range 3 {
				fmt.Fprintf(c, "hello %d", i)
				if _, err := c.Read(buf); err != nil {
					return 0, err
				}
			}
			return 1, nil
		})
		server.Cancel()
		return err
	})
}
