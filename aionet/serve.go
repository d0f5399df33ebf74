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
// It is a [Server], which see, for one listener. If that breaks, Serve returns the error. Its limits are safe on a public port
// by default: see there, too.
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
	conn   *Conn
	closer io.Closer   // what closes it: the connection, TLS, or a stream handler's Writer; nil: the server has closed it
	why    *LimitError // why the server has
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
	address, _ := s.limits.addressOf(c.RemoteAddr())
	s.enter(&h.client, h, address)
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
		if err := h.server.shakeHands(ctx, &h.client, c.limit, c.HandshakeContext); err != nil {
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

// closeBy lets the server close a connection by w, which still has to send something, and returns how long that may take.
func closeBy(w *Writer) time.Duration {
	c, ok := w.conn.(*Conn)
	if t, secure := w.conn.(*TLSConn); secure {
		c, ok = t.under.(*Conn)
	}
	if !ok || c.served == nil {
		return asyncio.Forever
	}
	if c.served.closer != nil {
		c.served.closer = w
	}
	return c.served.server.limits.farewell
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

func (h *handled) cut(why *LimitError) {
	h.why = why
	h.abort()
}

func (h *handled) remoteAddr() net.Addr { return h.conn.RemoteAddr() }

// closedError is what a coroutine is told that uses the connection after it was closed.
func (h *handled) closedError() error {
	if h != nil && h.why != nil {
		return h.why
	}
	return net.ErrClosed
}

// waits takes the connection's word for what coroutines wait for. What TLS has queued waits even when nobody does.
func (h *handled) waits(now time.Duration) waits {
	c := h.conn
	if c.closed.Load() {
		return waits{} // it is the handler's turn
	}
	queued := c.over != nil && c.over.len() > 0
	if c.moved.Swap(false) || queued && !h.queued && !h.sending {
		h.wroteSince = momentOf(now)
	}
	h.queued = queued
	return waits{
		toRead: !c.readers.Empty(), toWrite: h.sending || queued,
		read: h.readSince.before(now), written: h.wroteSince.before(now),
	}
}

// waitsToRead is told that a coroutine begins to wait.
func (h *handled) waitsToRead() {
	now := momentOf(h.server.loop.Time())
	if h.conn.moved.Load() {
		h.conn.moved.Store(false)
		h.wroteSince = now
	}
	h.readSince = now
	h.stirred()
}

// waitsToWrite is told that a coroutine begins to wait, or goes on.
func (h *handled) waitsToWrite(begins bool) {
	h.sending = begins
	if begins {
		h.wroteSince = momentOf(h.server.loop.Time())
		h.stirred()
	}
}

// WithDrain lets connections go on for up to d after the server is closed, or Serve's context has ended; then they are
// cancelled. Without it they are cancelled at once.
func WithDrain(d time.Duration) ServeOption { return func(s *Server) { s.drain = d } }

// WithAbortAfter sets how long a handler may go on after it was cancelled before its connection is reset, which ends a
// clean-up that waits for its peer; 5 s without it. For a protocol it is how long what it wrote may still be sent.
func WithAbortAfter(d time.Duration) ServeOption {
	return func(s *Server) { s.abortAfter = d }
}
