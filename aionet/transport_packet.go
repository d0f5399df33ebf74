package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A DatagramProtocol is told what happens on its [DatagramTransport]: ConnectionMade first and once, ConnectionLost
// last and once, each in a turn of the loop of its own. It may be a [WritePauser], too. A callback that panics ends
// the transport.
type DatagramProtocol interface {
	ConnectionMade(t DatagramTransport)
	// DatagramReceived is given one datagram and its sender. p is the loop's and is good until DatagramReceived
	// returns; from stays.
	DatagramReceived(p []byte, from net.Addr)
	// ErrorReceived is told of an error of the system with one datagram: with sending it, also if WriteTo has returned the
	// error, with one that was sent before, or with receiving. The transport goes on: a peer whose address cannot be
	// answered (UDP's port 0) does not end it. That nobody listens there (ICMP) is told on connected sockets only.
	ErrorReceived(err error)
	ConnectionLost(err error)
}

// BaseDatagramProtocol is a [DatagramProtocol] that does nothing: embed it, and write the callbacks that you need.
type BaseDatagramProtocol struct{}

func (BaseDatagramProtocol) ConnectionMade(DatagramTransport)  {}
func (BaseDatagramProtocol) DatagramReceived([]byte, net.Addr) {}
func (BaseDatagramProtocol) ErrorReceived(error)               {}
func (BaseDatagramProtocol) ConnectionLost(error)              {}

// A DatagramTransport is a socket for datagrams in callback style. Its methods belong on the loop, and never wait;
// elsewhere they panic.
type DatagramTransport interface {
	// WriteTo sends a datagram, of no bytes, too, or keeps a copy while there is no room. to is nil on a connected
	// socket, which sends to its peer only.
	WriteTo(p []byte, to net.Addr) (int, error)
	// Close lets what is kept be sent, and ends the transport. It returns nil.
	Close() error
	// Abort ends the transport and drops what is kept.
	Abort()
	// IsClosing reports whether the transport has ended or will.
	IsClosing() bool
	// SetWriteBufferLimits sets the marks of flow control in bytes, as Transport.SetWriteBufferLimits does.
	SetWriteBufferLimits(low, high int) error
	// WriteBufferSize returns how many bytes are kept.
	WriteBufferSize() int
	// LocalAddr returns this end's address.
	LocalAddr() net.Addr
	// RemoteAddr returns the peer of a connected socket, or nil.
	RemoteAddr() net.Addr
	// SyscallConn gives access to the descriptor.
	SyscallConn() (syscall.RawConn, error)
}

// NewDatagramTransport gives the socket, of [ListenPacket], [DialPacket] or [NewPacketConn], to p. c must be idle, and
// is of no use to anybody after that.
//
// It waits until p's ConnectionMade has been called, and is ended by ctx; nothing is left open then.
func NewDatagramTransport(ctx context.Context, c *PacketConn, p DatagramProtocol) (DatagramTransport, error) {
	if p == nil {
		panic("aionet: NewDatagramTransport: nil DatagramProtocol")
	}
	if err := c.conn.release(ctx); err != nil {
		return nil, err
	}
	t := &datagramTransport{c: c, proto: p, low: lowWater, high: highWater, hub: hubOf(c.conn.loop)}
	t.source.Open(c.conn.loop, t)
	t.remove = c.conn.loop.AddCloser(datagramCloser{t})
	c.sock.SetOwner(t)
	t.source.Ready()
	for !t.is(made) {
		if err := t.begun.WaitIO(ctx, t); err != nil {
			t.cut(err)
			return nil, err
		}
	}
	if _, panicked := errors.AsType[*asyncio.PanicError](t.err); panicked {
		return nil, t.err
	}
	return t, nil
}

type datagramTransport struct {
	source    engine.Source
	hub       *hub
	c         *PacketConn
	proto     DatagramProtocol
	remove    func() // from what the loop closes
	begun     engine.WaitQueue
	queue     []datagram // yet to be sent
	size      int        // of the queue in bytes
	low, high int
	retry     *engine.Timer // where the system does not say when there is room
	errs      []error       // for ErrorReceived
	last      poller.Received
	from      net.Addr // last's sender
	dropped   int
	err       error
	state     state
}

type datagram struct {
	data []byte
	to   poller.Dest
}

// perDatagram is what a queued datagram counts besides its bytes, as empty ones must not be free.
const perDatagram = 8

func (t *datagramTransport) is(s state) bool { return t.state&s != 0 }

