package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

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
	s.serveClient = func(ln *Listener, sock poller.Socket) { s.serveProtocol(ln, sock, newProtocol) }
	s.stopClients = s.CloseClients
	return s
}

// attended is a client that has a protocol. It is a value of its own, since most transports are of no server.
type attended struct {
	client
	transport *transport
}

func (s *Server) serveProtocol(ln *Listener, sock poller.Socket, newProtocol func() Protocol) {
	t := socketTransport(ln.loop, sock)
	t.served = &attended{transport: t}
	address, _ := s.limits.addressOf(t.RemoteAddr())
	s.enter(&t.served.client, t.served, address)
	if ln.tls == nil {
		s.beginProtocol(t, newProtocol)
		return
	}
	shaking := asyncio.Go(s.serving, func(ctx context.Context) error {
		return s.shakeHands(ctx, &t.served.client, ln.secure.handshake, func(ctx context.Context) error {
			return t.handshake(ctx, ln.tls, ServerSide, ln.secure)
		})
	})
	shaking.AddDoneCallback(func(shaking *asyncio.Task[asyncio.None]) {
		err := shaking.Err()
		if err == nil && !t.is(closing) {
			s.beginProtocol(t, newProtocol)
			return
		}
		if err != nil && !shaking.Cancelled() && !t.is(closing) { // else the server has ended it
			kind := handshakeFailed
			if _, ok := errors.AsType[*asyncio.PanicError](err); ok {
				kind = servingFailed
			}
			s.note(kind, t.RemoteAddr(), err)
		}
		t.discard()
	})
}

// beginProtocol makes the protocol.
func (s *Server) beginProtocol(t *transport, newProtocol func() Protocol) {
	defer func() {
		if v := recover(); v != nil {
			err := fmt.Errorf("making a protocol panicked: %w", &asyncio.PanicError{Value: v, Stack: debug.Stack()})
			s.note(servingFailed, t.RemoteAddr(), err)
			t.discard()
		}
	}()
	proto := newProtocol()
	mustProtocol("ServeProtocol", proto)
	t.setProtocol(proto)
	t.begin()
}

func (a *attended) close() { _ = a.transport.Close() }

func (a *attended) abort() { a.transport.cut(nil) }

// cut resets the connection: else the system would go on for a peer that does not.
func (a *attended) cut(why *LimitError) {
	if s := a.transport.socket(); s != nil {
		s.Discard()
	}
	a.transport.cut(why)
}

func (a *attended) remoteAddr() net.Addr { return a.transport.RemoteAddr() }

func (a *attended) waits(now time.Duration) waits {
	t := a.transport
	if t.is(lost) {
		return waits{}
	}
	// A file is sent by the system, in pieces; bytes that TLS has for itself may be there without a write of ours.
	queued := t.unsent() > 0 || t.is(fileOnWire)
	if t.moved.Swap(false) || queued && !a.queued {
		a.wroteSince = momentOf(now)
	}
	a.queued = queued
	return waits{
		toRead: t.mayRead() && !t.is(fileOnWire), toWrite: queued, toEnd: t.is(closing),
		read: a.readSince.before(now), written: a.wroteSince.before(now),
	}
}

// received is told that bytes came in and were handed on, or that the end begins, after which none do.
func (a *attended) received() {
	now := momentOf(a.server.loop.Time())
	if a.transport.moved.Load() { // mostly the answer
		a.transport.moved.Store(false)
		a.wroteSince = now
	}
	a.readSince = now
	a.stirred()
}

// sends is told that bytes begin to wait for the peer, or that it has taken some of them.
func (a *attended) sends() {
	a.wroteSince, a.queued = momentOf(a.server.loop.Time()), true
	a.stirred()
}
