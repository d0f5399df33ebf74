package aionet

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// A Handler serves one connection, in a task of its own. The connection is closed when it returns.
type Handler = func(ctx context.Context, c net.Conn) error

// handshakeLimit ends connections that begin TLS and do not go on.
const handshakeLimit = 10 * time.Second

// Serve accepts connections and runs handler for each, until ctx ends or the listener is closed. Then it closes the
// listener, cancels the connections that are left (see [WithDrain]), waits for all handlers, and returns: the cause
// of ctx, or nil if the listener was closed.
//
// It is a [Server], which see, for one listener. If that breaks, Serve returns the error.
func Serve(ctx context.Context, ln *Listener, handler Handler, opts ...ServeOption) error {
	if ln == nil || handler == nil {
		panic("aionet: Serve: nil listener or handler")
	}
	s := NewServer(ctx, handler, opts...)
	if err := s.AddListener(ln); err != nil {
		return err
	}
	return s.ServeForever(ctx)
}

// handled is a client that has a handler.
type handled struct {
	client
	conn     *Conn
	closer   io.Closer // what closes it: the connection, TLS, or a stream handler's Writer; nil: the server has closed it
	returned bool      // the handler has
}

// handle runs the handler for a connection, which is closed when that has returned.
func (s *Server) handle(ln *Listener, sock poller.Socket, handler Handler) {
	c, err := newConn(ln.loop, ln.network, sock)
	if err != nil {
		return // the loop has ended
	}
	conn := ln.wrap(c)
	h := &handled{conn: c, closer: conn}
	c.served = h
	s.enter(&h.client, h)
	// Nothing else stands on the coroutine's stack, so that most of those that wait need only the smallest one.
	run := func(ctx context.Context) error { return handler(ctx, conn) }
	if t, ok := conn.(*TLSConn); ok {
		run = h.serveTLS(t, handler)
	}
	t := asyncio.Go(s.serving, run)
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) {
		if c.over == nil || !c.over.isClosing() { // else it is closed when TLS has sent its rest
			conn.Close()
		}
		h.done(t)
	})
}

func (h *handled) serveTLS(c *TLSConn, handler Handler) func(context.Context) error {
	return func(ctx context.Context) error {
		defer c.Close() // here, as it may have to wait; the done callback, which must not, finds it closed
		if err := c.HandshakeContext(ctx); err != nil {
			if h.closer != nil && context.Cause(ctx) == nil {
				h.server.note(handshakeFailed, c.RemoteAddr(), err)
			}
			return nil
		}
		return handler(ctx, c)
	}
}

// done is told that the handler has returned. The client stays while TLS sends what the handler has left: that takes a
// descriptor and memory like any other connection.
func (h *handled) done(t *asyncio.Task[asyncio.None]) {
	s := h.server
	// What a handler makes of our closing its connection is no news.
	ours := errors.Is(t.Err(), ErrServerClosed) || h.closer == nil && errors.Is(t.Err(), net.ErrClosed)
	if err := t.Err(); err != nil && !t.Cancelled() && !ours {
		kind := servingFailed
		if h.conn.endedByPeer(err) {
			kind = connectionEnded
		}
		s.note(kind, h.conn.RemoteAddr(), err)
	}
	h.returned = true
	if h.conn.closed.Load() {
		h.leave()
	}
}

// closed is told that the connection is.
func (h *handled) closed() {
	if h.returned {
		h.leave()
	}
}

// closeBy lets the server close a connection by w, which still has to send something.
func closeBy(w *Writer) {
	c, ok := w.conn.(*Conn)
	if t, secure := w.conn.(*TLSConn); secure {
		c, ok = t.under.(*Conn)
	}
	if ok && c.served != nil && c.served.closer != nil {
		c.served.closer = w
	}
}

func (h *handled) close() {
	if closer := h.closer; closer != nil {
		h.closer = nil
		closer.Close()
	}
}

func (h *handled) abort() {
	h.closer = nil
	h.conn.Abort()
}

// A ServeOption changes how a [Server] works, and so Serve and [ServeProtocol].
type ServeOption func(*Server)

// WithDrain lets connections go on for up to d after the server is closed, or Serve's context has ended; then they are
// cancelled. Without it they are cancelled at once.
func WithDrain(d time.Duration) ServeOption { return func(s *Server) { s.drain = d } }

// WithMaxConnections sets how many connections a server has at once. When there are so many it stops accepting until
// one has ended: those that come wait in the system's queue, as they would for a slow server, and are refused only when
// that is full. (The portable poller may hold one more for each listener, which nobody serves yet.)
func WithMaxConnections(n int) ServeOption {
	if n < 1 {
		panic("aionet: WithMaxConnections: the limit must be positive")
	}
	return func(s *Server) { s.most = n }
}

// WithAbortAfter sets how long a handler may go on after it was cancelled before its connection is reset, which ends a
// clean-up that waits for its peer; 5 s without it. For a protocol it is how long what it wrote may still be sent.
func WithAbortAfter(d time.Duration) ServeOption {
	return func(s *Server) { s.abortAfter = d }
}
