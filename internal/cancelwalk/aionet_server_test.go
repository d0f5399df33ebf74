//go:build unix

package cancelwalk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/testcert"
)

func TestServers(t *testing.T) { testAll(t, servers) }

var servers = []walk{
	{"Serve", 2, serves(false, serveEcho())},
	{"Serve: TLS", 2, serves(true, serveEcho())},
	{"Serve: one at a time", 2, serves(false, serveEcho(aionet.WithMaxConnections(1)))},
	{"Serve: with time to finish", 2, serves(false, serveEcho(aionet.WithDrain(5*time.Millisecond)))},
	{"Serve, Idle", 2, serves(false, func(ctx context.Context, ln *aionet.Listener, live *int) error {
		return aionet.Serve(ctx, ln, counted(live, echoWhenAsked), aionet.WithDrain(time.Hour))
	})},
	{"Server.ServeForever", 2, serves(false, func(ctx context.Context, ln *aionet.Listener, live *int) error {
		server := aionet.NewServer(ctx, counted(live, echo))
		if err := server.AddListener(ln); err != nil {
			return err
		}
		return server.ServeForever(ctx)
	})},
	{"ServeProtocol", 1, serves(false, serveEchoProtocol())},
	{"ServeProtocol: TLS", 1, serves(true, serveEchoProtocol())},
	{"ServeProtocol: with time to finish", 1, serves(false, serveEchoProtocol(aionet.WithDrain(5*time.Millisecond)))},
	{"Server.Shutdown", 1, endsServer((*aionet.Server).Shutdown, 0)},
	{"Server.WaitClosed", 1, endsServer(func(server *aionet.Server, ctx context.Context) error {
		server.Close()
		return server.WaitClosed(ctx)
	}, clients)},
	{"StartServer", 1, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		handler := func(context.Context, *aionet.Reader, *aionet.Writer) error { return nil }
		ctx, cancel := asyncio.WithCancel(ctx)
		server, err := aionet.StartServer(ctx, "tcp", "name:0", handler, aionet.WithSocket(aionet.WithResolver(slowly{})))
		return closerFunc(func() error {
			server.Close()
			cancel(nil)
			return nil
		}), err
	})},
}

func serveEcho(opts ...aionet.ServeOption) func(context.Context, *aionet.Listener, *int) error {
	return func(ctx context.Context, ln *aionet.Listener, live *int) error {
		return aionet.Serve(ctx, ln, counted(live, echo), opts...)
	}
}

// counted keeps count of the handlers that run.
func counted(live *int, handler aionet.Handler) aionet.Handler {
	return func(ctx context.Context, c net.Conn) error {
		*live++
		defer func() { *live-- }()
		err := handler(ctx, c)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) { // clients that do not say goodbye
			return nil
		}
		return err
	}
}

func echo(_ context.Context, c net.Conn) error {
	_, err := io.Copy(c, c)
	return err
}

// echoWhenAsked has nothing to finish while it waits for the client.
func echoWhenAsked(ctx context.Context, c net.Conn) error {
	buf := make([]byte, 10)
	for {
		n := 0
		err := aionet.Idle(ctx, func(context.Context) (err error) {
			n, err = c.Read(buf)
			return err
		})
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// echoProtocol is echo in callback style.
type echoProtocol struct {
	aionet.BaseProtocol
	transport aionet.Transport
	live      *int
}

func serveEchoProtocol(opts ...aionet.ServeOption) func(context.Context, *aionet.Listener, *int) error {
	return func(ctx context.Context, ln *aionet.Listener, live *int) error {
		return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return &echoProtocol{live: live} }, opts...)
	}
}

func (p *echoProtocol) ConnectionMade(t aionet.Transport) {
	p.transport = t
	*p.live++
}

func (p *echoProtocol) DataReceived(data []byte) { p.transport.Write(data) }
func (p *echoProtocol) ConnectionLost(err error) { *p.live-- }

// A server ends when its handlers have, and has closed its listener and all connections.
func serves(secret bool, serve func(ctx context.Context, ln *aionet.Listener, live *int) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		listen := func() (*aionet.Listener, error) { return aionet.Listen(ctx, "tcp", "127.0.0.1:0") }
		if secret {
			listen = func() (*aionet.Listener, error) {
				return aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", testcert.Server())
			}
		}
		ln, err := listen()
		if err != nil {
			return err
		}
		address := ln.Addr().String()
		var clients sync.WaitGroup
		s.cleanup(clients.Wait)
		nudges := 0
		var staying net.Conn
		s.cleanup(func() {
			if staying != nil {
				staying.Close()
			}
		})
		s.nudge = func() {
			switch nudges++; nudges {
			case 1, 2, 3:
				c, err := net.Dial("tcp", address)
				if err != nil {
					return // it has ended
				}
				if nudges == 2 {
					staying = c
				} else {
					clients.Go(func() { call(c, secret) })
				}
			case 4:
				ln.Close()
			}
		}
		live := 0
		s.do = func(ctx context.Context) error { return serve(ctx, ln, &live) }
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			if live > 0 {
				return fmt.Errorf("%d handlers go on", live)
			}
			if c, err := aionet.Dial(ctx, "tcp", address); err == nil {
				return errors.Join(errors.New("it still listens"), c.Close())
			}
			return nil
		}
		return nil
	}
}

// call is a client that has something echoed.
func call(c net.Conn, secret bool) {
	defer c.Close()
	if secret {
		t := tls.Client(c, testcert.Client())
		defer t.Close()
		c = t
	}
	c.Write([]byte("hello"))
	io.ReadFull(c, make([]byte, 5))
}

const clients = 3

// endsServer walks what ends a server with several clients, who leave one after another. When it is cancelled, at most
// left connections go on.
func endsServer(end func(server *aionet.Server, ctx context.Context) error, left int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		var live, ended int
		server := aionet.NewServer(context.WithoutCancel(ctx), counted(&live, func(ctx context.Context, c net.Conn) error {
			err := echo(ctx, c)
			if err == nil {
				ended++
			}
			return err
		}), aionet.WithDrain(time.Hour))
		if err := errors.Join(server.AddListener(ln), server.Start()); err != nil {
			return err
		}
		var open []net.Conn
		for range clients {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			s.cleanup(func() { c.Close() })
			open = append(open, c)
		}
		for live < clients {
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
		}
		s.nudge = func() {
			if len(open) > 0 {
				open[0].Close()
				open = open[1:]
			}
		}
		s.do = func(ctx context.Context) error { return end(server, ctx) }
		s.check = func(ctx context.Context, err error) error {
			if live != server.Connections() || live > left || err == nil && ended < clients {
				return fmt.Errorf("%d connections go on, %d have ended by themselves (%v)", live, ended, err)
			}
			return server.WaitClosed(ctx)
		}
		return nil
	}
}
