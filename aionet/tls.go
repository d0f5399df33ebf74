package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A TLSConn is TLS over a [Conn], by crypto/tls, for coroutines and goroutines alike.
//
// It is not a tls.Conn, though it has its methods: crypto/tls holds locks while it writes, and a coroutine that
// were suspended then would let another one stop the loop at the lock. A peer can bring that about with a key
// update. So crypto/tls writes into a queue here, which never waits, and TLSConn waits for room in the queue, for
// its turn to read, to write or to shake hands, before it enters crypto/tls.
type TLSConn struct {
	conn  *Conn
	queue *writeQueue
	tls   *tls.Conn

	reading, writing, shaking worlds.Lock // one at a time in crypto/tls, each with loop-aware waiting
	shaken                    atomic.Bool
	closing                   sync.Once
	closeErr                  error
}

// recordsAtOnce is how much is encrypted between two looks at whether there is room in the queue.
const recordsAtOnce = 32 << 10

// TLSClient makes c the client's side of TLS. config needs a ServerName or InsecureSkipVerify. c must not be used any
// more but through the TLSConn.
func TLSClient(c *Conn, config *tls.Config) *TLSConn {
	q := newWriteQueue(c)
	return &TLSConn{conn: c, queue: q, tls: tls.Client(q, config)}
}

// TLSServer makes c the server's side of TLS; see [TLSClient]. config needs a certificate.
func TLSServer(c *Conn, config *tls.Config) *TLSConn {
	q := newWriteQueue(c)
	return &TLSConn{conn: c, queue: q, tls: tls.Server(q, config)}
}

// DialTLS connects as [Dial] does and shakes hands. config may be nil; without a ServerName it takes the host of
// address.
//
// It waits, and is ended by ctx; nothing is left open then.
func DialTLS(ctx context.Context, network, address string, config *tls.Config, opts ...Option) (*TLSConn, error) {
	c, err := Dial(ctx, network, address, opts...)
	if err != nil {
		return nil, err
	}
	t := TLSClient(c, withServerName(config, address))
	if err := t.HandshakeContext(ctx); err != nil {
		t.Close()
		return nil, fmt.Errorf("aionet: TLS handshake with %s %s: %w", network, address, err)
	}
	return t, nil
}

func withServerName(config *tls.Config, address string) *tls.Config {
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName != "" {
		return config
	}
	config = config.Clone()
	config.ServerName = address
	if host, _, err := net.SplitHostPort(address); err == nil {
		config.ServerName = host
	}
	return config
}

// Handshake is [TLSConn.HandshakeContext] under the running block.
func (t *TLSConn) Handshake() error { return t.HandshakeContext(context.Background()) }

// HandshakeContext shakes hands, unless that has been done. The first Read or Write does it otherwise.
//
// It waits, and is ended by ctx, the running block and the deadlines. A handshake that was ended cannot go on:
// close the connection then.
func (t *TLSConn) HandshakeContext(ctx context.Context) error {
	if t.shaken.Load() {
		return nil
	}
	on := t.conn.loop.CurrentContext()
	if on == nil {
		return t.shakeForeign(ctx)
	}
	if ctx.Done() == nil {
		return t.shake(on)
	}
	return asyncio.Enter(ctx, func() error { return t.shake(ctx) })
}

func (t *TLSConn) shake(ctx context.Context) error {
	if err := t.shaking.Acquire(ctx, t.conn.loop, t); err != nil {
		return err
	}
	defer t.shaking.Release(t.conn.loop)
	return t.shakeOnce(context.Background()) // the running block ends it
}

func (t *TLSConn) shakeForeign(ctx context.Context) error {
	if t.conn.loop.OnLoop() {
		return ErrWouldWait
	}
	t.shaking.AcquireForeign()
	defer t.shaking.Release(t.conn.loop)
	return t.shakeOnce(ctx)
}

func (t *TLSConn) shakeOnce(ctx context.Context) error {
	if err := t.tls.HandshakeContext(ctx); err != nil {
		return unwrapTemporary(err)
	}
	t.shaken.Store(true)
	return nil
}

// WaitName says what a task waits for.
func (t *TLSConn) WaitName() string {
	return "its turn at TLS with " + t.conn.network + " " + addrString(t.RemoteAddr())
}

// Read is [Conn.Read], decrypted. When it is cancelled or its deadline passes, reading may go on later.
func (t *TLSConn) Read(p []byte) (int, error) {
	if err := t.Handshake(); err != nil {
		return 0, err
	}
	l := t.conn.loop
	if ctx := l.CurrentContext(); ctx != nil {
		if err := t.reading.Acquire(ctx, l, t); err != nil {
			return 0, t.conn.fail("read", err)
		}
	} else if l.OnLoop() {
		if !t.reading.TryAcquire() {
			return 0, t.conn.fail("read", ErrWouldWait)
		}
	} else {
		t.reading.AcquireForeign()
	}
	defer t.reading.Release(l)
	n, err := t.tls.Read(p)
	if err != nil && err != io.EOF && t.queue.isClosing() {
		err = t.conn.fail("read", errClosed)
	}
	return n, unwrapTemporary(err)
}

