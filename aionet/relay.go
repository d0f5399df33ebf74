package aionet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// A carrier is what crypto/tls has for a connection. Its Write never waits, in either world, and its SetWriteDeadline
// does nothing: deadlines are for those who wait, in TLSConn, and crypto/tls sets one of its own around its goodbye.
// Its Close sends first what is queued.
type carrier interface {
	net.Conn
	// room returns poller.ErrAgain where waitForRoom would wait.
	room() error
	// waitForRoom makes a coroutine wait while much is queued.
	waitForRoom(ctx context.Context) error
	// mayForeign says to a goroutine why nothing can be sent: the deadline, or the end.
	mayForeign() error
	// flush blocks a goroutine until all is sent.
	flush() error
	isClosing() bool
	len() int // bytes that are queued
	// waitClosed waits until the connection below is closed, or cuts it off when ctx ends.
	waitClosed(ctx context.Context) error
	// cut closes at once, without what is queued.
	cut(err error)
	limitWrites(deadline time.Time) error
	setLinger(d time.Duration)
	// fail wraps an error for the user.
	fail(op string, err error) error
}

// errTruncated is what the end of the connection is to crypto/tls, which by itself takes one without goodbye for a
// proper end, if it comes between two records. It asks for more only while there was no goodbye.
var errTruncated = fmt.Errorf("the connection ended without the close-notify of TLS, so that data may be missing: %w", io.ErrUnexpectedEOF)

// withEarly is a carrier that first gives what had been read before TLS began.
type withEarly struct {
	carrier
	early []byte
}

func (c *withEarly) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.carrier.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// A relay is the carrier over a connection that is not a Conn: one of somebody else's, or TLS once more.
type relay struct {
	net.Conn
	sendQueue
	limit       time.Duration // how long a closed one goes on sending
	inHandshake func() bool
	until       time.Time // the write deadline, for goroutines; guarded by mu
}

func newRelay(l *engine.Loop, c net.Conn) *relay {
	r := &relay{Conn: c, limit: lingerLimit}
	r.init(l, c, queueRoom, queueRoom)
	r.resumable = true
	return r
}

// Read lets crypto/tls go on after a read that was cancelled or late.
func (r *relay) Read(p []byte) (int, error) {
	ctx := r.loop.CurrentContext()
	if ctx == nil && r.inHandshake() && !r.loop.On() {
		if err := r.flush(); err != nil { // in a handshake nobody else does, if the loop is held up
			return 0, err
		}
	}
	n, err := r.readSome(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		return n, errTruncated
	case ctx != nil && ctx.Err() != nil, isTimeout(err), errors.Is(err, ErrWouldWait):
		return n, &temporary{err}
	}
	return n, err
}

// readSome gives up a connection that goes on returning nothing, which crypto/tls would ask for ever.
func (r *relay) readSome(p []byte) (int, error) {
	for range emptyReads {
		if n, err := r.Conn.Read(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// Write queues.
func (r *relay) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return 0, r.err
	case r.closed:
		return 0, errClosed
	case r.lenLocked()+len(p) > queueMost:
		r.failLocked(errQueueFull)
		return 0, r.err
	}
	r.addLocked(p)
	r.askLocked()
	return len(p), nil
}

func (r *relay) room() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return poller.ErrAgain
	}
	return r.err
}

func (r *relay) mayForeign() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && !r.until.IsZero() && !r.loop.Env.Now().Before(r.until) {
		return errDeadline
	}
	return r.err
}

// Close ends reads at once, and the connection when everything has been sent.
func (r *relay) Close() error {
	r.sendQueue.close(r.limit)
	if !r.isClosed() {
		_ = r.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

func (r *relay) SetWriteDeadline(time.Time) error { return nil }

func (r *relay) limitWrites(t time.Time) error {
	if err := r.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	r.late.Set(r.loop, &r.waiting, t)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = t
	if r.lenLocked() > 0 {
		r.askLocked() // a write that was late may go on
	}
	return nil
}

func (r *relay) setLinger(d time.Duration) { r.limit = d }

func (r *relay) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tls", Source: r.LocalAddr(), Addr: r.RemoteAddr(), Err: err}
}
