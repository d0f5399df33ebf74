package aionet_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
	"github.com/go-asyncio/asyncio/lowlevel"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fifo is for tests that say who runs after whom: chaos (ASYNCIO_CHAOS) leaves them
// alone.
var fifo = asyncio.WithChaos(0)

// run runs main on a loop with a time limit, and fails the test with its error.
func run(t *testing.T, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, 60*time.Second, main)
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
}

// networks are the kinds of sockets that most tests are about.
var networks = []string{"tcp", "unix"}

func onEach(t *testing.T, test func(t *testing.T, network string)) {
	for _, n := range networks {
		t.Run(n, func(t *testing.T) { test(t, n) })
	}
}

func address(t testing.TB, network string) string {
	if network == "unix" {
		return filepath.Join(t.TempDir(), "socket")
	}
	return "127.0.0.1:0"
}

// pipe returns both ends of a connection on the running loop.
func pipe(t testing.TB, ctx context.Context, network string) (client, server *aionet.Conn) {
	t.Helper()
	ln, err := aionet.Listen(ctx, network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = aionet.Dial(ctx, network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, c.(*aionet.Conn)
}

// background is a loop that runs beside the test until it ends.
func background(t testing.TB) *asyncio.Loop {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	loops := make(chan *asyncio.Loop)
	ended := make(chan error)
	go func() {
		ended <- asyncio.Run(ctx, func(ctx context.Context) error {
			loops <- asyncio.RunningLoop(ctx)
			var never lowlevel.WaitQueue
			_ = never.WaitOutside(ctx, never2{})
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the background loop: %v", err)
		}
	})
	return <-loops
}

type never2 struct{}

func (never2) WaitName() string { return "the test's end" }

// on runs fn as a coroutine of l, from any goroutine.
func on[T any](l *asyncio.Loop, fn asyncio.Coroutine[T]) (T, error) {
	return asyncio.RunThreadsafe(l, fn).Wait(context.Background())
}

// peer connects a socket of package net to a listener on the running loop.
func peer(t testing.TB, ctx context.Context, network string) (ours *aionet.Conn, theirs net.Conn) {
	t.Helper()
	ln, err := aionet.Listen(ctx, network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	theirs, err = asyncio.ToThread(ctx, func() (net.Conn, error) { return net.Dial(network, ln.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*aionet.Conn), theirs
}
