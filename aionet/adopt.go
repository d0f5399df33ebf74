package aionet

import (
	"context"
	"fmt"
	"io"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Adopt makes a Conn of the running loop of a connection that came from elsewhere (asyncio's connect_accepted_socket, and
// the sock of create_connection): a *net.TCPConn or *net.UnixConn, or an *os.File of a connected stream socket, as one that
// was inherited or passed over a Unix socket. It takes the connection over: do not use it any more, even to close it. On
// an error it stays as it was.
//
// Nothing may be under way on it, nor may data have been read into a buffer.
func Adopt(ctx context.Context, from io.Closer) (*Conn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: Adopt: %w", err)
	}
	if err := adoptable("Adopt", from); err != nil {
		return nil, err
	}
	s, err := l.Poller().Adopt(from, false, &optionsOf(nil).Options)
	if err != nil {
		return nil, fmt.Errorf("aionet: Adopt: %w", err)
	}
	return newConn(l, s.LocalAddr().Network(), s)
}

// AdoptListener makes a Listener of the running loop of one that came from elsewhere: a *net.TCPListener or
// *net.UnixListener, or an *os.File of a listening stream socket. It takes it over as [Adopt] does. A Unix socket's file
// is removed in the end, unless [WithUnlink] says otherwise; other options have no effect.
func AdoptListener(ctx context.Context, from io.Closer, opts ...Option) (*Listener, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: AdoptListener: %w", err)
	}
	if err := adoptable("AdoptListener", from); err != nil {
		return nil, err
	}
	o := optionsOf(opts)
	s, err := l.Poller().Adopt(from, true, &o.Options)
	if err != nil {
		return nil, fmt.Errorf("aionet: AdoptListener: %w", err)
	}
	return newListener(l, s.LocalAddr().Network(), s, o.Options), nil
}

func adoptable(call string, from io.Closer) error {
	switch from.(type) {
	case nil:
		panic("aionet: " + call + ": nil")
	case *Conn, *TLSConn, *Listener:
		return fmt.Errorf("aionet: %s: a %T belongs to a loop already; File gives a duplicate of its descriptor", call, from)
	}
	return nil
}

// Clone makes a listener of the running loop, which may be another one, at the address of ln: so several loops share
// the connections that come ([asyncio.RunLoops]). If ln was opened with [WithReusePort], the clone has a socket of its
// own, and the system spreads the connections evenly. Otherwise both take from the same queue, and a loop that is busy
// takes less. Each is closed by itself; a Unix socket's file goes with ln.
//
// When one that shares its port is closed, connections that it has not accepted yet are reset.
func (ln *Listener) Clone(ctx context.Context) (*Listener, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: Listener.Clone: %w", err)
	}
	if ln.closed.Load() {
		return nil, ln.fail("clone", errClosed)
	}
	clone, err := ln.cloneOn(l)
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", ln.fail("clone", err))
	}
	clone.tls, clone.secure, clone.name = ln.tls, ln.secure, ln.name
	return clone, nil
}

func (ln *Listener) cloneOn(l *engine.Loop) (*Listener, error) {
	if ln.made.ReusePort {
		s, err := l.Poller().Listen(ln.network, ln.Addr().String(), &ln.made)
		if err != nil {
			return nil, err
		}
		return newListener(l, ln.network, s, ln.made), nil
	}
	shared, err := ln.sock.Share()
	if err != nil {
		return nil, err
	}
	made := ln.made
	made.KeepFile, made.Mode = true, 0
	s, err := l.Poller().Adopt(shared, true, &made)
	if err != nil {
		shared.Close()
		return nil, err
	}
	return newListener(l, ln.network, s, made), nil
}
