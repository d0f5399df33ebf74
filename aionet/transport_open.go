package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/go-asyncio/asyncio"
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
	o := optionsOf(opts)
	if err := o.secure.check(); err != nil {
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
	t, err := c.toTransport()
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
	o := optionsOf(opts)
	if err := o.secure.check(); err != nil {
		return nil, fmt.Errorf("aionet: NewTransportTLS: %w", err)
	}
	return newTransportTLS(ctx, c, config, side, p, o.secure)
}

func newTransportTLS(ctx context.Context, c *Conn, config *tls.Config, side TLSSide, p Protocol, o tlsOptions) (Transport, error) {
	t, err := c.toTransport()
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
func (c *Conn) toTransport() (*transport, error) {
	if err := c.release("NewTransport"); err != nil {
		return nil, err
	}
	return socketTransport(c.loop, c.sock), nil
}

// release leaves the socket to the caller.
func (c *Conn) release(call string) error {
	if !c.loop.OnLoop() {
		panic("aionet: " + call + ": not on the connection's loop")
	}
	if !c.readers.Empty() || !c.writers.Empty() || c.onWritable != nil {
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

func socketTransport(l *asyncio.Loop, s poller.Socket) *transport {
	t := newTransport(l, s)
	s.SetOwner(t)
	return t
}

func mustProtocol(call string, p Protocol) {
	if p == nil {
		panic("aionet: " + call + ": nil Protocol")
	}
}

// ServeProtocol accepts connections and gives each to a protocol that newProtocol makes, until ctx ends or the
// listener is closed. Then it closes the listener, aborts the connections that are left (see [WithDrain]), and
// returns when the last ConnectionLost has been called: the cause of ctx, or nil if the listener was closed.
//
// With a listener of [ListenTLS] it shakes hands first; protocols are made for connections with which that succeeds.
// When the system is short of descriptors or memory, it reports that, waits a little, and goes on.
func ServeProtocol(ctx context.Context, ln *Listener, newProtocol func() Protocol, opts ...ServeOption) error {
	if ln == nil || newProtocol == nil {
		panic("aionet: ServeProtocol: nil listener or function")
	}
	var o Server
	for _, set := range opts {
		set(&o)
	}
	s := &protocolServer{ln: ln, newProtocol: newProtocol}
	defer ln.Close()
	own, cancel := asyncio.WithCancel(context.WithoutCancel(ctx)) // for handshakes
	defer cancel(nil)
	err := s.acceptAll(ctx, own)
	ln.Close()
	if o.drain > 0 {
		_ = asyncio.Timeout(own, o.drain, s.waitIdle)
	}
	cancel(ErrServerClosed)
	s.abortAll()
	_ = asyncio.Shield(own, s.waitIdle) // fails only if the loop itself is ending, and everything on it
	return err
}

type protocolServer struct {
	ln          *Listener
	newProtocol func() Protocol
	most        int // connections at once; 0: any number
	live        int // connections, and handshakes
	ended       asyncio.WaitQueue
}

// acceptAll waits under ctx and starts handshakes under own, which outlives it.
func (s *protocolServer) acceptAll(ctx, own context.Context) error {
	pause := time.Duration(0)
	for {
		sock, err := s.accept(ctx)
		switch {
		case err == nil:
			pause = 0
			s.start(own, sock)
			continue
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, asyncio.ErrLoopClosed):
			return err
		case goneBeforeAccept(err):
			continue
		case brokenListener(err):
			return err
		}
		if pause == 0 {
			s.report("accepting connections fails; trying again", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		if err := asyncio.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (s *protocolServer) accept(ctx context.Context) (poller.Socket, error) {
	for s.most > 0 && s.live >= s.most {
		if err := s.ended.WaitIO(ctx, s); err != nil {
			return nil, err
		}
	}
	return s.ln.acceptSocket(ctx)
}

func (s *protocolServer) waitIdle(ctx context.Context) error {
	for s.live > 0 {
		if err := s.ended.WaitIO(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// WaitName says what a task waits for.
func (s *protocolServer) WaitName() string {
	return fmt.Sprintf("the end of one of %d connections to %s", s.live, addrString(s.ln.Addr()))
}

func (s *protocolServer) start(ctx context.Context, sock poller.Socket) {
	s.live++
	t := socketTransport(s.ln.loop, sock)
	if s.ln.tls == nil {
		s.begin(t)
		return
	}
	asyncio.Go(ctx, func(ctx context.Context) error {
		err := t.shake(ctx, s.ln.tls, ServerSide, s.ln.secure)
		if err == nil {
			s.begin(t)
			return nil
		}
		if context.Cause(ctx) == nil {
			s.report("a handshake failed", err)
		}
		s.lost()
		return nil
	})
}

// begin makes the protocol.
func (s *protocolServer) begin(t *transport) {
	defer func() {
		if v := recover(); v != nil {
			t.discard()
			s.report("making a protocol panicked", &asyncio.PanicError{Value: v, Stack: debug.Stack()})
			s.lost()
		}
	}()
	p := s.newProtocol()
	mustProtocol("ServeProtocol", p)
	t.setProtocol(p)
	t.server = s
	t.begin()
}

func (s *protocolServer) lost() {
	s.live--
	s.ended.WakeAll()
}

func (s *protocolServer) abortAll() {
	for t := hubOf(s.ln.loop).first; t != nil; t = t.next {
		if t.server == s {
			t.cut(nil)
		}
	}
}

func (s *protocolServer) report(message string, err error) {
	s.ln.loop.CallException(asyncio.ExceptionInfo{Message: "aionet: " + message, Err: err})
}
