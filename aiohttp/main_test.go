package aiohttp

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
	"github.com/go-asyncio/asyncio/lowlevel"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// onLoop runs fn as the main task of a loop. A watchdog on a goroutine ends it
// when it hangs.
func onLoop(t *testing.T, fn func(ctx context.Context), opts ...asyncio.Option) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := asyncio.Run(ctx, func(ctx context.Context) error {
		fn(ctx)
		return nil
	}, append(opts, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) {
		t.Errorf("reported to the exception handler: %s: %v", info.Message, info.Err)
	}))...)
	if err != nil {
		t.Fatal(err)
	}
}

// testTransport is a Transport without limits.
func testTransport() *Transport { return &Transport{} }

// threadConn is a connection from outside this library, and lets a coroutine
// wait for a plain one by way of a thread.
type threadConn struct {
	net.Conn
	loop *asyncio.Loop
}

func dialInThread(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := asyncio.ToThread(ctx, func() (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	})
	if err != nil {
		return nil, err
	}
	return &threadConn{nc, asyncio.RunningLoop(ctx)}, nil
}

func (c *threadConn) Read(p []byte) (int, error) {
	ctx := lowlevel.CurrentContext(c.loop)
	if ctx == nil {
		return c.Conn.Read(p)
	}
	return asyncio.ToThread(ctx, func() (int, error) { return c.Conn.Read(p) })
}

func (c *threadConn) Write(p []byte) (int, error) {
	ctx := lowlevel.CurrentContext(c.loop)
	if ctx == nil {
		return c.Conn.Write(p)
	}
	return asyncio.ToThread(ctx, func() (int, error) { return c.Conn.Write(p) })
}

func get(t *testing.T, ctx context.Context, client *http.Client, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// quietLog is for servers whose clients misbehave on purpose.
var quietLog = log.New(io.Discard, "", 0)
