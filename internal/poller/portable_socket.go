package poller

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	readBufferLeast = 4 << 10
	readBufferMost  = 256 << 10
	writeBuffer     = 64 << 10
	// linger is how long a closed connection goes on sending what a Write had taken, as a kernel does.
	linger = 10 * time.Second
)

// netSocket is a socket of the portable poller. Everything below mu is also its goroutines'.
type netSocket struct {
	p     *portable
	owner Owner
	local net.Addr
	delay bool

	mu         sync.Mutex
	changed    sync.Cond // a completion, a deadline or the end, for those who Block
	remote     net.Addr
	conn       net.Conn     // nil until connected
	ln         net.Listener // nil if not listening
	file       socketFile
	startDial  func() // until the first Connect
	cancelDial context.CancelFunc
	in, out    direction
	accepted   []net.Conn // at most one
	hangup     bool       // CloseWrite waits for the write under way
	sending    bool       // that write is SendFile's
	discard    bool       // nothing is sent any more
	aborted    bool
	closed     bool
}

type direction struct {
	busy     bool   // a goroutine is at it
	buf      []byte // in: read[r:] is yet to be taken; out: what is being written
	r        int
	err      error // ends the direction
	deadline time.Time
	expired  bool // the deadline has passed
	timer    *time.Timer
}

func newNetSocket(p *portable) *netSocket {
	s := &netSocket{p: p}
	s.changed.L = &s.mu
	return s
}

func (s *netSocket) SetOwner(o Owner) { s.owner = o }

func (s *netSocket) LocalAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return s.conn.LocalAddr()
	}
	return s.local
}

func (s *netSocket) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

func (s *netSocket) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.aborted:
		return 0, net.ErrClosed
	case s.in.r < len(s.in.buf):
		n := copy(p, s.in.buf[s.in.r:])
		s.in.r += n
		return n, nil
	case s.in.err != nil:
		return 0, s.in.err
	case len(p) == 0:
		return 0, nil
	}
	return 0, ErrAgain
}

func (s *netSocket) Peek() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.availableLocked(Read) || s.aborted {
		return nil
	}
	return ErrAgain
}

func (s *netSocket) Accept() (Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.aborted:
		return nil, net.ErrClosed
	case len(s.accepted) > 0:
		c := newNetSocket(s.p)
		c.conn = s.accepted[0]
		c.remote = c.conn.RemoteAddr()
		s.accepted = nil
		return c, nil
	case s.in.err != nil:
		err := s.in.err
		s.in.err = nil // the next connection may go better
		return nil, err
	}
	return nil, ErrAgain
}

func (s *netSocket) Write(p []byte) (int, error) { return s.Writev([][]byte{p}) }

// Writev takes what fits its buffer and lets a goroutine send it, as a kernel does; an error shows at the next one.
func (s *netSocket) Writev(parts [][]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.aborted:
		return 0, net.ErrClosed
	case s.out.err != nil:
		return 0, s.out.err
	case s.out.busy:
		return 0, ErrAgain
	case len(parts[0]) == 0:
		return 0, nil
	}
	s.out.buf = s.out.buf[:0]
	for _, p := range parts {
		s.out.buf = append(s.out.buf, p[:min(len(p), writeBuffer-len(s.out.buf))]...)
	}
	s.out.busy = true
	s.p.start()
	s.p.flushes.Go(s.flush)
	return len(s.out.buf), nil
}

func (s *netSocket) Connect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.startDial != nil {
		s.out.busy = true
		s.p.start()
		s.startDial()
		s.startDial = nil
	}
	if s.out.busy {
		return ErrAgain
	}
	return s.out.err
}

func (s *netSocket) Arm(m Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	for _, one := range [...]Mode{Read, Write} {
		if m&one == 0 {
			continue
		}
		s.armLocked(one)
		if s.availableLocked(one) { // its completion may have been delivered already
			s.p.start()
			s.p.post(s.owner, one)
		}
	}
	return nil
}

