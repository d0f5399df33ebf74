package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/scratch"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A TLSConn is TLS, by crypto/tls, over a [Conn] or another connection, for coroutines and goroutines alike.
//
// It is not a tls.Conn, though it has its methods: crypto/tls holds locks while it writes, and a coroutine that
// were suspended then would let another one stop the loop at the lock. A peer can bring that about with a key
// update. So crypto/tls writes into a queue here, which never waits, and TLSConn waits for room in the queue, for
// its turn to read, to write or to shake hands, before it enters crypto/tls.
//
// The end of the stream is io.EOF only if the peer said so, with TLS's close-notify; if the connection just ends it
// is io.ErrUnexpectedEOF, as somebody may have cut it. After the peer's goodbye we may still write.
//
// Sessions are resumed, by tickets, where a client's configuration has a ClientSessionCache. Renegotiation (TLS 1.2)
// is refused: crypto/tls would hold its locks while it waits for the peer.
type TLSConn struct {
	loop  *engine.Loop
	under net.Conn
	out   carrier // over under
	tls   *tls.Conn

	config                    *tls.Config
	side                      TLSSide
	limit                     time.Duration // for the handshake; 0: none
	reading, writing, shaking worlds.Lock   // one at a time in crypto/tls, each with loop-aware waiting
	shaken                    atomic.Bool
	blocked                   atomic.Bool // a goroutine shakes hands
	closing                   sync.Once
	unsent                    bool // data were queued at Close
	closeErr                  error
}

// recordsAtOnce is how much is encrypted between two looks at whether there is room in the queue.
const recordsAtOnce = 32 << 10

// TLSClient makes c the client's side of TLS. config needs a ServerName or InsecureSkipVerify. c must not be used any
// more but through the TLSConn. [StartTLS] shakes hands as well, and takes other connections, too.
func TLSClient(c *Conn, config *tls.Config) *TLSConn {
	return newTLS(c.loop, c, nil, config, ClientSide)
}

// TLSServer makes c the server's side of TLS; see [TLSClient]. config needs a certificate.
func TLSServer(c *Conn, config *tls.Config) *TLSConn {
	return newTLS(c.loop, c, nil, config, ServerSide)
}

// newTLS makes c a side of TLS. What of it was read from c already is early.
func newTLS(l *engine.Loop, c net.Conn, early []byte, config *tls.Config, side TLSSide) *TLSConn {
	if config == nil {
		config = &tls.Config{}
	}
	config = inEnvironment(l, config, side)
	t := &TLSConn{loop: l, under: c, config: config, side: side}
	if plain, ok := c.(*Conn); ok {
		t.out = newWriteQueue(plain)
	} else {
		r := newRelay(l, c)
		r.inHandshake = func() bool { return !t.shaken.Load() }
		t.out = r
	}
	if len(early) > 0 {
		t.out = &withEarly{t.out, early}
	}
	if side == ServerSide {
		t.tls = tls.Server(unclosed{t.out, t}, config)
	} else {
		t.tls = tls.Client(unclosed{t.out, t}, config)
	}
	return t
}

// unclosed is the carrier as crypto/tls has it. When the context of a handshake ends, crypto/tls closes its connection, on a
// goroutine of its own, to end the reads and writes. Only a goroutine that is blocked in them needs that: in a coroutine they
// are under the same context. All else is closed by TLSConn.
type unclosed struct {
	carrier
	t *TLSConn
}

func (c unclosed) Close() error {
	if c.t.blocked.Load() {
		return c.carrier.Close()
	}
	return nil
}

// Handshake is [TLSConn.HandshakeContext] under the running block.
func (t *TLSConn) Handshake() error { return t.HandshakeContext(context.Background()) }

// HandshakeContext shakes hands, unless that has been done. The first Read or Write does it otherwise.
//
// It waits, and is ended by ctx, the running block and the deadlines. A handshake that was ended cannot go on:
// close the connection then. The functions of the configuration may wait, too, with the Context of what they are given
// (tls.ClientHelloInfo), which is below that of the handshake.
func (t *TLSConn) HandshakeContext(ctx context.Context) error {
	defer t.step()
	return t.handshake(ctx)
}

// handshake is HandshakeContext within a call that has taken its step.
func (t *TLSConn) handshake(ctx context.Context) error {
	if t.shaken.Load() {
		return nil
	}
	if t.config.Renegotiation != tls.RenegotiateNever {
		return errRenegotiation
	}
	on := t.loop.CurrentContext()
	if on == nil {
		return t.shakeForeign(ctx)
	}
	if ctx.Done() == nil {
		return t.shake(on)
	}
	return asyncio.Enter(ctx, func() error { return t.shake(ctx) })
}

