package aionet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/lowlevel"
)

type handshakeKey struct{}

// handshakes are the ways to shake hands on a side of a connection whose peer is on the other.
var handshakes = map[string]func(ctx context.Context, c *aionet.Conn, config *tls.Config, side aionet.TLSSide) error{
	"StartTLS": func(ctx context.Context, c *aionet.Conn, config *tls.Config, side aionet.TLSSide) error {
		return second(aionet.StartTLS(ctx, c, config, side))
	},
	"StartTLS over another connection": func(ctx context.Context, c *aionet.Conn, config *tls.Config, side aionet.TLSSide) error {
		return second(aionet.StartTLS(ctx, wrapped{c}, config, side))
	},
	"NewTransportTLS": func(ctx context.Context, c *aionet.Conn, config *tls.Config, side aionet.TLSSide) error {
		return second(aionet.NewTransportTLS(ctx, c, config, side, aionet.BaseProtocol{}))
	},
}

// configured returns the configurations of both sides, in which fn is called with the context that crypto/tls has.
func configured(side aionet.TLSSide, fn func(ctx context.Context) error) (ours, theirs *tls.Config) {
	client, server := clientConfig().Clone(), serverConfig().Clone()
	if side == aionet.ServerSide {
		certificate := &server.Certificates[0]
		server.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, fn(h.Context()) }
		server.Certificates = nil
		return server, client
	}
	server.ClientAuth = tls.RequestClientCert
	client.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return new(tls.Certificate), fn(r.Context())
	}
	return client, server
}

func onEachHandshake(t *testing.T, test func(t *testing.T, ctx context.Context, side aionet.TLSSide, shake func(context.Context, *aionet.Conn, *tls.Config, aionet.TLSSide) error)) {
	for name, shake := range handshakes {
		for side, sideName := range map[aionet.TLSSide]string{aionet.ClientSide: "client", aionet.ServerSide: "server"} {
			t.Run(name+", "+sideName, func(t *testing.T) {
				run(t, func(ctx context.Context) error {
					test(t, ctx, side, shake)
					return nil
				})
			})
		}
	}
}

func TestTLS_configurationsFunctions_haveTheContextOfTheHandshake(t *testing.T) {
	onEachHandshake(t, func(t *testing.T, ctx context.Context, side aionet.TLSSide, shake func(context.Context, *aionet.Conn, *tls.Config, aionet.TLSSide) error) {
		called := false
		ours, theirs := configured(side, func(ctx context.Context) error {
			called = true
			if ctx.Value(handshakeKey{}) != "mine" {
				t.Error("the value is missing")
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the deadline is missing")
			}
			return asyncio.Sleep(ctx, time.Microsecond)
		})
		a, b := pipe(t, ctx, "tcp")
		peer := asyncio.Go(ctx, func(ctx context.Context) error { return second(aionet.StartTLS(ctx, b, theirs, !side)) })
		must(t, asyncio.Timeout(context.WithValue(ctx, handshakeKey{}, "mine"), time.Minute, func(ctx context.Context) error {
			return shake(ctx, a, ours, side)
		}))
		_, err := peer.Await(ctx)
		must(t, err)
		if !called {
			t.Error("the function was not called")
		}
	})
}

// What ends the handshake ends what a function of the configuration waits for.
func TestTLS_handshakeIsCancelled_configurationsFunctionEnds(t *testing.T) {
	onEachHandshake(t, func(t *testing.T, ctx context.Context, side aionet.TLSSide, shake func(context.Context, *aionet.Conn, *tls.Config, aionet.TLSSide) error) {
		stop := errors.New("stop")
		var ended error
		var cancel context.CancelCauseFunc
		ours, theirs := configured(side, func(ctx context.Context) error {
			asyncio.RunningLoop(ctx).CallSoon(func() { cancel(stop) })
			var never lowlevel.WaitQueue
			ended = never.WaitOutside(ctx, never2{})
			return ended
		})
		a, b := pipe(t, ctx, "tcp")
		peer := asyncio.Go(ctx, func(ctx context.Context) error { return second(aionet.StartTLS(ctx, b, theirs, !side)) })
		shaking, stopShaking := asyncio.WithCancel(ctx)
		cancel = stopShaking
		if err := shake(shaking, a, ours, side); !errors.Is(err, stop) {
			t.Errorf("the handshake: %v", err)
		}
		if !errors.Is(ended, stop) {
			t.Errorf("the function's wait: %v", ended)
		}
		_, _ = peer.Await(ctx) // the server may be done before it hears of the client's end
	})
}
