package aionet

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A Conn is a TCP or Unix stream connection of a loop, and a net.Conn for everybody: see the package's
// documentation for what that means on the loop and elsewhere, and for what a cancelled call leaves behind.
//
// Its methods may be called by several coroutines and goroutines at once. Each Write stays in one piece, whichever
// world it comes from. In a callback of the loop, which must not wait, calls that would have to fail with
// [ErrWouldWait].
type Conn struct {
	// What each Read and Write touches comes first, for the processor's cache.
	loop             *engine.Loop
	sock             poller.Socket
	closed           atomic.Bool
	moved            atomic.Bool      // bytes were written since a server's watch has looked
	readers, writers engine.WaitQueue // the loop's
	sending          worlds.Lock      // whose turn it is to write, in either world
	in, out          worlds.Deadline  // the loop's

	onReadable func()      // at most once; the loop's
	over       *writeQueue // what sends for the TLS over this, if there is one; the loop's
	served     *handled    // a server's client; nil: it is none
	network    string
	remove     func() // from what the loop closes at its end
}

// newConn takes over the socket. Any goroutine may call it.
func newConn(l *engine.Loop, network string, s poller.Socket) (*Conn, error) {
	c := &Conn{loop: l, sock: s, network: network}
	s.SetOwner((*owner)(c))
	if l.On() {
		c.remove = l.AddCloser(closer{c})
		return c, nil
	}
	err := l.CallSoonThreadsafe(func() {
		if !c.closed.Load() {
			c.remove = l.AddCloser(closer{c})
		}
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// closer closes the connection because the loop has ended.
type closer struct{ c *Conn }

func (e closer) Close() error {
	if e.c.over != nil {
		e.c.over.finish() // may block: nothing else runs any more
	}
	e.c.Close()
	return nil
}

// Leak names the connection in the report of what was never closed.
func (e closer) Leak() (any, string) {
	if remote := e.c.sock.RemoteAddr(); remote != nil {
		return e.c, "a connection (" + e.c.network + " to " + addrString(remote) + ") was never closed"
	}
	return e.c, "a socket (" + e.c.network + " " + addrString(e.c.sock.LocalAddr()) + ") was never closed"
}

// owner is a Conn as the poller knows it.
type owner Conn

// Ready is the poller's call.
func (o *owner) Ready(m poller.Mode) { (*Conn)(o).ready(m) }

// ready lets what waits try again.
func (c *Conn) ready(m poller.Mode) {
	if m&poller.Read != 0 {
		c.readers.WakeAll()
		if fn := c.onReadable; fn != nil {
			c.onReadable = nil
			c.loop.CallSoon(fn)
		}
	}
	if m&poller.Write != 0 {
		if c.over != nil {
			c.over.sendOnLoop()
		}
		c.writers.WakeAll()
	}
}

// Read reads up to len(p) bytes, and waits while there are none. It returns io.EOF at the stream's end. With an empty p it
// returns 0 and nil at once, as in package net.
//
// It is ended by the context of the running block, the read deadline and Close, and has taken nothing then.
func (c *Conn) Read(p []byte) (int, error) {
	ctx := c.loop.CurrentContext()
	if ctx == nil {
		return c.readForeign(p)
	}
	for {
		n, err := c.tryRead(ctx, p)
		if err == poller.ErrAgain {
			if err = c.waitRead(ctx); err == nil {
				continue
			}
		}
		worlds.Step(ctx, c.loop)
		return n, c.fail("read", err)
	}
}

// tryRead is a Read that returns poller.ErrAgain where it would wait.
func (c *Conn) tryRead(ctx context.Context, p []byte) (int, error) {
	deadline := &c.in
	if len(p) == 0 {
		deadline = &noDeadline
	}
	if err := c.may(ctx, &c.readers, deadline); err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := c.sock.Read(p)
	c.loop.Moved(n)
	return n, err
}

// noDeadline never passes.
var noDeadline worlds.Deadline

// may reports why the next step of a Read or Write may not be taken.
func (c *Conn) may(ctx context.Context, q *engine.WaitQueue, d *worlds.Deadline) error {
	if c.closed.Load() {
		return c.served.closedError()
	}
	if ctx.Err() != nil {
		return q.WaitIO(ctx, (*readWait)(c)) // lets others run, and returns the cause
	}
	if d.Expired() {
		return errDeadline
	}
	return nil
}

func (c *Conn) waitRead(ctx context.Context) error {
	if c.served != nil {
		c.served.waitsToRead()
	}
	return c.wait(ctx, poller.Read, &c.readers, (*readWait)(c))
}

func (c *Conn) waitWrite(ctx context.Context) error {
	if c.served != nil {
		c.served.waitsToWrite(true)
		defer c.served.waitsToWrite(false)
	}
	return c.wait(ctx, poller.Write, &c.writers, (*writeWait)(c))
}

// wait waits until a try may go better.
func (c *Conn) wait(ctx context.Context, m poller.Mode, q *engine.WaitQueue, what engine.Waitable) error {
	err := c.sock.Arm(m)
	if err == nil {
		err = q.WaitIO(ctx, what)
	}
	return err
}

// Write writes all of p, and waits while there is no room. It returns fewer than len(p) only with an error: then
// that many bytes are on their way.
//
// It is ended by the context of the running block, the write deadline and Close.
func (c *Conn) Write(p []byte) (int, error) {
	ctx := c.loop.CurrentContext()
	if ctx == nil {
		return c.writeForeign(p)
	}
	if err := c.sending.Acquire(ctx, c.loop, (*writeWait)(c)); err != nil {
		return 0, c.fail("write", err)
	}
	n, err := c.writeAll(ctx, p)
	c.sending.Release(c.loop)
	worlds.Step(ctx, c.loop)
	return n, c.fail("write", err)
}

// writeAll has one try without more ado, which mostly is enough.
func (c *Conn) writeAll(ctx context.Context, p []byte) (int, error) {
	if err := c.may(ctx, &c.writers, &c.out); err != nil {
		return 0, err
	}
	n, err := c.sock.Write(p[:min(len(p), worlds.TurnBytes)])
	c.loop.Moved(n)
	c.wrote(n)
	switch {
	case err == nil && n == len(p):
		return n, nil
	case err != nil && err != poller.ErrAgain:
		return n, err
	}
	v := vectorOf([][]byte{p[n:]})
	defer v.free()
	rest, err := c.writevAll(ctx, v)
	return n + rest, err
}

// wrote notes for a server's watch that bytes were sent. Any goroutine may call it.
func (c *Conn) wrote(n int) {
	if n > 0 && !c.moved.Load() {
		c.moved.Store(true)
	}
}

// Close closes the connection and ends every Read and Write with net.ErrClosed. Data that Write took is still sent.
// Any goroutine may call it; it does not wait.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.fail("close", net.ErrClosed)
	}
	if c.loop.On() {
		return c.fail("close", c.shut())
	}
	c.sock.Abort()
	if c.loop.CallSoonThreadsafe(func() { _ = c.shut() }) != nil {
		return c.fail("close", c.sock.Close()) // the loop has ended, so that nobody else does
	}
	return nil
}

// Abort closes the connection at once: what has not been sent yet is dropped, and a TCP peer gets a reset. Otherwise it is
// Close.
func (c *Conn) Abort() error {
	if !c.closed.Load() {
		c.sock.Discard()
	}
	return c.Close()
}

func (c *Conn) shut() error {
	if c.remove != nil {
		c.remove()
	}
	c.in.Stop()
	c.out.Stop()
	err := c.sock.Close()
	c.ready(poller.Read | poller.Write)
	if c.served != nil {
		c.served.closed()
	}
	return err
}

// CloseWrite tells the peer that nothing more will come; reading goes on.
func (c *Conn) CloseWrite() error { return c.fail("close", c.sock.CloseWrite()) }

// CloseRead makes Read return io.EOF from now on; writing goes on.
func (c *Conn) CloseRead() error { return c.fail("close", c.sock.CloseRead()) }

// LocalAddr returns this end's address, a *net.TCPAddr or *net.UnixAddr.
func (c *Conn) LocalAddr() net.Addr { return c.sock.LocalAddr() }

// RemoteAddr returns the peer's address, a *net.TCPAddr or *net.UnixAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.sock.RemoteAddr() }

// SetNoDelay says whether TCP sends at once what is written, as it does by default, or gathers small writes.
func (c *Conn) SetNoDelay(on bool) error { return c.fail("set", c.sock.SetNoDelay(on)) }

// SetKeepAliveConfig changes TCP's keep-alive probes.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.fail("set", c.sock.SetKeepAlive(k))
}

