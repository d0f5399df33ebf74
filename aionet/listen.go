package aionet

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A Listener waits for connections. It is a net.Listener, on its loop and on other goroutines.
type Listener struct {
	loop      *engine.Loop
	sock      poller.Socket
	network   string
	tls       *tls.Config // nil: plain
	secure    tlsOptions
	made      poller.Options
	name      string
	remove    func()
	closed    atomic.Bool
	acceptors engine.WaitQueue // the loop's
}

// Listen opens a listener at address: "host:port", "host:0" (the system chooses) or ":port" (all interfaces, IPv4 and
// IPv6) on the networks "tcp", "tcp4" and "tcp6", a path or "@name" on "unix". Of the addresses that a name has it takes
// one; [ListenAll] takes all.
//
// The file of a Unix socket that somebody has left behind is replaced, if nobody answers there; to find that out, Listen
// connects to it. Any other file is an error that is syscall.EADDRINUSE. Closing the listener removes the file, but not
// one that somebody else has put in its place. See [WithFileMode] and [WithUnlink].
//
// It waits to look up a name, and for the answer at a Unix socket; it is ended by ctx.
func Listen(ctx context.Context, network, address string, opts ...Option) (*Listener, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: listen %s %s: %w", network, address, err)
	}
	o := optionsOf(opts)
	if err := o.secure.refuse(); err != nil {
		return nil, fmt.Errorf("aionet: listen %s %s: %w", network, address, err)
	}
	s, err := listen(ctx, l, network, address, o)
	if err != nil {
		if _, ok := err.(*net.OpError); !ok {
			err = &net.OpError{Op: "listen", Net: network, Addr: name{network, address}, Err: err}
		}
		return nil, fmt.Errorf("aionet: %w", explain(err))
	}
	return newListener(l, network, s, o.Options), nil
}

func newListener(l *engine.Loop, network string, s poller.Socket, made poller.Options) *Listener {
	ln := &Listener{loop: l, sock: s, network: network, made: made}
	s.SetOwner((*listenerOwner)(ln))
	ln.remove = l.AddCloser(listenerCloser{ln})
	return ln
}

// ListenTLS is [Listen] for TLS: Accept returns a *TLSConn, and Serve shakes hands before it calls the handler.
// The configuration needs a certificate or a way to get one.
func ListenTLS(ctx context.Context, network, address string, config *tls.Config, opts ...Option) (*Listener, error) {
	o, err := secureOptions(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("aionet: listen %s %s: %w", network, address, err)
	}
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil {
		return nil, fmt.Errorf("aionet: listen %s %s: the TLS configuration has no certificate; set Certificates, GetCertificate or GetConfigForClient", network, address)
	}
	ln, err := Listen(ctx, network, address, append(opts[:len(opts):len(opts)], withoutTLS)...)
	if err != nil {
		return nil, err
	}
	ln.tls, ln.secure = config, o.secure
	ln.secure.handshake = cmp.Or(ln.secure.handshake, handshakeLimit)
	return ln, nil
}

func listen(ctx context.Context, l *engine.Loop, network, address string, o *options) (poller.Socket, error) {
	if o.Local != nil {
		return nil, fmt.Errorf("WithLocalAddr is for Dial")
	}
	addrs, err := resolve(ctx, l, o.resolver, network, address)
	if err != nil {
		return nil, err
	}
	if network == "unix" {
		return listenUnix(ctx, l, address, o)
	}
	return l.Poller().Listen(network, preferred(addrs).String(), &o.Options)
}

// preferred is the first IPv4 address, as in package net: "localhost" should be where most clients look.
func preferred(addrs []net.Addr) net.Addr {
	for _, a := range addrs {
		if isIPv4(a) {
			return a
		}
	}
	return addrs[0]
}

type listenerCloser struct{ ln *Listener }

func (e listenerCloser) Close() error {
	e.ln.Close()
	return nil
}

// Leak names the listener in the report of what was never closed.
func (e listenerCloser) Leak() (any, string) {
	return e.ln, "a listener (" + e.ln.network + " " + addrString(e.ln.Addr()) + ") was never closed"
}

// listenerOwner is a Listener as the poller knows it.
type listenerOwner Listener

// Ready is the poller's call: what waits may try again.
func (o *listenerOwner) Ready(poller.Mode) { o.acceptors.WakeAll() }

