package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A Transport is a connection in callback style: it calls a [Protocol] with what arrives, and sends in the
// background what it is given. It is made by [DialProtocol], [ServeProtocol], [NewTransport] and their TLS forms, and
// by [ReadPipe] and [WritePipe].
//
// Its methods belong on the loop, in callbacks and coroutines; elsewhere they panic. None of them waits but SendFile
// and StartTLS, which are for coroutines.
type Transport interface {
	// Write sends p, or as much as there is room for, and keeps a copy of the rest, which is sent in order: it takes
	// all of p or fails, and p may be used again at once. On a transport that is closing p is dropped, with an error
	// that is net.ErrClosed. An error of the system also ends the transport.
	Write(p []byte) (int, error)
	// Writev is Write for several parts in one go: by one call of the system as far as it has room, without a copy, or as
	// one record of TLS if they are small.
	Writev(parts ...[]byte) (int, error)
	// WriteEOF tells the peer, once all is sent, that no more will come. Reading goes on. It closes a WritePipe.
	WriteEOF() error
	// Close stops reading at once, lets what was written be sent, however long that takes, and ends the transport; a
	// handshake of TLS it ends at once. It returns nil. A second one does nothing.
	Close() error
	// Abort ends the transport, and drops what was not sent.
	Abort()
	// IsClosing reports whether the transport has ended or will.
	IsClosing() bool

	// PauseReading lets nothing more arrive until ResumeReading; the network holds back the peer then.
	PauseReading()
	// ResumeReading takes PauseReading back.
	ResumeReading()
	// IsReading reports whether what arrives is handed on.
	IsReading() bool

	// SetWriteBufferLimits sets the marks of flow control in bytes (16 KiB and 64 KiB at first), see [WritePauser].
	// It fails unless 0 <= low <= high.
	SetWriteBufferLimits(low, high int) error
	// WriteBufferLimits returns the marks.
	WriteBufferLimits() (low, high int)
	// SetBufferLimit sets how many bytes may wait to be sent before the next Write fails with [ErrBufferLimit], and the
	// transport with it: 16 MiB at first. So a peer that does not read cannot make the buffer grow for ever. math.MaxInt is no
	// limit. It fails if n is not positive.
	SetBufferLimit(n int) error
	// WriteBufferSize returns how many bytes wait to be sent.
	WriteBufferSize() int

	// SetProtocol lets another protocol, of either kind, have the callbacks from now on. ConnectionMade is not called.
	SetProtocol(p Protocol)
	// Protocol returns the protocol; nil after ConnectionLost.
	Protocol() Protocol

	// SendFile sends up to n bytes of f from offset on, after what was written before, and returns how many: by the
	// system itself (sendfile) where that can be, which takes an *os.File or an *aiofile.File; anything else is read in
	// threads. Write fails meanwhile. f's position is then behind what was sent. It waits, and is ended by ctx, which
	// leaves the transport as it is.
	SendFile(ctx context.Context, f io.ReadSeeker, offset, n int64, opts ...SendFileOption) (int64, error)
	// StartTLS upgrades the connection, after what was written before: from now on all is encrypted, and the protocol
	// stays. On the client's side config needs a ServerName or InsecureSkipVerify, on the server's a certificate. The
	// protocol should have paused reading when it agreed with its peer to upgrade. It waits, and is ended by ctx; if
	// it fails, so does the transport. The only options are [WithHandshakeTimeout] and [WithShutdownTimeout].
	StartTLS(ctx context.Context, config *tls.Config, side TLSSide, opts ...Option) error

	// LocalAddr returns this end's address; nil for a pipe.
	LocalAddr() net.Addr
	// RemoteAddr returns the peer's address; nil for a pipe.
	RemoteAddr() net.Addr
	// ConnectionState returns what TLS has negotiated; nil without TLS, and after ConnectionLost.
	ConnectionState() *tls.ConnectionState
	// SyscallConn gives access to the descriptor, as [Conn.SyscallConn] does.
	SyscallConn() (syscall.RawConn, error)
}

const (
	lowWater  = 16 << 10
	highWater = 64 << 10

	// readsPerTurn is how often a transport reads before others have a turn, if that is no more than worlds.TurnBytes.
	readsPerTurn = 16
	// droppedBeforeReport is how many writes a transport that has ended drops before it says so.
	droppedBeforeReport = 5
)

