package aionet

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// TLSSide says which side of TLS a connection is.
type TLSSide bool

const (
	// ClientSide begins the handshake.
	ClientSide TLSSide = false
	// ServerSide answers it.
	ServerSide TLSSide = true
)

// tlsWire is TLS as a transport's wire, over a socket or over TLS. The handshake waits, in a coroutine, since
// crypto/tls cannot be interrupted in it. After that nothing does: a Read that finds half a record says ErrAgain, and
// crypto/tls goes on with the next one; what it writes is kept here until there is room.
type tlsWire struct {
	loop    *engine.Loop
	below   wire
	tls     *tls.Conn
	sealed  []byte // sealed[sent:] is yet to be sent
	sent    int
	shaking bool
	hold    bool // more is to come before it is worth a system call
	cutOff  bool // the stream below has ended
	waiting engine.WaitQueue

	shutdown time.Duration // how long to send what is left after Close; 0: without limit
	linger   *engine.Timer
}

func newTLSWire(l *engine.Loop, below wire, config *tls.Config, side TLSSide) *tlsWire {
	w := &tlsWire{loop: l, below: below}
	if side == ServerSide {
		w.tls = tls.Server((*tlsEnd)(w), config)
	} else {
		w.tls = tls.Client((*tlsEnd)(w), config)
	}
	return w
}

// handshake waits, and is ended by ctx, which is the running block.
func (w *tlsWire) handshake(ctx context.Context) error {
	w.shaking = true
	defer func() { w.shaking = false }()
	return shakeHands(ctx, w.tls)
}

// ready is the poller's call during the handshake.
func (w *tlsWire) ready() {
	_ = w.drain() // the next write will tell
	w.waiting.WakeAll()
}

// WaitName says what a task waits for.
func (w *tlsWire) WaitName() string { return "TLS handshake with " + addrString(w.tls.RemoteAddr()) }

