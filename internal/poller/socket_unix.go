//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// registry is what epoll and kqueue do for their sockets.
type registry interface {
	register(w *watched) error
	// deregister is told whether the descriptor has had duplicates.
	deregister(w *watched, shared bool)
}

// fdSocket is a socket of a poller that reports readiness.
type fdSocket struct {
	reg registry
	watched

	local, remote net.Addr
	localOfAll    bool // local is that of each accepted connection, too
	datagrams     bool
	file          socketFile

	mu       sync.Mutex // guards all below, and fd against being closed
	dup      *os.File   // the same socket in Go's netpoller, for Block
	deadline [2]time.Time
	aborted  bool
	shared   bool // others have duplicates: to close this one is not the socket's end
}

func newFDSocket(reg registry, fd int) *fdSocket {
	return &fdSocket{reg: reg, watched: newWatched(fd)}
}

func (s *fdSocket) SetOwner(o Owner)     { s.owner = o }
func (s *fdSocket) LocalAddr() net.Addr  { return s.local }
func (s *fdSocket) RemoteAddr() net.Addr { return s.remote }

func (s *fdSocket) Arm(Mode) error {
	if s.registered {
		return nil
	}
	if s.fd < 0 {
		return net.ErrClosed
	}
	// Whatever is ready by now gives an event, so nothing falls between the try before and this.
	if err := s.reg.register(&s.watched); err != nil {
		return err
	}
	s.registered = true
	return nil
}

func (s *fdSocket) Read(p []byte) (int, error) {
	if !s.readable {
		return 0, ErrAgain
	}
	n, err := tryFD{s, s.fd}.Read(p)
	if n < len(p) && !s.hangup && (err == nil || err == ErrAgain) {
		s.readable = err == nil && !s.emptyAfterShortRead()
	}
	return n, err
}

// emptyAfterShortRead is not true of Unix sockets, where a read also stops at passed descriptors.
func (s *fdSocket) emptyAfterShortRead() bool {
	_, tcp := s.local.(*net.TCPAddr)
	return tcp
}

// Peek asks the kernel even after a short read, which Read need not: its answer may be older than the next edge.
func (s *fdSocket) Peek() error {
	if s.fd < 0 {
		return nil
	}
	if sysPeek(s.fd) == unix.EAGAIN {
		return ErrAgain
	}
	s.readable = true
	return nil
}

func (s *fdSocket) Write(p []byte) (int, error) {
	if !s.writable {
		return 0, ErrAgain
	}
	n, err := tryFD{s, s.fd}.Write(p)
	if err == ErrAgain && !s.hangup {
		s.writable = false
	}
	return n, err
}

func (s *fdSocket) Writev(parts [][]byte) (int, error) {
	if !s.writable {
		return 0, ErrAgain
	}
	n, err := tryFD{s, s.fd}.Writev(parts)
	if err == ErrAgain && !s.hangup {
		s.writable = false
	}
	return n, err
}

func (s *fdSocket) Accept() (Socket, error) {
	if !s.readable {
		return nil, ErrAgain
	}
	c, err := tryFD{s, s.fd}.Accept()
	if err == ErrAgain && !s.hangup {
		s.readable = false
	}
	return c, err
}

// tryFD is one socket on one of its descriptors, the loop's or the duplicate.
type tryFD struct {
	s  *fdSocket
	fd int
}