// Accept waits for the next connection, a *Conn or, from [ListenTLS], a *TLSConn that has not shaken hands yet.
//
// On the loop it is ended by the context of the running block, anywhere by Close; connections stay in the queue.
func (ln *Listener) Accept() (net.Conn, error) {
	ctx := ln.loop.CurrentContext()
	var c *Conn
	var err error
	if ctx != nil {
		c, err = ln.accept(ctx)
	} else {
		c, err = ln.acceptForeign()
	}
	if err != nil {
		return nil, err
	}
	return ln.wrap(c), nil
}

func (ln *Listener) wrap(c *Conn) net.Conn {
	if ln.tls != nil {
		t := TLSServer(c, ln.tls)
		t.set(ln.secure)
		return t
	}
	return c
}

func (ln *Listener) accept(ctx context.Context) (*Conn, error) {
	s, err := ln.acceptSocket(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(ln.loop, ln.network, s)
}

func (ln *Listener) acceptSocket(ctx context.Context) (poller.Socket, error) {
	for {
		s, err := ln.tryAccept(ctx)
		if err == poller.ErrAgain {
			err = ln.waitAccept(ctx)
		}
		if s != nil || err != nil {
			return s, err
		}
	}
}

// tryAccept returns poller.ErrAgain where it would wait.
func (ln *Listener) tryAccept(ctx context.Context) (poller.Socket, error) {
	worlds.Step(ctx, ln.loop)
	if ln.closed.Load() {
		return nil, ln.fail("accept", errClosed)
	}
	if ctx.Err() != nil {
		return nil, ln.fail("accept", ln.acceptors.WaitIO(ctx, (*acceptWait)(ln)))
	}
	s, err := ln.sock.Accept()
	if err != nil && err != poller.ErrAgain {
		if ln.closed.Load() { // by another goroutine, meanwhile
			err = errClosed
		}
		err = ln.fail("accept", err)
	}
	return s, err
}

// waitAccept waits until a try may go better.
func (ln *Listener) waitAccept(ctx context.Context) error {
	err := ln.sock.Arm(poller.Read)
	if err == nil {
		err = ln.acceptors.WaitIO(ctx, (*acceptWait)(ln))
	}
	return ln.fail("accept", err)
}

func (ln *Listener) acceptForeign() (*Conn, error) {
	if ln.closed.Load() {
		return nil, ln.fail("accept", errClosed)
	}
	if ln.loop.On() {
		return nil, ln.fail("accept", ErrWouldWait)
	}
	var s poller.Socket
	var err error
	blocked := ln.sock.Block(poller.Read, func(t poller.Tryer) bool {
		s, err = t.Accept()
		return err != poller.ErrAgain
	})
	if blocked != nil {
		err = blocked
	}
	if err != nil {
		return nil, ln.fail("accept", err)
	}
	return newConn(ln.loop, ln.network, s)
}

// Name returns the name that a listener from [ListenersFromEnvironment] was given; "" for others.
func (ln *Listener) Name() string { return ln.name }

// File returns a duplicate of the listener's descriptor, which the caller closes: for a process to come that is to
// listen in place of this one. Any goroutine may call it.
func (ln *Listener) File() (*os.File, error) {
	f, err := ln.sock.File()
	return f, ln.fail("duplicate", err)
}

// Addr returns the address, with the port that the system chose.
func (ln *Listener) Addr() net.Addr { return ln.sock.LocalAddr() }

// Close ends the listener and every Accept. Accepted connections stay. Any goroutine may call it. When it has returned, the
// address is free.
func (ln *Listener) Close() error {
	if ln.closed.Swap(true) {
		return ln.fail("close", errClosed)
	}
	if ln.loop.On() {
		return ln.fail("close", ln.shut())
	}
	ln.sock.Abort()
	if ln.loop.CallSoonThreadsafe(func() { _ = ln.shut() }) != nil {
		return ln.fail("close", ln.sock.Close())
	}
	return nil
}

func (ln *Listener) shut() error {
	ln.remove()
	err := ln.sock.Close()
	ln.acceptors.WakeAll()
	return err
}

// acceptWait says what a task waits for.
type acceptWait Listener

func (w *acceptWait) WaitName() string {
	return "accept on " + w.network + " " + addrString((*Listener)(w).Addr())
}

func (ln *Listener) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: ln.network, Addr: ln.Addr(), Err: explain(err)}
}

var _ net.Listener = (*Listener)(nil)