// armLocked starts the read or accept whose result the next try takes. Writes and dials are under way already.
func (s *netSocket) armLocked(m Mode) {
	if m != Read || s.in.busy || s.availableLocked(Read) {
		return
	}
	s.in.busy = true
	s.p.start()
	if s.ln != nil {
		go s.accept()
	} else {
		go s.fill()
	}
}

func (s *netSocket) availableLocked(m Mode) bool {
	if m == Read {
		return s.in.r < len(s.in.buf) || len(s.accepted) > 0 || s.in.err != nil
	}
	return !s.out.busy
}

func (s *netSocket) fill() {
	s.mu.Lock()
	size := max(cap(s.in.buf), readBufferLeast)
	if s.in.r == cap(s.in.buf) { // the last one was full
		size = min(2*size, readBufferMost)
	}
	if size != cap(s.in.buf) {
		s.in.buf = make([]byte, 0, size)
	}
	buf, conn := s.in.buf[:size], s.conn
	s.in.buf, s.in.r = buf[:0], 0
	s.mu.Unlock()

	n, err := conn.Read(buf)
	s.complete(Read, func() { s.in.buf, s.in.err = buf[:n], bare(err) })
}

func (s *netSocket) accept() {
	c, err := s.ln.Accept()
	s.complete(Read, func() {
		if err != nil {
			s.in.err = bare(err)
			return
		}
		s.setDelay(c)
		if s.closed {
			c.Close()
			return
		}
		s.accepted = append(s.accepted, c)
	})
}

func (s *netSocket) dial(ctx context.Context, d *net.Dialer, network string) {
	c, err := d.DialContext(ctx, network, s.remote.String())
	s.cancelDial()
	s.complete(Write, func() {
		if err != nil {
			s.out.err = bare(err)
			return
		}
		s.setDelay(c)
		s.conn = c
		if s.closed {
			c.Close()
		}
	})
}

func (s *netSocket) setDelay(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok && s.delay {
		_ = t.SetNoDelay(false)
	}
}

func (s *netSocket) flush() {
	_, err := s.conn.Write(s.out.buf)
	s.complete(Write, func() {
		s.out.err = bare(err)
		s.hangUpLocked()
		if s.closed {
			s.conn.Close()
		}
	})
}

func (s *netSocket) complete(m Mode, set func()) {
	s.mu.Lock()
	if m == Read {
		s.in.busy = false
	} else {
		s.out.busy = false
	}
	set()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.p.post(s.owner, m)
}

// bare takes package net's description off: the socket's owner puts its own on.
func bare(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Try needs no care: all that a try touches is guarded.
func (s *netSocket) Try(fn func(Tryer)) error {
	fn(s)
	return nil
}

func (s *netSocket) Block(m Mode, try func(Tryer) bool) error {
	d := &s.in
	if m == Write {
		d = &s.out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.aborted || s.closed {
			return net.ErrClosed
		}
		if d.expired {
			return os.ErrDeadlineExceeded
		}
		s.mu.Unlock()
		done := try(s)
		s.mu.Lock()
		if done {
			return nil
		}
		s.armLocked(m)
		if !s.availableLocked(m) && !s.aborted && !s.closed && !d.expired {
			s.changed.Wait()
		}
	}
}

func (s *netSocket) SetDeadline(m Mode, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m&Read != 0 {
		s.setDeadlineLocked(&s.in, t)
	}
	if m&Write != 0 {
		s.setDeadlineLocked(&s.out, t)
	}
}

func (s *netSocket) setDeadlineLocked(d *direction, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired, d.deadline = false, t
	if s.sending && d == &s.out {
		_ = s.conn.SetWriteDeadline(t)
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.expired = true
		s.changed.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.timer == timer {
			d.expired = true
			s.changed.Broadcast()
		}
	})
	d.timer = timer
}

