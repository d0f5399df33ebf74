package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A Handler serves one connection, in a task of its own. The connection is closed when it returns.
type Handler = func(ctx context.Context, c net.Conn) error

// handshakeLimit ends connections that begin TLS and do not go on.
const handshakeLimit = 10 * time.Second

// Serve accepts connections and runs handler for each, until ctx ends or the listener is closed. Then it closes the
// listener, cancels the connections that are left (see [WithDrain]), waits for all handlers, and returns: the cause
// of ctx, or nil if the listener was closed.
//
// What a handler returns or panics with is reported to the loop's exception handler and ends that connection only.
// When the system is short of descriptors or memory, Serve reports it, waits a little, and goes on.
func Serve(ctx context.Context, ln *Listener, handler Handler, opts ...ServeOption) error {
	if ln == nil || handler == nil {
		panic("aionet: Serve: nil listener or handler")
	}
	s := &server{ln: ln, handler: handler}
	for _, set := range opts {
		set(s)
	}
	defer ln.Close()
	own, cancel := asyncio.WithCancel(context.WithoutCancel(ctx))
	defer cancel(nil)
	err := s.acceptAll(ctx, own)
	ln.Close()
	s.finish(own, cancel, err)
	return err
}

type server struct {
	ln      *Listener
	handler Handler
	drain   time.Duration
	live    int
	idle    asyncio.Event // set when live falls to 0
}

// acceptAll waits under ctx and starts the connections under own, which outlives it.
func (s *server) acceptAll(ctx, own context.Context) error {
	pause := time.Duration(0)
	for {
		c, err := s.ln.accept(ctx)
		switch {
		case err == nil:
			pause = 0
			s.start(own, c)
			continue
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, asyncio.ErrLoopClosed):
			return err
		case goneBeforeAccept(err):
			continue
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

func (s *server) start(ctx context.Context, c *Conn) {
	s.live++
	s.idle.Clear()
	t := asyncio.Go(ctx, func(ctx context.Context) error {
		conn := s.ln.wrap(c)
		defer conn.Close()
		if t, ok := conn.(*TLSConn); ok {
			err := asyncio.Timeout(ctx, handshakeLimit, t.HandshakeContext)
			if err != nil {
				return err
			}
		}
		return s.handler(ctx, conn)
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) {
		if err := t.Err(); err != nil && !t.Cancelled() {
			s.report(fmt.Sprintf("serving %s %s failed", c.network, addrString(c.RemoteAddr())), err)
		}
		if s.live--; s.live == 0 {
			s.idle.Set()
		}
	})
}

// finish lets the connections end, and makes them.
func (s *server) finish(ctx context.Context, cancel func(error), cause error) {
	if s.live == 0 {
		return
	}
	if s.drain > 0 {
		_ = asyncio.Timeout(ctx, s.drain, s.idle.Wait)
	}
	if cause == nil {
		cause = errClosed
	}
	cancel(cause)
	for s.live > 0 {
		if asyncio.Shield(ctx, s.idle.Wait) != nil {
			return // the loop itself is ending, and everything on it
		}
	}
}

func (s *server) report(message string, err error) {
	s.ln.loop.CallException(asyncio.ExceptionInfo{Message: "aionet: " + message, Err: err})
}