// SyscallConn gives access to the descriptor, for options that have no method here. Control may be used anywhere;
// Read and Write block the goroutine and must not be called on the loop.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.sock.SyscallConn() }

// File returns a duplicate of the descriptor, which the caller closes: to hand the connection to another process. Any
// goroutine may call it. What has been read already is not in it.
func (c *Conn) File() (*os.File, error) {
	f, err := c.sock.File()
	return f, c.fail("duplicate", err)
}

// Readable reports whether a Read would return at once, with data, the end or an error. It takes nothing and never
// waits. On the loop only.
func (c *Conn) Readable() bool {
	return c.closed.Load() || c.in.Expired() || c.sock.Peek() != poller.ErrAgain
}

// OnReadable lets the loop call fn, once, when a Read would return at once: data has come, or the peer has gone, or
// the connection was closed here. It is for connections that wait without a coroutine. A second call replaces fn;
// nil takes it back. On the loop only; fn must not wait.
func (c *Conn) OnReadable(fn func()) error {
	c.onReadable = fn
	if fn == nil {
		return nil
	}
	if c.Readable() {
		c.ready(poller.Read)
		return nil
	}
	return c.fail("read", c.sock.Arm(poller.Read))
}

var _ interface {
	net.Conn
	syscall.Conn
} = (*Conn)(nil)

// readWait and writeWait say what a task waits for, should anybody ask.
type (
	readWait  Conn
	writeWait Conn
)

func (c *readWait) WaitName() string {
	return "read from " + c.network + " " + addrString(c.sock.RemoteAddr())
}

func (c *writeWait) WaitName() string {
	return "write to " + c.network + " " + addrString(c.sock.RemoteAddr())
}