// Ready is the poller's call.
func (t *datagramTransport) Ready(m poller.Mode) {
	if m&poller.Read != 0 {
		t.state |= readable
	}
	if m&poller.Write != 0 && len(t.queue) > 0 {
		t.state |= flushDue
	}
	if t.is(readable | flushDue) {
		t.source.Ready()
	}
}

// Turn is the transport's turn on the loop, in which its protocol is called.
func (t *datagramTransport) Turn() {
	switch {
	case t.is(lost):
		t.end()
		return
	case !t.is(made):
		t.state |= made | readable
		defer t.begun.WakeAll()
		defer t.source.Ready()
		t.proto.ConnectionMade(t)
		return
	}
	t.tellErrors()
	if t.is(flushDue) {
		t.state &^= flushDue
		t.flush()
	}
	if t.is(readable) {
		t.receive()
	}
}

// tellErrors tells of the errors there are by now. What ErrorReceived brings about by sending is for the next turn, or the
// two could hold the loop.
func (t *datagramTransport) tellErrors() {
	errs := t.errs
	t.errs = nil
	for _, err := range errs {
		if t.is(lost) {
			return
		}
		t.proto.ErrorReceived(err)
	}
}

func (t *datagramTransport) receive() {
	received := 0
	for reads := 0; reads < readsPerTurn && received < worlds.TurnBytes; reads++ {
		if t.is(closing) {
			return
		}
		r, err := t.c.sock.Recv(t.hub.buffer(), nil)
		switch {
		case err == poller.ErrAgain:
			t.state &^= readable
			if err := t.c.sock.Arm(poller.Read); err != nil {
				t.fatal("read", err)
			}
			return
		case err != nil:
			t.failed("read", err)
		default:
			received += r.N
			t.proto.DatagramReceived(t.hub.buffer()[:r.N], t.sender(r))
		}
	}
	t.source.Ready()
}

// sender makes an address only when it is not that of the datagram before.
func (t *datagramTransport) sender(r poller.Received) net.Addr {
	if t.from == nil || r.From != t.last.From || r.Name != t.last.Name {
		t.last, t.from = r, t.c.sender(r)
	}
	return t.from
}

// failed tells the protocol in the next turn, or ends the transport if the socket is broken.
func (t *datagramTransport) failed(op string, err error) {
	switch {
	case brokenSocket(op, err):
		t.fatal(op, err)
	case errors.Is(err, syscall.ECONNREFUSED) && t.c.sock.RemoteAddr() == nil: // not from a peer of ours
	default:
		t.errs = append(t.errs, t.c.failTo(op, t.c.RemoteAddr(), err))
		t.source.Ready()
	}
}

// brokenSocket reports whether no later try can go better. In sending only a closed descriptor says so: all else, EINVAL
// too, is about that datagram or its address, which may be a peer's choice. In receiving nothing depends on an address.
func brokenSocket(op string, err error) bool {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.ENOTSOCK) {
		return true
	}
	_, system := errors.AsType[syscall.Errno](err)
	return op == "read" && (!system || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EFAULT))
}

func (t *datagramTransport) WriteTo(p []byte, to net.Addr) (int, error) {
	t.check("WriteTo")
	if t.is(closing) {
		if t.dropped++; t.dropped == droppedBeforeReport {
			t.report(fmt.Sprintf("%d datagrams for a transport that was closed were dropped", t.dropped), net.ErrClosed)
		}
		return 0, t.c.failTo("write", to, net.ErrClosed)
	}
	dest := t.c.to
	if to != nil {
		var err error
		if dest, err = t.c.dest(to); err != nil {
			return 0, t.c.failTo("write", to, err)
		}
	} else if t.c.RemoteAddr() == nil {
		return 0, t.c.failTo("write", nil, errNoPeer)
	}
	if len(t.queue) == 0 {
		err := t.send(p, dest)
		if err == nil {
			return len(p), nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return len(p), nil // what was lost is another one, of which send has told
		}
		if err != poller.ErrAgain {
			t.failed("write", err)
			return 0, t.c.failTo("write", to, err)
		}
	}
	t.queue = append(t.queue, datagram{append([]byte(nil), p...), dest})
	t.size += len(p) + perDatagram
	t.awaitRoom(dest)
	t.mayPause()
	return len(p), nil
}

// send tries once more when the system has used the first try to tell of an earlier datagram.
func (t *datagramTransport) send(p []byte, to poller.Dest) error {
	err := t.c.sock.Send(p, nil, to)
	if errors.Is(err, syscall.ECONNREFUSED) {
		t.failed("write", err)
		err = t.c.sock.Send(p, nil, to)
	}
	return err
}