func (t tryFD) Read(p []byte) (int, error) {
	for {
		n, err := sysRead(t.fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == nil && len(p) == 0:
			return 0, nil
		case err == nil:
			return 0, io.EOF
		case err == unix.EAGAIN:
			return 0, ErrAgain
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

func (t tryFD) Write(p []byte) (int, error) {
	for {
		n, err := sysWrite(t.fd, p)
		if err != unix.EINTR {
			return written(n, err)
		}
	}
}

const (
	// mostParts is how many parts the system takes at once (IOV_MAX).
	mostParts = 1024
	// joinMost is how much is copied together, which costs less up to there than the system's work with parts.
	joinMost = 16 << 10
)

var joins = sync.Pool{New: func() any { return new([joinMost]byte) }}

func (t tryFD) Writev(parts [][]byte) (int, error) {
	size := 0
	for _, p := range parts {
		if size += len(p); size > joinMost {
			return t.writev(parts)
		}
	}
	buf := joins.Get().(*[joinMost]byte)
	defer joins.Put(buf)
	joined := buf[:0]
	for _, p := range parts {
		joined = append(joined, p...)
	}
	return t.Write(joined)
}

func (t tryFD) writev(parts [][]byte) (int, error) {
	for {
		n, err := sysWritev(t.fd, parts[:min(len(parts), mostParts)])
		if err != unix.EINTR {
			return written(n, err)
		}
	}
}

func written(n int, err error) (int, error) {
	switch err {
	case nil:
		return n, nil
	case unix.EAGAIN:
		return 0, ErrAgain
	}
	return 0, os.NewSyscallError("write", err)
}

func (t tryFD) Accept() (Socket, error) {
	for {
		fd, sa, err := accept(t.fd)
		switch err {
		case nil:
			c := newFDSocket(t.s.reg, fd)
			c.remote = addrOf(sa, t.s.local)
			if c.local = t.s.local; !t.s.localOfAll {
				c.local = localAddr(fd, t.s.local)
			}
			return c, nil
		case unix.EAGAIN:
			return nil, ErrAgain
		case unix.EINTR:
		default:
			return nil, os.NewSyscallError("accept", err)
		}
	}
}

func (s *fdSocket) Connect() error {
	if s.fd < 0 {
		return net.ErrClosed
	}
	errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if errno != 0 {
		return os.NewSyscallError("connect", syscall.Errno(errno))
	}
	if _, err := syscall.Getpeername(s.fd); err != nil {
		s.writable = false
		return ErrAgain
	}
	s.local = localAddr(s.fd, s.remote)
	return nil
}

func (s *fdSocket) Try(fn func(Tryer)) error {
	return s.withFD("", func(fd int) error {
		fn(tryFD{s, fd})
		return nil
	})
}

// Block waits in Go's netpoller. It does not know what the loop's tries know, nor do they learn from it.
func (s *fdSocket) Block(m Mode, try func(Tryer) bool) error {
	return s.blockRaw(m, func(fd uintptr) bool { return try(tryFD{s, int(fd)}) })
}

func (s *fdSocket) blockRaw(m Mode, try func(fd uintptr) bool) error {
	f, err := s.duplicate()
	if err != nil {
		return err
	}
	rc, err := f.SyscallConn()
	if err != nil {
		return s.blockError(err)
	}
	if m == Read {
		err = rc.Read(try)
	} else {
		err = rc.Write(try)
	}
	return s.blockError(err)
}

// blockError gives a name to what the netpoller says about a duplicate that was closed under it.
func (s *fdSocket) blockError(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted || s.fd < 0 {
		return net.ErrClosed
	}
	return err
}

func (s *fdSocket) SyscallConn() (syscall.RawConn, error) { return rawConn{s}, nil }

// rawConn gives Control the loop's descriptor, so that looking at an option makes no duplicate.
type rawConn struct{ s *fdSocket }

func (c rawConn) Control(fn func(fd uintptr)) error {
	return c.s.withFD("", func(fd int) error {
		fn(uintptr(fd))
		return nil
	})
}

func (c rawConn) Read(fn func(fd uintptr) bool) error  { return c.s.blockRaw(Read, fn) }
func (c rawConn) Write(fn func(fd uintptr) bool) error { return c.s.blockRaw(Write, fn) }

func (s *fdSocket) duplicate() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted || s.fd < 0 {
		return nil, net.ErrClosed
	}
	if s.dup != nil {
		return s.dup, nil
	}
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	if err := f.SetDeadline(time.Time{}); err != nil { // it says whether the netpoller took it
		f.Close()
		return nil, err
	}
	_ = f.SetReadDeadline(s.deadline[0])
	_ = f.SetWriteDeadline(s.deadline[1])
	s.dup = f
	return f, nil
}

func (s *fdSocket) SetDeadline(m Mode, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m&Read != 0 {
		s.deadline[0] = t
		if s.dup != nil {
			_ = s.dup.SetReadDeadline(t)
		}
	}
	if m&Write != 0 {
		s.deadline[1] = t
		if s.dup != nil {
			_ = s.dup.SetWriteDeadline(t)
		}
	}
}

// withFD runs fn on the descriptor, which is not closed meanwhile.
func (s *fdSocket) withFD(call string, fn func(fd int) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted || s.fd < 0 {
		return net.ErrClosed
	}
	return os.NewSyscallError(call, fn(s.fd))
}

func (s *fdSocket) SetNoDelay(on bool) error {
	return s.withFD("setsockopt", func(fd int) error { return setBool(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, on) })
}

func (s *fdSocket) SetKeepAlive(c net.KeepAliveConfig) error {
	return s.withFD("setsockopt", func(fd int) error { return setKeepAlive(fd, c) })
}

func (s *fdSocket) CloseWrite() error {
	return s.withFD("shutdown", func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
}

func (s *fdSocket) CloseRead() error {
	return s.withFD("shutdown", func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RD) })
}

func (s *fdSocket) File() (f *os.File, err error) {
	err = s.withFD("fcntl", func(fd int) error {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			s.shared = true
			f = os.NewFile(uintptr(dup), "socket")
		}
		return err
	})
	return f, err
}

func (s *fdSocket) Share() (io.Closer, error) { return share(s.File()) }

func (s *fdSocket) Discard() {
	_ = s.withFD("setsockopt", func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
}

// Abort leaves the descriptor open, as the loop may be in a try on it. What others can connect with or send to gives up its
// address and its file all the same.
func (s *fdSocket) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted || s.fd < 0 {
		return
	}
	s.aborted = true
	if s.dup != nil {
		s.dup.Close() // first, or those who Block would take the shutdown for the peer's end
	}
	if (s.listening || s.datagrams) && s.vacateLocked() == nil {
		return
	}
	if !s.shared {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}

// vacateLocked puts another socket, which is connected with nobody, in the place of this one, which is closed by that.
func (s *fdSocket) vacateLocked() error {
	s.file.remove()
	s.file = socketFile{}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	if err := unix.Dup2(fd, s.fd); err != nil {
		return err
	}
	unix.CloseOnExec(s.fd)
	return nil
}

func (s *fdSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return net.ErrClosed
	}
	if s.registered {
		s.reg.deregister(&s.watched, s.dup != nil || s.shared)
		s.registered = false
	}
	s.file.remove()
	if s.dup != nil {
		s.dup.Close()
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return os.NewSyscallError("close", err)
}