// Write is [Conn.Write], encrypted. In a coroutine it takes data into a queue of about 64 KiB and waits while that is
// full; what it has taken is sent also while nobody writes. When it is cancelled or its deadline passes, it returns how many
// bytes were taken, and writing may go on later.
func (t *TLSConn) Write(p []byte) (int, error) {
	if err := t.Handshake(); err != nil {
		return 0, err
	}
	l := t.conn.loop
	if ctx := l.CurrentContext(); ctx != nil {
		if err := t.writing.Acquire(ctx, l, (*writeWait)(t.conn)); err != nil {
			return 0, t.conn.fail("write", err)
		}
		defer t.writing.Release(l)
		return t.write(p, func() error { return t.queue.waitForRoom(ctx) }, noWait)
	}
	if l.OnLoop() {
		if !t.writing.TryAcquire() {
			return 0, t.conn.fail("write", ErrWouldWait)
		}
		defer t.writing.Release(l)
		return t.write(p, noWait, noWait)
	}
	t.writing.AcquireForeign()
	defer t.writing.Release(l)
	return t.write(p, t.queue.mayForeign, t.queue.flush)
}

func noWait() error { return nil }

// write encrypts p in parts, with a wait before and after each.
func (t *TLSConn) write(p []byte, before, after func() error) (done int, err error) {
	for {
		if err := before(); err != nil {
			return done, t.conn.fail("write", err)
		}
		n, err := t.tls.Write(p[done:min(len(p), done+recordsAtOnce)])
		done += n
		if err != nil {
			return done, unwrapTemporary(err)
		}
		if err := after(); err != nil {
			return done, t.conn.fail("write", err)
		}
		if done == len(p) {
			return done, nil
		}
	}
}

// Close tells the peer that this is the end, and closes the connection once what was written has been sent, which it
// does not wait for, though the end of the loop does; after 5 s it is given up.
func (t *TLSConn) Close() error {
	t.closing.Do(func() {
		if t.conn.closed.Load() {
			t.closeErr = t.conn.Close()
			return
		}
		_ = t.tls.Close() // says goodbye, and closes the queue
		t.closeErr = t.queue.Close()
	})
	return t.closeErr
}

// CloseWrite tells the peer that nothing more will come; reading goes on. It comes after the handshake.
func (t *TLSConn) CloseWrite() error { return t.tls.CloseWrite() }

// ConnectionState returns what was negotiated: certificates, version, protocol.
func (t *TLSConn) ConnectionState() tls.ConnectionState { return t.tls.ConnectionState() }

// VerifyHostname checks that the peer's certificate is good for host.
func (t *TLSConn) VerifyHostname(host string) error { return t.tls.VerifyHostname(host) }

// NetConn returns the connection below, for its options. Reading and writing there breaks TLS.
func (t *TLSConn) NetConn() *Conn { return t.conn }

// LocalAddr returns this end's address.
func (t *TLSConn) LocalAddr() net.Addr { return t.conn.LocalAddr() }

// RemoteAddr returns the peer's address.
func (t *TLSConn) RemoteAddr() net.Addr { return t.conn.RemoteAddr() }

// SetDeadline is [Conn.SetDeadline].
func (t *TLSConn) SetDeadline(at time.Time) error { return t.conn.SetDeadline(at) }

// SetReadDeadline is [Conn.SetReadDeadline].
func (t *TLSConn) SetReadDeadline(at time.Time) error { return t.conn.SetReadDeadline(at) }

// SetWriteDeadline is [Conn.SetWriteDeadline].
func (t *TLSConn) SetWriteDeadline(at time.Time) error { return t.conn.SetWriteDeadline(at) }

var _ net.Conn = (*TLSConn)(nil)

// temporary is an error after which crypto/tls may be asked again; any other one it remembers for ever.
type temporary struct{ err error }

func (e *temporary) Error() string   { return e.err.Error() }
func (e *temporary) Unwrap() error   { return e.err }
func (e *temporary) Temporary() bool { return true }

// Timeout is as the error below has it, for deadlines.
func (e *temporary) Timeout() bool {
	t, ok := errors.AsType[net.Error](e.err)
	return ok && t.Timeout()
}

func unwrapTemporary(err error) error {
	if t, ok := err.(*temporary); ok {
		return t.err
	}
	return err
}
