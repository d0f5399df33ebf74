package aionet_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// Five clients are enough for the order of a map to be another one nearly each time.
func TestServer_endsItsConnections_inTheOrderInWhichTheyCame(t *testing.T) {
	const clients = 5
	want := []string{"0", "1", "2", "3", "4"}
	for name, end := range map[string]func(ctx context.Context, s *aionet.Server){
		"CloseClients":   func(_ context.Context, s *aionet.Server) { s.CloseClients() },
		"AbortClients":   func(_ context.Context, s *aionet.Server) { s.AbortClients() },
		"cancelled":      func(ctx context.Context, s *aionet.Server) { _ = s.Shutdown(ctx) },
		"Close, in Idle": func(_ context.Context, s *aionet.Server) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				var told []string
				drain := time.Hour
				if name == "cancelled" {
					drain = 0
				}
				s, addr := started(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
					who := make([]byte, 1)
					for {
						err := aionet.Idle(ctx, func(context.Context) error {
							_, err := c.Read(who)
							return err
						})
						if err != nil {
							told = append(told, string(who))
							return nil
						}
						if _, err := c.Write(who); err != nil {
							return err
						}
					}
				}, aionet.WithDrain(drain))
				for i := range clients {
					must(t, roundTrip(ctx, dialed(t, ctx, "tcp", addr), want[i]))
				}
				end(ctx, s)
				_ = s.Shutdown(ctx)
				if !slices.Equal(told, want) {
					t.Errorf("told %v, want %v", told, want)
				}
				return nil
			})
		})
	}
}

func TestProtocolServer_endsItsTransports_inTheOrderInWhichTheyCame(t *testing.T) {
	for name, end := range map[string]func(s *aionet.Server){
		"CloseClients": (*aionet.Server).CloseClients, "AbortClients": (*aionet.Server).AbortClients,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				s := newRecorders(t, ctx, "tcp", nil)
				must(t, s.Start())
				var told []int
				for i := range 5 {
					must(t, roundTrip(ctx, dialed(t, ctx, "tcp", s.addr), "x"))
					s.begun(ctx, i).onLost = func() { told = append(told, i) }
				}
				end(s.Server)
				_ = s.Shutdown(ctx)
				if !slices.Equal(told, []int{0, 1, 2, 3, 4}) {
					t.Errorf("told %v", told)
				}
				return nil
			})
		})
	}
}

// TLS sends what the handler has left after that has returned. The connection takes its place as long.
func TestWithMaxConnections_TLSStillSends_countsAfterItsHandlerHasReturned(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig(), aionet.WithShutdownTimeout(time.Hour))
		must(t, err)
		handled := 0
		var returning asyncio.Event
		s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			defer returning.Set()
			handled++
			writing := asyncio.Go(ctx, func(context.Context) error {
				_, err := c.Write(make([]byte, 64<<20)) // more than has room anywhere
				return err
			})
			untilNoRoom(ctx, writing)
			writing.Cancel()
			_, _ = writing.Await(ctx)
			return nil
		}, aionet.WithMaxConnections(1), aionet.WithAbortAfter(time.Millisecond))
		must(t, errors.Join(s.AddListener(ln), s.Start()))
		first, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), clientConfig()) // and does not read
		must(t, err)
		must(t, returning.Wait(ctx))
		turns(ctx)
		if s.Connections() != 1 {
			t.Errorf("a connection that still sends counts as %d", s.Connections())
		}
		second := asyncio.Go(ctx, func(ctx context.Context) error {
			c, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), clientConfig())
			if err == nil {
				c.NetConn().(*aionet.Conn).Abort()
			}
			return err
		})
		if !isPending(ctx, second) || handled != 1 || s.Connections() != 1 {
			t.Errorf("%d handlers were called: %s", handled, s)
		}
		first.NetConn().(*aionet.Conn).Abort()
		if _, err := second.Await(ctx); err != nil {
			t.Errorf("after the first one has gone: %v", err)
		}
		_ = s.Shutdown(ctx)
		if s.Connections() != 0 {
			t.Errorf("after Shutdown: %s", s)
		}
		return nil
	})
}
