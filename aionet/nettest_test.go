package aionet_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"golang.org/x/net/nettest"
)

// inCoroutines is a connection whose reads, writes and deadlines happen in coroutines.
type inCoroutines struct {
	net.Conn
	loop        *asyncio.Loop
	read, write bool
}

func (c inCoroutines) Read(p []byte) (int, error) {
	if !c.read {
		return c.Conn.Read(p)
	}
	return on(c.loop, func(context.Context) (int, error) { return c.Conn.Read(p) })
}

func (c inCoroutines) Write(p []byte) (int, error) {
	if !c.write {
		return c.Conn.Write(p)
	}
	return on(c.loop, func(context.Context) (int, error) { return c.Conn.Write(p) })
}

func (c inCoroutines) do(fn func() error) error {
	_, err := on(c.loop, func(context.Context) (asyncio.None, error) { return asyncio.None{}, fn() })
	return err
}

func (c inCoroutines) SetDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetDeadline(t) })
}

func (c inCoroutines) SetReadDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetReadDeadline(t) })
}

func (c inCoroutines) SetWriteDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetWriteDeadline(t) })
}

// twoEnds connects a coroutine of one loop with a coroutine of another, which may be the same.
func twoEnds(t *testing.T, network string, a, b *asyncio.Loop) (client, server net.Conn) {
	t.Helper()
	address := address(t, network)
	listening := make(chan string, 1)
	accepted := asyncio.RunThreadsafe(b, func(ctx context.Context) (net.Conn, error) {
		ln, err := aionet.Listen(ctx, network, address)
		if err != nil {
			close(listening)
			return nil, err
		}
		defer ln.Close()
		listening <- ln.Addr().String()
		return ln.Accept()
	})
	to := <-listening
	client, err := on(a, func(ctx context.Context) (net.Conn, error) { return aionet.Dial(ctx, network, to) })
	if err != nil {
		t.Fatal(err)
	}
	server, err = accepted.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestConn_isANetConn(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		modes := []struct {
			name                 string
			loops                int
			reads, writes, plain bool
		}{
			{"goroutines", 1, false, false, true},
			{"coroutines", 1, true, true, false},
			{"mixed", 1, true, false, false},
			{"mixed the other way", 1, false, true, false},
			{"goroutine and coroutine", 1, true, true, true},
			{"two loops", 2, true, true, false},
		}
		for _, m := range modes {
			t.Run(m.name, func(t *testing.T) {
				a := background(t)
				b := a
				if m.loops == 2 {
					b = background(t)
				}
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					client, server := twoEnds(t, network, a, b)
					c1 = inCoroutines{client, a, m.reads, m.writes}
					c2 = inCoroutines{server, b, m.reads, m.writes}
					if m.plain {
						c2 = server
					}
					if m.plain && !m.reads {
						c1 = client
					}
					return c1, c2, func() { client.Close(); server.Close() }, nil
				})
			})
		}
	})
}
