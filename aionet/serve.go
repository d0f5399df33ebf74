package aionet

import (
	"context"
	"net"
	"time"
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

// A ServeOption changes how a [Server] and Serve work.
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
// clean-up that waits for its peer; 5 s without it.
func WithAbortAfter(d time.Duration) ServeOption {
	return func(s *Server) { s.abortAfter = d }
}
