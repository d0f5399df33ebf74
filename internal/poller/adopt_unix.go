//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptFD makes a socket of a duplicate, since what came from elsewhere is in Go's netpoller.
func adoptFD(reg registry, from io.Closer, listening bool, o *Options) (Socket, error) {
	c, ok := from.(syscall.Conn)
	if !ok {
		return nil, notAdoptable(from)
	}
	fd, err := duplicateOf(c)
	if err != nil {
		return nil, err
	}
	s := newFDSocket(reg, fd)
	err = s.identify()
	if err == nil {
		err = checkKind(s.listening, listening)
	}
	if err == nil {
		err = s.file.prepare(o)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.shared = true // who gave it away may have given it to others, too
	letGo(from)
	return s, nil
}

func duplicateOf(c syscall.Conn) (fd int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	e := rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if e != nil {
		return -1, e
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// identify finds out what kind of socket this is.
func (s *fdSocket) identify() (err error) {
	if s.listening, err = listens(s.fd); err != nil {
		return err
	}
	sa, err := syscall.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	s.local = addrOf(sa, &net.UnixAddr{Net: "unix"})
	if s.listening {
		s.file = socketFileAt(s.local)
	} else {
		peer, err := syscall.Getpeername(s.fd)
		if err != nil {
			return fmt.Errorf("the socket neither listens nor is connected: %w", os.NewSyscallError("getpeername", err))
		}
		s.remote = addrOf(peer, s.local)
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(s.fd, true))
}

// listens reports whether a stream socket listens.
func listens(fd int) (bool, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return false, os.NewSyscallError("getsockopt", err)
	}
	if kind != unix.SOCK_STREAM {
		return false, errors.New("it is no stream socket")
	}
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0, os.NewSyscallError("getsockopt", err)
}

func isListening(f *os.File) (on bool, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	if e := rc.Control(func(fd uintptr) { on, err = listens(int(fd)) }); e != nil {
		return false, e
	}
	return on, err
}