// wire is what a transport sends and receives by: a poller.Socket, a pipe, or TLS over one of these.
type wire interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Arm(m poller.Mode) error
	CloseWrite() error
	Close() error
}

// transport is a Transport. There may be very many, and most of them idle: its size matters.
type transport struct {
	source     engine.Source
	hub        *hub
	next, prev *transport // in hub
	wire       wire
	proto      Protocol
	served     *attended // a server's client; nil: it is none
	rare       *rare     // nil until needed
	out        []byte    // out[sent:] is yet to be sent
	sent       int
	low, high  int32
	most       int32 // bytes in out; math.MaxInt32: any number
	err        error // for ConnectionLost
	dropped    int32
	state      state
	moved      atomic.Bool // bytes were sent since a server's watch has looked
}

// rare is what few transports need, and not for long.
type rare struct {
	begun   engine.WaitQueue // for ConnectionMade
	drained engine.WaitQueue // for all to be sent, or the end
}

type state uint16

const (
	made       state = 1 << iota // ConnectionMade was, or is being, called
	readable                     // a read may bring something
	flushDue                     // there is room again
	stopped                      // PauseReading
	ended                        // the peer's end of file
	buffered                     // the protocol is a BufferedProtocol
	paused                       // PauseWriting was called, ResumeWriting not yet
	resuming                     // ResumeWriting is being called
	finishing                    // WriteEOF was called
	finished                     // and all was sent before it
	fileOnWire                   // SendFile is at it
	upgrading                    // StartTLS is at it
	closing                      // Close or worse
	lost                         // ConnectionLost comes with the next turn
	gone                         // ConnectionLost was, or is being, called
)

func (t *transport) is(s state) bool { return t.state&s != 0 }

// newTransport takes w over. Nothing happens before begin.
func newTransport(l *engine.Loop, w wire) *transport {
	t := &transport{hub: hubOf(l), wire: w, low: lowWater, high: highWater, most: bufferMost}
	t.source.Open(l, t)
	t.hub.add(t)
	return t
}

// begin lets ConnectionMade have its turn.
func (t *transport) begin() { t.source.Ready() }

// awaitBegin waits until ConnectionMade has been called. If ctx ends before, so does the transport.
func (t *transport) awaitBegin(ctx context.Context, p Protocol) error {
	t.setProtocol(p)
	t.rare = new(rare)
	t.begin()
	for !t.is(made) {
		if err := t.rare.begun.WaitIO(ctx, (*beginWait)(t)); err != nil {
			if t.is(made) {
				t.Abort()
			} else {
				t.discard()
			}
			return err
		}
	}
	if _, panicked := errors.AsType[*asyncio.PanicError](t.err); panicked {
		return t.err
	}
	return nil // what has happened since, the protocol is told
}

// discard ends a transport of which the protocol knows nothing.
func (t *transport) discard() {
	if !t.source.Close() {
		return
	}
	t.state |= closing | lost | gone
	t.hub.remove(t)
	t.wire.Close()
	if t.served != nil {
		t.served.leave()
	}
}

// Ready is the poller's call.
func (t *transport) Ready(m poller.Mode) {
	if m&poller.Read != 0 {
		t.state |= readable
	}
	if w, ok := t.wire.(*tlsWire); ok && w.shaking {
		w.ready()
		return
	}
	if m&poller.Write != 0 && (t.unsent() > 0 || t.is(paused)) { // a read over TLS may have sent what was left
		t.state |= flushDue
	}
	if t.is(flushDue) || t.is(readable) && t.mayRead() {
		t.source.Ready()
	}
}

// Turn is the transport's turn on the loop, in which its protocol is called.
func (t *transport) Turn() {
	switch {
	case t.is(lost) && t.is(made):
		t.end()
		return
	case t.is(lost): // before ConnectionMade
		t.discard()
		return
	case !t.is(made):
		t.makeConnection()
		return
	}
	if t.is(flushDue) {
		t.state &^= flushDue
		t.flush()
	}
	if t.is(readable) && t.mayRead() {
		t.receive()
		if t.served != nil {
			t.served.received()
		}
	}
}

func (t *transport) makeConnection() {
	t.state |= made
	if t.rare != nil {
		defer t.rare.begun.WakeAll()
	}
	t.proto.ConnectionMade(t)
	if t.mayRead() {
		t.startReading()
	}
}

