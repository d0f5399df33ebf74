package aionet

import (
	"context"
	"runtime/debug"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// ServeProtocol accepts connections and gives each to a protocol that newProtocol makes, until ctx ends or the
// listener is closed. Then it closes the listener and the connections that are left (see [WithDrain] and
// [WithAbortAfter]), and returns when the last ConnectionLost has been called: the cause of ctx, or nil if the listener
// was closed.
//
// It is a [NewProtocolServer], which see, for one listener. If that breaks, ServeProtocol returns the error.
func ServeProtocol(ctx context.Context, ln *Listener, newProtocol func() Protocol, opts ...ServeOption) error {
	if ln == nil || newProtocol == nil {
		panic("aionet: ServeProtocol: nil listener or function")
	}
	s := NewProtocolServer(ctx, newProtocol, opts...)
	if err := s.AddListener(ln); err != nil {
		return err
	}
	return s.ServeForever(ctx)
}

// NewProtocolServer is [NewServer] for protocols (asyncio's create_server): each connection gets one that newProtocol
// makes, and no task. With a listener of [ListenTLS] it shakes hands first; protocols are made for connections with which
// that succeeds.
func NewProtocolServer(ctx context.Context, newProtocol func() Protocol, opts ...ServeOption) *Server {
	if newProtocol == nil {
		panic("aionet: NewProtocolServer: nil function")
	}
	s := newServer(ctx, opts)
	s.clients = &protocols{server: s, newProtocol: newProtocol}
	return s
}

// protocols are the clients of a Server that gives each to a protocol. Their transports are found by the loop's hub, so
// that one more pointer in each is all that a server costs them.
type protocols struct {
	server      *Server
	newProtocol func() Protocol
	live        int // transports, also those that still shake hands
}

func (p *protocols) serve(ln *Listener, sock poller.Socket) {
	p.live++
	t := socketTransport(ln.loop, sock)
	t.served = p
	if ln.tls == nil {
		p.begin(t)
		return
	}
	asyncio.Go(p.server.serving, func(ctx context.Context) error {
		switch err := t.shake(ctx, ln.tls, ServerSide, ln.secure); {
		case err == nil:
			p.begin(t)
		case context.Cause(ctx) == nil && !t.is(closing):
			p.server.report("a handshake failed", err)
		}
		return nil
	})
}

// begin makes the protocol.
func (p *protocols) begin(t *transport) {
	defer func() {
		if v := recover(); v != nil {
			t.discard()
			p.server.report("making a protocol panicked", &asyncio.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	proto := p.newProtocol()
	mustProtocol("ServeProtocol", proto)
	t.setProtocol(proto)
	t.begin()
}

// lost is told of the end of each transport.
func (p *protocols) lost() {
	p.live--
	p.server.ended()
}

func (p *protocols) count() int { return p.live }

func (p *protocols) stop() { p.close() }

func (p *protocols) close() { p.each(func(t *transport) { _ = t.Close() }) }

func (p *protocols) abort() { p.each(func(t *transport) { t.cut(nil) }) }

func (p *protocols) each(fn func(t *transport)) {
	for t := hubOf(p.server.loop).first; t != nil; t = t.next {
		if t.served == p {
			fn(t)
		}
	}
}
