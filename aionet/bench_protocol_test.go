package aionet_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// echoProtocol sends back what it receives.
type echoProtocol struct {
	aionet.BaseProtocol
	t aionet.Transport
}

func (e *echoProtocol) ConnectionMade(t aionet.Transport) { e.t = t }
func (e *echoProtocol) DataReceived(p []byte)             { e.t.Write(p) }

func newEcho() aionet.Protocol { return new(echoProtocol) }

// benchEcho sends b.N messages of 64 bytes over some connections, from goroutines of package net.
func benchEcho(b *testing.B, connections int, serve func(ctx context.Context, ln *aionet.Listener) error) {
	b.ReportAllocs()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error { return serve(ctx, ln) })
		_, err = asyncio.ToThread(ctx, func() (asyncio.None, error) {
			return asyncio.None{}, exchangeAll(b, ln.Addr().String(), connections)
		})
		server.Cancel()
		_, _ = server.Await(ctx)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

func exchangeAll(b *testing.B, addr string, connections int) error {
	conns := make([]net.Conn, connections)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		conns[i] = c
	}
	message := make([]byte, 64)
	b.ResetTimer()
	for done := 0; done < b.N; done += len(conns) {
		for _, c := range conns {
			if _, err := c.Write(message); err != nil {
				return err
			}
		}
		for _, c := range conns {
			if _, err := io.ReadFull(c, message); err != nil {
				return err
			}
		}
	}
	b.StopTimer()
	return nil
}

func serveEcho(ctx context.Context, ln *aionet.Listener) error {
	return aionet.ServeProtocol(ctx, ln, newEcho)
}

func serveEchoOnStreams(ctx context.Context, ln *aionet.Listener) error {
	return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
		p := make([]byte, 4096)
		for {
			n, err := c.Read(p)
			if err != nil {
				return nil
			}
			if _, err := c.Write(p[:n]); err != nil {
				return err
			}
		}
	})
}

func BenchmarkEcho_protocol_1(b *testing.B)    { benchEcho(b, 1, serveEcho) }
func BenchmarkEcho_stream_1(b *testing.B)      { benchEcho(b, 1, serveEchoOnStreams) }
func BenchmarkEcho_protocol_64(b *testing.B)   { benchEcho(b, 64, serveEcho) }
func BenchmarkEcho_stream_64(b *testing.B)     { benchEcho(b, 64, serveEchoOnStreams) }
func BenchmarkEcho_protocol_1000(b *testing.B) { benchEcho(b, 1000, serveEcho) }
func BenchmarkEcho_stream_1000(b *testing.B)   { benchEcho(b, 1000, serveEchoOnStreams) }
