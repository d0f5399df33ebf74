package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// DialProtocol connects as [Dial] does and gives the connection to p. When it returns, p's ConnectionMade has been
// called.
//
// It waits, and is ended by ctx; nothing is left open then.
func DialProtocol(ctx context.Context, network, address string, p Protocol, opts ...Option) (Transport, error) {
	mustProtocol("DialProtocol", p)
	c, err := Dial(ctx, network, address, opts...)
	if err != nil {
		return nil, err
	}
	return NewTransport(ctx, c, p)
}

// DialProtocolTLS is [DialProtocol] with TLS, as in [DialTLS]. If the handshake fails, p is told nothing.
func DialProtocolTLS(ctx context.Context, network, address string, config *tls.Config, p Protocol, opts ...Option) (Transport, error) {
	mustProtocol("DialProtocolTLS", p)
	o, err := secureOptions(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("aionet: dial %s %s: %w", network, address, err)
	}
	c, err := Dial(ctx, network, address, append(opts[:len(opts):len(opts)], withoutTLS)...)
	if err != nil {
		return nil, err
	}
	if network != "unix" {
		config = withServerName(config, address)
	}
	return newTransportTLS(ctx, c, config, ClientSide, p, o.secure)
}

// NewTransport gives a connection, made or accepted by whomever, to p. c must be idle, and is of no use to anybody
// after that. If it fails, c is closed.
//
// It waits until p's ConnectionMade has been called, and is ended by ctx; nothing is left open then.
func NewTransport(ctx context.Context, c *Conn, p Protocol) (Transport, error) {
	mustProtocol("NewTransport", p)
	t, err := c.toTransport(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.awaitBegin(ctx, p); err != nil {
		return nil, err
	}
	return t, nil
}

// NewTransportTLS is [NewTransport] with TLS. On the client's side config needs a ServerName or InsecureSkipVerify, on
// the server's a certificate. The only options are [WithHandshakeTimeout] and [WithShutdownTimeout].
func NewTransportTLS(ctx context.Context, c *Conn, config *tls.Config, side TLSSide, p Protocol, opts ...Option) (Transport, error) {
	mustProtocol("NewTransportTLS", p)
	o, err := secureOptions(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("aionet: NewTransportTLS: %w", err)
	}
	return newTransportTLS(ctx, c, config, side, p, o.secure)
}

func newTransportTLS(ctx context.Context, c *Conn, config *tls.Config, side TLSSide, p Protocol, o tlsOptions) (Transport, error) {
	t, err := c.toTransport(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.shake(ctx, config, side, o); err != nil {
		return nil, err
	}
	if err := t.awaitBegin(ctx, p); err != nil {
		return nil, err
	}
	return t, nil
}

// shake puts TLS on a transport of which the protocol knows nothing yet. If that fails it is as if it had never been.
func (t *transport) shake(ctx context.Context, config *tls.Config, side TLSSide, o tlsOptions) error {
	err := t.handshake(ctx, config, side, o)
	if err != nil {
		t.discard()
	}
	return err
}

// toTransport takes the socket out of c.
func (c *Conn) toTransport(ctx context.Context) (*transport, error) {
	if err := c.release(ctx); err != nil {
		return nil, err
	}
	return socketTransport(c.loop, c.sock), nil
}

// release leaves the socket to the caller.
func (c *Conn) release(ctx context.Context) error {
	l, err := loopOf(ctx)
	if err == nil && l != c.loop {
		err = errOtherLoop
	}
	if err != nil {
		return c.fail("hand over", err)
	}
	if !c.readers.Empty() || !c.writers.Empty() || c.over != nil {
		return c.fail("hand over", errors.New("a coroutine, or TLS, is using the connection"))
	}
	if c.closed.Swap(true) {
		return c.fail("hand over", net.ErrClosed)
	}
	c.remove()
	c.in.Stop()
	c.out.Stop()
	c.sock.SetDeadline(poller.Read|poller.Write, time.Time{})
	return nil
}

var errOtherLoop = errors.New("the connection belongs to another loop")

func socketTransport(l *engine.Loop, s poller.Socket) *transport {
	t := newTransport(l, s)
	s.SetOwner(t)
	return t
}

func mustProtocol(call string, p Protocol) {
	if p == nil {
		panic("aionet: " + call + ": nil Protocol")
	}
}