func (w *tlsWire) Read(p []byte) (int, error) {
	n, err := w.tls.Read(p)
	if drained := w.drain(); drained == poller.ErrAgain { // the answer to a key update, or an alert
		_ = w.below.Arm(poller.Write) // it has been armed for reading, or will be: that fails, too
	}
	err = unwrapTemporary(err)
	if err == io.EOF && w.cutOff { // without a goodbye
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (w *tlsWire) Write(p []byte) (int, error) {
	if err := w.drain(); err != nil {
		return 0, err
	}
	w.hold = true
	n, err := w.tls.Write(p[:min(len(p), recordsAtOnce)])
	w.hold = false
	if err != nil {
		return n, unwrapTemporary(err)
	}
	if err := w.drain(); err != nil && err != poller.ErrAgain {
		return n, err
	}
	return n, nil
}

// pending is how many bytes of TLS wait to be sent.
func (w *tlsWire) pending() int {
	n := len(w.sealed) - w.sent
	if below, ok := w.below.(*tlsWire); ok {
		n += below.pending()
	}
	return n
}

// drain sends what waits; ErrAgain if there was not room for all.
func (w *tlsWire) drain() error {
	for w.sent < len(w.sealed) {
		n, err := w.below.Write(w.sealed[w.sent:])
		w.sent += n
		if err != nil {
			return err
		}
	}
	if w.sealed != nil {
		hubOf(w.loop).giveSpare(w.sealed)
		w.sealed, w.sent = nil, 0
	}
	if below, ok := w.below.(*tlsWire); ok {
		return below.drain()
	}
	return nil
}

func (w *tlsWire) Arm(m poller.Mode) error { return w.below.Arm(m) }

// CloseWrite says goodbye.
func (w *tlsWire) CloseWrite() error {
	if err := w.tls.CloseWrite(); err != nil {
		return err
	}
	if err := w.drain(); err != nil && err != poller.ErrAgain {
		return err
	}
	return nil
}

func (w *tlsWire) Close() error {
	if w.linger != nil {
		w.linger.Stop()
	}
	err := w.below.Close()
	w.waiting.WakeAll() // a handshake finds it closed
	return err
}

// tlsEnd is what crypto/tls has for a connection.
type tlsEnd tlsWire

var errTryAgain = &temporary{poller.ErrAgain}

func (e *tlsEnd) Read(p []byte) (int, error) {
	for {
		n, err := e.below.Read(p)
		switch {
		case err == io.EOF:
			e.cutOff = true
		case err == poller.ErrAgain && e.shaking:
			if err := (*tlsWire)(e).wait(); err != nil {
				return 0, err
			}
			continue
		case err == poller.ErrAgain:
			return n, errTryAgain
		}
		return n, err
	}
}

// wait waits for the peer's part of the handshake, or for room for ours.
func (w *tlsWire) wait() error {
	m := poller.Read
	if w.drain() == poller.ErrAgain {
		m |= poller.Write
	}
	if err := w.below.Arm(m); err != nil {
		return err
	}
	return w.waiting.WaitIO(w.loop.CurrentContext(), w)
}

// Write keeps p, and tries to send it.
func (e *tlsEnd) Write(p []byte) (int, error) {
	w := (*tlsWire)(e)
	if len(w.sealed)-w.sent+len(p) > queueMost {
		return 0, errQueueFull
	}
	if w.sealed == nil {
		w.sealed = hubOf(w.loop).takeSpare()
	}
	w.sealed = append(w.sealed, p...)
	if w.hold {
		return len(p), nil
	}
	if err := w.drain(); err != nil && err != poller.ErrAgain {
		return 0, err
	}
	return len(p), nil
}

func (e *tlsEnd) LocalAddr() net.Addr  { return addrOfWire(e.below, poller.Socket.LocalAddr) }
func (e *tlsEnd) RemoteAddr() net.Addr { return addrOfWire(e.below, poller.Socket.RemoteAddr) }

func addrOfWire(w wire, which func(poller.Socket) net.Addr) net.Addr {
	switch on := w.(type) {
	case *tlsWire:
		return addrOfWire(on.below, which)
	case poller.Socket:
		return which(on)
	}
	return nil
}

// The transport closes, and knows no deadlines; crypto/tls sets one around its goodbye, which never waits here.

func (e *tlsEnd) Close() error                     { return nil }
func (e *tlsEnd) SetDeadline(time.Time) error      { return nil }
func (e *tlsEnd) SetReadDeadline(time.Time) error  { return nil }
func (e *tlsEnd) SetWriteDeadline(time.Time) error { return nil }

func (t *transport) StartTLS(ctx context.Context, config *tls.Config, side TLSSide, opts ...Option) error {
	if err := t.onLoop(ctx); err != nil {
		return fmt.Errorf("aionet: Transport.StartTLS: %w", err)
	}
	defer t.step()
	o := optionsOf(opts)
	if err := o.secure.check(); err != nil {
		return fmt.Errorf("aionet: Transport.StartTLS: %w", err)
	}
	if err := t.mayWrite(); err != nil {
		return err
	}
	t.state |= upgrading
	err := t.drained(ctx)
	if err == nil {
		err = t.handshake(ctx, config, side, o.secure)
	}
	t.state &^= upgrading
	if t.is(closing) && errors.Is(err, net.ErrClosed) {
		t.flushed() // ends it
		return err
	}
	if err != nil {
		t.cut(err)
		return err
	}
	if t.is(lost) {
		return t.fail("start TLS", net.ErrClosed)
	}
	t.flushed()
	if t.mayRead() {
		t.startReading()
	}
	return nil
}

// handshake puts TLS on the wire.
func (t *transport) handshake(ctx context.Context, config *tls.Config, side TLSSide, o tlsOptions) error {
	switch {
	case config == nil:
		config = &tls.Config{} // crypto/tls says what it lacks
	case config.Renegotiation != tls.RenegotiateNever:
		return errRenegotiation
	}
	config = inEnvironment(t.source.Loop(), config, side)
	if err := loadRoots(ctx, config, side); err != nil {
		return err
	}
	if t.is(closing) {
		return t.fail("start TLS", net.ErrClosed)
	}
	w := newTLSWire(t.source.Loop(), t.wire, config, side)
	w.shutdown = o.shutdown
	t.wire = w
	err := asyncio.Timeout(ctx, cmp.Or(o.handshake, asyncio.Forever), w.handshake)
	if err == nil {
		return nil
	}
	_ = w.drain() // an alert that says why
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else if t.is(lost) {
		err = net.ErrClosed
	}
	return fmt.Errorf("aionet: TLS handshake with %s: %w", addrString(t.RemoteAddr()), err)
}

// drained waits until all is sent.
func (t *transport) drained(ctx context.Context) error {
	if t.rare == nil {
		t.rare = new(rare)
	}
	for t.unsent() > 0 && !t.is(lost) {
		if err := t.rare.drained.WaitIO(ctx, (*drainWait)(t)); err != nil {
			return err
		}
	}
	if t.is(lost) {
		if t.err != nil {
			return t.err
		}
		return t.fail("write", net.ErrClosed)
	}
	return nil
}

// drainWait says what a task waits for.
type drainWait transport

func (t *drainWait) WaitName() string { return "all to be sent by " + (*transport)(t).String() }

func (t *transport) ConnectionState() *tls.ConnectionState {
	t.check("ConnectionState")
	w, ok := t.wire.(*tlsWire)
	if !ok || t.is(gone) {
		return nil
	}
	s := w.tls.ConnectionState()
	return &s
}

// isTLSError reports whether err is what comes of a peer that breaks TLS, or of one that we do not trust.
func isTLSError(err error) bool {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if isAlert(err) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// isAlert reports whether err is an alert of TLS, ours or the peer's. crypto/tls hides its type, and shows it only as the
// operation of a net.OpError, which may be inside another.
func isAlert(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "remote error" || e.Op == "local error" || isAlert(e.Err))
}