var errRenegotiation = errors.New("aionet: TLS renegotiation is not supported; leave Renegotiation in the tls.Config alone")

func (t *TLSConn) shake(ctx context.Context) error {
	if err := t.shaking.Acquire(ctx, t.loop, (*turnWait)(t)); err != nil {
		return err
	}
	defer t.shaking.Release(t.loop)
	if err := loadRoots(ctx, t.config, t.side); err != nil {
		return err
	}
	limit := asyncio.Forever
	if t.limit > 0 {
		limit = t.limit
	}
	return asyncio.Timeout(ctx, limit, t.shakeOnce)
}

func (t *TLSConn) shakeForeign(ctx context.Context) error {
	if t.loop.On() {
		return ErrWouldWait
	}
	t.shaking.AcquireForeign()
	defer t.shaking.Release(t.loop)
	if t.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.limit)
		defer cancel()
	}
	t.blocked.Store(true)
	defer t.blocked.Store(false)
	if err := t.shakeOnce(ctx); err != nil {
		return err
	}
	return t.out.flush()
}

func (t *TLSConn) shakeOnce(ctx context.Context) error {
	if err := shakeHands(ctx, t.tls); err != nil {
		return err
	}
	t.shaken.Store(true)
	return nil
}

// shakeHands returns the cause where crypto/tls returns that of which ctx is an error.
func shakeHands(ctx context.Context, c *tls.Conn) error {
	err := c.HandshakeContext(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return unwrapTemporary(err)
}

// turnWait says what a task waits for.
type turnWait TLSConn

func (t *turnWait) WaitName() string { return "its turn at TLS with " + nameOf((*TLSConn)(t)) }

// Read is [Conn.Read], decrypted. When it is cancelled or its deadline passes, reading may go on later.
func (t *TLSConn) Read(p []byte) (int, error) {
	defer t.step()
	if err := t.handshake(context.Background()); err != nil || len(p) == 0 {
		return 0, err
	}
	if ctx := t.loop.CurrentContext(); ctx != nil {
		if err := t.reading.Acquire(ctx, t.loop, (*turnWait)(t)); err != nil {
			return 0, t.out.fail("read", err)
		}
	} else if t.loop.On() {
		if !t.reading.TryAcquire() {
			return 0, t.out.fail("read", ErrWouldWait)
		}
	} else {
		t.reading.AcquireForeign()
	}
	defer t.reading.Release(t.loop)
	n, err := t.tls.Read(p)
	t.moved(n)
	if err != nil && err != io.EOF && t.out.isClosing() {
		err = t.out.fail("read", errClosed)
	}
	return n, unwrapTemporary(err)
}

// Write is [Conn.Write], encrypted. In a coroutine it takes data into a queue of about 64 KiB and waits while that is
// full; what it has taken is sent also while nobody writes. When it is cancelled or its deadline passes, it returns how many
// bytes were taken, and writing may go on later.
func (t *TLSConn) Write(p []byte) (int, error) { return t.writeParts(p) }

// Writev is Write for several parts. They go out as one piece, and as one record if they are small.
func (t *TLSConn) Writev(parts ...[]byte) (int, error) {
	if sizeOf(parts) > recordMost {
		return t.writeParts(parts...)
	}
	return scratch.Lend(copyBuffers, func(buf []byte) (int, error) {
		joined := buf[:0]
		for _, p := range parts {
			joined = append(joined, p...)
		}
		return t.writeParts(joined)
	})
}

// recordMost is how much a record of TLS holds.
const recordMost = 16 << 10

func (t *TLSConn) writeParts(parts ...[]byte) (int, error) {
	defer t.step()
	if err := t.handshake(context.Background()); err != nil {
		return 0, err
	}
	if ctx := t.loop.CurrentContext(); ctx != nil {
		if err := t.writing.Acquire(ctx, t.loop, (*turnWait)(t)); err != nil {
			return 0, t.out.fail("write", err)
		}
		defer t.writing.Release(t.loop)
		return t.write(parts, func() error { return t.out.waitForRoom(ctx) }, noWait)
	}
	if t.loop.On() {
		if !t.writing.TryAcquire() {
			return 0, t.out.fail("write", ErrWouldWait)
		}
		defer t.writing.Release(t.loop)
		return t.write(parts, noWait, noWait)
	}
	t.writing.AcquireForeign()
	defer t.writing.Release(t.loop)
	return t.write(parts, t.out.mayForeign, t.out.flush)
}

func noWait() error { return nil }

func (t *TLSConn) write(parts [][]byte, before, after func() error) (done int, err error) {
	for _, p := range parts {
		n, err := t.writePart(p, before, after)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// writePart encrypts p bit by bit, with a wait before and after each. Each takes a step of its own, as the peer may take all
// of them at once.
func (t *TLSConn) writePart(p []byte, before, after func() error) (done int, err error) {
	for {
		t.step()
		if err := before(); err != nil {
			return done, t.out.fail("write", err)
		}
		n, err := t.tls.Write(p[done:min(len(p), done+recordsAtOnce)])
		done += n
		t.moved(n)
		if err != nil {
			return done, unwrapTemporary(err)
		}
		if err := after(); err != nil {
			return done, t.out.fail("write", err)
		}
		if done == len(p) {
			return done, nil
		}
	}
}

// tryWrite is for a sendQueue over this connection; see [Conn.tryWrite].
func (t *TLSConn) tryWrite(p []byte) (done int, err error) {
	if !t.shaken.Load() || !t.writing.TryAcquire() {
		return 0, poller.ErrAgain
	}
	defer t.writing.Release(t.loop)
	for done < len(p) && err == nil {
		if err := t.out.room(); err != nil {
			return done, err
		}
		if done >= worlds.TurnBytes {
			return done, poller.ErrAgain
		}
		var n int
		n, err = t.tls.Write(p[done:min(len(p), done+recordsAtOnce)])
		done += n
	}
	return done, unwrapTemporary(err)
}

// Close tells the peer that this is the end, and closes the connection once what was written has been sent, which it
// does not wait for, though the end of the loop does; after 5 s, or what [WithShutdownTimeout] says, it is given up.
// What comes in after Close is ignored. In a handshake it closes at once.
func (t *TLSConn) Close() error {
	t.closing.Do(func() {
		if plain, ok := t.under.(*Conn); ok && plain.closed.Load() {
			t.closeErr = plain.Close()
			return
		}
		t.unsent = t.out.len() > 0
		_ = t.tls.Close() // says goodbye, and closes the queue
		t.closeErr = t.out.Close()
	})
	return t.closeErr
}

// cut closes the connection without a goodbye, as something is missing.
func (t *TLSConn) cut(err error) {
	t.closing.Do(func() {})
	t.out.cut(err)
}

// waitClosed waits until the connection below is closed, and returns why not all was sent. A goodbye that did not reach
// the peer is no loss: it may have gone by then.
func (t *TLSConn) waitClosed(ctx context.Context) error {
	err := t.out.waitClosed(ctx)
	if !t.unsent && ctx.Err() == nil {
		return nil
	}
	return err
}

// CloseWrite tells the peer that nothing more will come; reading goes on. It comes after the handshake.
func (t *TLSConn) CloseWrite() error { return t.tls.CloseWrite() }

// ConnectionState returns what was negotiated: certificates, version, protocol. Before the end of the handshake it is
// zero.
func (t *TLSConn) ConnectionState() tls.ConnectionState {
	if !t.shaken.Load() {
		return tls.ConnectionState{} // crypto/tls would block until the handshake has ended
	}
	return t.tls.ConnectionState()
}

// VerifyHostname checks that the peer's certificate is good for host. It comes after the handshake.
func (t *TLSConn) VerifyHostname(host string) error {
	if !t.shaken.Load() {
		return errors.New("aionet: TLSConn.VerifyHostname: the handshake has not been done")
	}
	return t.tls.VerifyHostname(host)
}

// NetConn returns the connection below, for its options. Reading and writing there breaks TLS.
func (t *TLSConn) NetConn() net.Conn { return t.under }

// LocalAddr returns this end's address.
func (t *TLSConn) LocalAddr() net.Addr { return t.under.LocalAddr() }

// RemoteAddr returns the peer's address.
func (t *TLSConn) RemoteAddr() net.Addr { return t.under.RemoteAddr() }

// SetDeadline is [Conn.SetDeadline].
func (t *TLSConn) SetDeadline(at time.Time) error {
	return errors.Join(t.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// SetReadDeadline is [Conn.SetReadDeadline].
func (t *TLSConn) SetReadDeadline(at time.Time) error { return t.under.SetReadDeadline(at) }

// SetWriteDeadline is [Conn.SetWriteDeadline].
func (t *TLSConn) SetWriteDeadline(at time.Time) error { return t.out.limitWrites(at) }

var _ net.Conn = (*TLSConn)(nil)

// temporary is an error after which crypto/tls may be asked again; any other one it remembers for ever.
type temporary struct{ err error }

func (e *temporary) Error() string   { return e.err.Error() }
func (e *temporary) Unwrap() error   { return e.err }
func (e *temporary) Temporary() bool { return true }

// Timeout is as the error below has it, for deadlines.
func (e *temporary) Timeout() bool { return isTimeout(e.err) }

func unwrapTemporary(err error) error {
	if t, ok := err.(*temporary); ok {
		return t.err
	}
	return err
}