// startReading asks for what has arrived by now, and for what will.
func (t *transport) startReading() {
	if _, ok := t.wire.(poller.Socket); !ok || t.is(readable) {
		t.state |= readable // TLS may have something of which the system does not know
		t.source.Ready()
		return
	}
	if err := t.wire.Arm(poller.Read); err != nil {
		t.fatal("read", err)
	}
}

// Failed is told of a panic in a callback.
func (t *transport) Failed(err error) {
	if t.is(lost) {
		t.report("a callback panicked", err)
		return
	}
	t.fatal("", err)
}

// call calls a callback in the middle of something; its panic ends the transport.
func (t *transport) call(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			t.Failed(&asyncio.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	fn()
}

func (t *transport) receive() {
	received := 0
	for reads := 0; reads < readsPerTurn && received < worlds.TurnBytes; reads++ {
		n, err := t.receiveOnce()
		received += n
		switch {
		case err == nil:
		case err == poller.ErrAgain:
			t.state &^= readable
			if err := t.wire.Arm(poller.Read); err != nil {
				t.fatal("read", err)
			}
			return
		case err == io.EOF:
			t.state |= ended
			if keepOpen := t.proto.EOFReceived(); !keepOpen || t.isPipe() {
				_ = t.Close()
			}
			return
		case err == errReaderGone:
			t.cut(nil)
			return
		case err == io.ErrUnexpectedEOF: // TLS was cut off, perhaps in one direction only
			t.state |= ended
			t.shut(t.fail("read", err))
			return
		default:
			t.fatal("read", err)
			return
		}
		if !t.mayRead() {
			return
		}
	}
	t.source.Ready()
}

// receiveOnce returns an error only if there were no data: it will be there again.
func (t *transport) receiveOnce() (int, error) {
	if t.is(buffered) {
		return t.receiveBuffered()
	}
	p := t.hub.buffer()
	n, err := t.wire.Read(p)
	if n > 0 {
		t.proto.DataReceived(p[:n])
		return n, nil
	}
	return 0, err
}

func (t *transport) receiveBuffered() (int, error) {
	b := t.proto.(BufferedProtocol)
	p := b.GetBuffer(receiveSize)
	if len(p) == 0 {
		return 0, errEmptyBuffer
	}
	n, err := t.wire.Read(p)
	if n > 0 {
		b.BufferUpdated(n)
		return n, nil
	}
	return 0, err
}

var errEmptyBuffer = errors.New("the protocol's GetBuffer returned an empty buffer; return one with room")

// mayRead reports whether a read may be tried.
func (t *transport) mayRead() bool {
	return t.state&(made|stopped|ended|upgrading|closing) == made
}

func (t *transport) Close() error {
	t.check("Close")
	if !t.is(closing) {
		t.shut(nil)
	}
	return nil
}

// shut is Close, with what ConnectionLost will be told.
func (t *transport) shut(err error) {
	w, isTLS := t.wire.(*tlsWire)
	if isTLS && w.shaking { // there is nothing to send, and the peer may never answer
		t.cut(err)
		return
	}
	t.state |= closing
	t.err = err
	if t.served != nil {
		t.served.received() // for the last time
	}
	if isTLS && w.shutdown > 0 {
		w.linger = w.loop.CallLater(w.shutdown, func() { t.cut(t.err) })
	}
	if t.unsent() > 0 {
		t.state |= flushDue
		t.source.Ready()
	} else if !t.is(fileOnWire | upgrading) {
		t.flushed()
	}
}

func (t *transport) Abort() {
	t.check("Abort")
	t.cut(nil)
}

// cut ends the transport with the next turn.
func (t *transport) cut(err error) {
	if t.is(lost) {
		return
	}
	t.err = err
	t.state |= closing | lost
	t.dropOutput()
	if s, ok := t.wire.(poller.Socket); ok && t.is(fileOnWire) {
		s.Abort() // a thread is using it
	}
	t.wakeDrained()
	t.source.Ready()
}

// fatal ends the transport with an error. What the network does to everybody is not reported, as the protocol is told.
func (t *transport) fatal(op string, err error) {
	if t.is(lost) {
		return
	}
	if op != "" {
		err = t.fail(op, err)
	}
	if !usual(err) {
		t.report("a transport failed", err)
	}
	t.cut(err)
}

// end calls ConnectionLost, and lets everything go.
func (t *transport) end() {
	if !t.source.Close() {
		return
	}
	t.state |= gone
	t.hub.remove(t)
	p := t.proto
	defer func() {
		t.wire.Close()
		t.proto = nil
		if t.served != nil {
			t.served.leave()
		}
	}()
	p.ConnectionLost(t.err)
}

func (t *transport) IsClosing() bool {
	t.check("IsClosing")
	return t.is(closing)
}

func (t *transport) PauseReading() {
	t.check("PauseReading")
	t.state |= stopped
}

func (t *transport) ResumeReading() {
	t.check("ResumeReading")
	if !t.is(stopped) {
		return
	}
	t.state &^= stopped
	if t.mayRead() {
		t.state |= readable // nobody has looked since
		t.source.Ready()
	}
}

func (t *transport) IsReading() bool {
	t.check("IsReading")
	return !t.is(stopped | ended | closing)
}

func (t *transport) SetProtocol(p Protocol) {
	t.check("SetProtocol")
	if p == nil {
		panic("aionet: Transport.SetProtocol: nil Protocol")
	}
	if !t.is(gone) {
		t.setProtocol(p)
	}
}

func (t *transport) setProtocol(p Protocol) {
	t.proto = p
	t.state &^= buffered
	if _, ok := p.(BufferedProtocol); ok {
		t.state |= buffered
	}
}

func (t *transport) Protocol() Protocol {
	t.check("Protocol")
	return t.proto
}

func (t *transport) LocalAddr() net.Addr {
	if s := t.socket(); s != nil {
		return s.LocalAddr()
	}
	return nil
}

func (t *transport) RemoteAddr() net.Addr {
	if s := t.socket(); s != nil {
		return s.RemoteAddr()
	}
	return nil
}

func (t *transport) SyscallConn() (syscall.RawConn, error) {
	if s := t.socket(); s != nil {
		return s.SyscallConn()
	}
	return nil, fmt.Errorf("aionet: Transport.SyscallConn: %w for a pipe; use the file that it was made of", errors.ErrUnsupported)
}

// socket returns what lies at the bottom; nil if that is a pipe.
func (t *transport) socket() poller.Socket {
	w := t.wire
	for {
		switch on := w.(type) {
		case *tlsWire:
			w = on.below
		case poller.Socket:
			return on
		default:
			return nil
		}
	}
}

// String says between whom the transport is, and how it is.
func (t *transport) String() string {
	how := "open"
	switch {
	case t.is(gone):
		how = "closed"
	case t.is(closing):
		how = "closing"
	}
	if t.socket() == nil {
		return fmt.Sprintf("a pipe's Transport (%s, %d bytes to send)", how, t.unsent())
	}
	return fmt.Sprintf("a Transport from %s to %s (%s, %d bytes to send)", addrString(t.LocalAddr()), addrString(t.RemoteAddr()),
		how, t.unsent())
}

func (t *transport) check(call string) {
	if !t.source.OnLoop() {
		t.misuse(call)
	}
}

// onLoop is check for what returns an error.
func (t *transport) onLoop(ctx context.Context) error {
	_, err := engine.LoopOf(ctx)
	if err == nil && !t.source.OnLoop() {
		err = errOtherLoop
	}
	return err
}

func (t *transport) misuse(call string) {
	panic("aionet: Transport." + call + ": on a goroutine that is not the loop's, or the loop has ended; use Loop.CallSoonThreadsafe")
}

// fail describes an error as package net does.
func (t *transport) fail(op string, err error) error {
	s := t.socket()
	if s == nil {
		return &net.OpError{Op: op, Net: "pipe", Err: err}
	}
	network := "tcp"
	if a := s.LocalAddr(); a != nil {
		network = a.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

func (t *transport) report(message string, err error) {
	if t.served != nil {
		t.served.server.note(servingFailed, t.RemoteAddr(), fmt.Errorf("%s: %s: %w", message, t, err))
		return
	}
	t.source.Loop().Report(engine.ExceptionInfo{Message: "aionet: " + message + ": " + t.String(), Err: err})
}

// usual reports whether err is what peers and networks do.
func usual(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, asyncio.ErrLoopClosed) || isTLSError(err) {
		return true
	}
	for _, e := range usualErrors {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

var usualErrors = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ETIMEDOUT, syscall.EHOSTUNREACH,
	syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ENOTCONN, syscall.ECONNREFUSED}

// beginWait says what a task waits for.
type beginWait transport

func (t *beginWait) WaitName() string { return "ConnectionMade of " + (*transport)(t).String() }