func (t *datagramTransport) awaitRoom(to poller.Dest) {
	if to.Name == "" {
		if err := t.c.sock.Arm(poller.Write); err != nil {
			t.fatal("write", err)
		}
		return
	}
	if t.retry == nil {
		t.retry = new(engine.Timer)
		t.retry.Init(t.source.Loop(), func() { t.Ready(poller.Write) })
	}
	if !t.retry.Active() {
		t.retry.Reset(time.Millisecond)
	}
}

func (t *datagramTransport) flush() {
	for len(t.queue) > 0 {
		d := t.queue[0]
		err := t.send(d.data, d.to)
		if err == poller.ErrAgain {
			t.awaitRoom(d.to)
			break
		}
		t.queue[0] = datagram{}
		t.queue = t.queue[1:]
		t.size -= len(d.data) + perDatagram
		if err != nil {
			if t.failed("write", err); t.is(lost) {
				return
			}
		}
	}
	if t.is(paused) && t.size <= t.low {
		t.state &^= paused
		if p, ok := t.proto.(WritePauser); ok {
			p.ResumeWriting()
		}
	}
	if t.is(closing) && len(t.queue) == 0 {
		t.cut(nil)
	}
}

func (t *datagramTransport) mayPause() {
	if t.is(paused|lost) || t.size <= t.high {
		return
	}
	t.state |= paused
	if p, ok := t.proto.(WritePauser); ok {
		defer func() {
			if v := recover(); v != nil {
				t.Failed(&asyncio.PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		p.PauseWriting()
	}
}

// datagramCloser is the end that comes with the loop's.
type datagramCloser struct{ t *datagramTransport }

func (e datagramCloser) Close() error {
	e.t.cut(asyncio.ErrLoopClosed)
	return nil
}

func (t *datagramTransport) Close() error {
	t.check("Close")
	if t.is(closing) {
		return nil
	}
	t.state |= closing
	if len(t.queue) == 0 {
		t.cut(nil)
	}
	return nil
}

func (t *datagramTransport) Abort() {
	t.check("Abort")
	t.cut(nil)
}

func (t *datagramTransport) cut(err error) {
	if t.is(lost) {
		return
	}
	t.state |= closing | lost
	t.err, t.queue, t.size = err, nil, 0
	t.source.Ready()
}

func (t *datagramTransport) fatal(op string, err error) {
	if t.is(lost) {
		return
	}
	if op != "" {
		err = t.c.failTo(op, t.c.RemoteAddr(), err)
	}
	t.report("a datagram transport failed", err)
	t.cut(err)
}

// Failed is told of a panic in a callback.
func (t *datagramTransport) Failed(err error) {
	if t.is(lost) {
		t.report("a callback panicked", err)
		return
	}
	t.fatal("", err)
}

func (t *datagramTransport) end() {
	if !t.source.Close() {
		return
	}
	t.remove()
	if t.retry != nil {
		t.retry.Stop()
	}
	defer t.c.sock.Close()
	if t.is(made) {
		t.proto.ConnectionLost(t.err)
	}
}

func (t *datagramTransport) report(message string, err error) {
	t.source.Loop().Report(engine.ExceptionInfo{
		Message: fmt.Sprintf("aionet: %s, at %s", message, addrString(t.LocalAddr())), Err: err,
	})
}

func (t *datagramTransport) IsClosing() bool {
	t.check("IsClosing")
	return t.is(closing)
}

func (t *datagramTransport) SetWriteBufferLimits(low, high int) error {
	t.check("SetWriteBufferLimits")
	if low < 0 || high < low {
		return fmt.Errorf("aionet: DatagramTransport.SetWriteBufferLimits: low %d and high %d do not fit 0 <= low <= high", low, high)
	}
	t.low, t.high = low, high
	t.mayPause()
	return nil
}

func (t *datagramTransport) WriteBufferSize() int {
	t.check("WriteBufferSize")
	return t.size
}

func (t *datagramTransport) LocalAddr() net.Addr                   { return t.c.LocalAddr() }
func (t *datagramTransport) RemoteAddr() net.Addr                  { return t.c.RemoteAddr() }
func (t *datagramTransport) SyscallConn() (syscall.RawConn, error) { return t.c.SyscallConn() }

// WaitName says what a task waits for.
func (t *datagramTransport) WaitName() string {
	return "ConnectionMade at " + addrString(t.LocalAddr())
}

func (t *datagramTransport) check(call string) {
	if !t.source.OnLoop() {
		panic("aionet: DatagramTransport." + call + ": on a goroutine that is not the loop's, or the loop has ended; use Loop.CallSoonThreadsafe")
	}
}
