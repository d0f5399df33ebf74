package aionet_test

import (
	"context"
	"net"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/conntest"
)

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
		conntest.Run(t, func(a, b *asyncio.Loop) (c1, c2 net.Conn, err error) {
			c1, c2 = twoEnds(t, network, a, b)
			return c1, c2, nil
		})
	})
}