func (s *netSocket) SendFile(f File, n int64) (int64, error) {
	if err := s.Block(Write, func(Tryer) bool { return s.claimOut() }); err != nil {
		return 0, err
	}
	start, err := f.Seek(0, io.SeekCurrent)
	var sent int64
	if err == nil {
		sent, err = io.Copy(s.conn, io.LimitReader(f, n))
		_, _ = f.Seek(start+sent, io.SeekStart) // more may have been read
	}
	s.complete(Write, func() {
		s.sending = false
		_ = s.conn.SetWriteDeadline(time.Time{})
		if s.closed {
			s.conn.Close()
		}
	})
	return sent, bare(err)
}

// claimOut makes the caller the one that writes.
func (s *netSocket) claimOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.busy {
		return false
	}
	s.out.busy, s.sending = true, true
	_ = s.conn.SetWriteDeadline(s.out.deadline)
	s.p.start()
	return true
}

// withConn runs fn on the connection if there is one yet or still.
func (s *netSocket) withConn(fn func(c net.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.aborted || s.closed {
		return net.ErrClosed
	}
	return bare(fn(s.conn))
}

func (s *netSocket) SetNoDelay(on bool) error {
	return s.withConn(func(c net.Conn) error {
		if t, ok := c.(*net.TCPConn); ok {
			return t.SetNoDelay(on)
		}
		return errors.ErrUnsupported
	})
}

func (s *netSocket) SetKeepAlive(k net.KeepAliveConfig) error {
	return s.withConn(func(c net.Conn) error {
		if t, ok := c.(*net.TCPConn); ok {
			return t.SetKeepAliveConfig(k)
		}
		return errors.ErrUnsupported
	})
}

func (s *netSocket) SyscallConn() (rc syscall.RawConn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ln != nil:
		rc, err = s.ln.(syscall.Conn).SyscallConn()
	case s.conn != nil:
		rc, err = s.conn.(syscall.Conn).SyscallConn()
	default:
		return nil, net.ErrClosed
	}
	return plainRawConn{rc}, err
}

func (s *netSocket) File() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of any = s.conn
	if s.ln != nil {
		of = s.ln
	}
	f, ok := of.(interface{ File() (*os.File, error) })
	if !ok || s.aborted || s.closed {
		return nil, net.ErrClosed
	}
	file, err := f.File()
	return file, bare(err)
}

func (s *netSocket) Share() (io.Closer, error) { return share(s.File()) }

// plainRawConn hides what lets an os.File's WriteTo send itself past us, and block the loop.
type plainRawConn struct{ syscall.RawConn }

// CloseWrite comes after what a Write has taken.
func (s *netSocket) CloseWrite() error {
	return s.withConn(func(net.Conn) error {
		s.hangup = true
		if !s.out.busy {
			return s.hangUpLocked()
		}
		return nil
	})
}

func (s *netSocket) hangUpLocked() error {
	if !s.hangup {
		return nil
	}
	s.hangup = false
	return s.conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (s *netSocket) CloseRead() error {
	return s.withConn(func(c net.Conn) error { return c.(interface{ CloseRead() error }).CloseRead() })
}

func (s *netSocket) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discard = true
	if t, ok := s.conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // fails if it is closed
	}
}

func (s *netSocket) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abortLocked()
}

func (s *netSocket) abortLocked() {
	if s.aborted {
		return
	}
	s.aborted = true
	s.changed.Broadcast()
	s.setDeadlineLocked(&s.in, time.Time{})
	s.setDeadlineLocked(&s.out, time.Time{})
	switch {
	case s.ln != nil:
		s.file.remove()
		s.ln.Close()
	case s.conn == nil:
		s.cancelDial()
	case s.out.busy && !s.sending && !s.discard:
		// The peer may be closing, too, and have to get rid of something first.
		go func() { _, _ = io.Copy(io.Discard, s.conn) }()
		_ = s.conn.SetWriteDeadline(time.Now().Add(linger))
	default:
		s.conn.Close()
	}
}

func (s *netSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.abortLocked()
	s.closed = true
	if s.conn != nil && !s.out.busy {
		s.conn.Close() // what was under way at Abort may have ended since
	}
	for _, c := range s.accepted {
		c.Close()
	}
	s.accepted = nil
	return nil
}
