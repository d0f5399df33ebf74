package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// inside runs ServeForever with a handler that calls end when its client has said "!", and echoes until then.
func inside(ctx context.Context, t *testing.T, end func(ctx context.Context, s *aionet.Server) error, clients func(addr string) error,
	opts ...aionet.ServeOption) (ended []error, err error) {
	t.Helper()
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	var s *aionet.Server
	s = aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
		for b := make([]byte, 1); ; {
			if _, err := c.Read(b); err != nil {
				return err
			}
			if b[0] == '!' {
				ended = append(ended, end(ctx, s))
				return nil
			}
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
	}, opts...)
	must(t, s.AddListener(ln))
	forever := asyncio.Go(ctx, s.ServeForever)
	must(t, clients(ln.Addr().String()))
	_, err = forever.Await(ctx)
	if s.Connections() != 0 {
		t.Errorf("ServeForever returned before %s ended", s)
	}
	return ended, err
}

func say(t *testing.T, ctx context.Context, addr, what string) *aionet.Conn {
	t.Helper()
	c := dialed(t, ctx, "tcp", addr)
	_, err := c.Write([]byte(what))
	must(t, err)
	return c
}

func TestServer_endedByItsOwnHandler_ends(t *testing.T) {
	within := func(wait func(*aionet.Server, context.Context) error) func(context.Context, *aionet.Server) error {
		return func(ctx context.Context, s *aionet.Server) error { return wait(s, ctx) }
	}
	closeAndWait := func(s *aionet.Server, ctx context.Context) error {
		s.Close()
		return s.WaitClosed(ctx)
	}
	for name, end := range map[string]func(context.Context, *aionet.Server) error{
		"Shutdown":                 within((*aionet.Server).Shutdown),
		"Close and WaitClosed":     within(closeAndWait),
		"AbortClients, WaitClosed": func(ctx context.Context, s *aionet.Server) error { s.AbortClients(); return closeAndWait(s, ctx) },
		"CloseClients, WaitClosed": func(ctx context.Context, s *aionet.Server) error { s.CloseClients(); return closeAndWait(s, ctx) },
		"shielded":                 func(ctx context.Context, s *aionet.Server) error { return asyncio.Shield(ctx, s.Shutdown) },
		"in a task of the handler's": func(ctx context.Context, s *aionet.Server) error {
			return asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
				g.Go(s.Shutdown)
				return nil
			})
		},
		"in a handler of a server in the handler": func(ctx context.Context, s *aionet.Server) error {
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
			must(t, err)
			say(t, ctx, ln.Addr().String(), "x")
			var inner *aionet.Server
			inner = aionet.NewServer(ctx, func(ctx context.Context, _ net.Conn) error {
				defer inner.Close()
				return s.Shutdown(ctx)
			}, aionet.WithDrain(time.Hour))
			must(t, inner.AddListener(ln))
			return asyncio.Shield(ctx, inner.ServeForever)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				ended, err := inside(ctx, t, end, func(addr string) error {
					_, err := io.ReadAll(say(t, ctx, addr, "!"))
					return ignoreReset(err)
				}, aionet.WithDrain(time.Hour))
				if err != nil || len(ended) != 1 || ended[0] != nil {
					t.Errorf("ServeForever = %v, in the handler: %v", err, ended)
				}
				return nil
			})
		})
	}
}

func ignoreReset(err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return nil
	}
	return err
}

func TestServerShutdown_inAHandler_waitsForTheOtherOnes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		busy := 0
		end := func(ctx context.Context, s *aionet.Server) error {
			err := s.Shutdown(ctx)
			busy = s.Connections()
			return err
		}
		ended, err := inside(ctx, t, end, func(addr string) error {
			other := dialed(t, ctx, "tcp", addr)
			must(t, roundTrip(ctx, other, "a"))
			first := say(t, ctx, addr, "!")
			gone := asyncio.Go(ctx, func(context.Context) error { _, err := io.ReadAll(first); return err })
			if !isPending(ctx, gone) {
				t.Error("Shutdown did not wait for the other handler")
			}
			must(t, roundTrip(ctx, other, "b"))
			other.Close()
			_, err := gone.Await(ctx)
			return err
		}, aionet.WithDrain(time.Hour))
		if err != nil || len(ended) != 1 || ended[0] != nil || busy != 1 {
			t.Errorf("ServeForever = %v, in the handler: %v, with %d connections left", err, ended, busy)
		}
		return nil
	})
}

func TestServerShutdown_inSeveralHandlers_doNotWaitForOneAnother(t *testing.T) {
	run(t, func(ctx context.Context) error {
		end := func(ctx context.Context, s *aionet.Server) error { return s.Shutdown(ctx) }
		ended, err := inside(ctx, t, end, func(addr string) error {
			a, b := dialed(t, ctx, "tcp", addr), dialed(t, ctx, "tcp", addr)
			must(t, errors.Join(roundTrip(ctx, a, "a"), roundTrip(ctx, b, "b")))
			for _, c := range []net.Conn{a, b} {
				_, err := c.Write([]byte("!"))
				must(t, err)
			}
			_, err := io.ReadAll(a)
			_, err2 := io.ReadAll(b)
			return errors.Join(err, err2)
		}, aionet.WithDrain(time.Hour))
		if err != nil || len(ended) != 2 || errors.Join(ended...) != nil {
			t.Errorf("ServeForever = %v, in the handlers: %v", err, ended)
		}
		return nil
	})
}

// Without time to drain, the handler that ends its server is cancelled with the others, and told so.
func TestServerShutdown_inAHandlerWithoutDrain_cancelsAllAndReturns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var after error
		end := func(ctx context.Context, s *aionet.Server) error {
			err := s.Shutdown(ctx)
			after = context.Cause(ctx)
			return err
		}
		_, err := inside(ctx, t, end, func(addr string) error {
			other := dialed(t, ctx, "tcp", addr)
			must(t, roundTrip(ctx, other, "a"))
			_, err := io.ReadAll(say(t, ctx, addr, "!"))
			_, err2 := io.ReadAll(other)
			return errors.Join(err, err2)
		})
		if err != nil || !errors.Is(after, aionet.ErrServerClosed) {
			t.Errorf("ServeForever = %v, the handler was told %v", err, after)
		}
		return nil
	})
}
