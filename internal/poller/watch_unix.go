//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// fdWatch is a descriptor of somebody else's, in a poller that reports readiness.
type fdWatch struct {
	watched
	reg   watchRegistry
	fifo  bool // a short read has emptied it
	armed Mode // Edge: beside Read, for good
}

// watchRegistry is what epoll and kqueue do for their watches.
type watchRegistry interface {
	// rearm asks for an event if w is ready in direction m by now, or will be.
	rearm(w *watched, m Mode) error
	unwatch(w *watched)
}

// newWatch returns a watch that is yet to be registered.
func newWatch(reg watchRegistry, fd int, o Owner, t Trigger) *fdWatch {
	w := &fdWatch{watched: newWatched(fd), reg: reg}
	w.owner = o
	if t == Level {
		w.owner = &levelOwner{w, o}
		return w
	}
	var st unix.Stat_t
	w.fifo = unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
	return w
}

// levelOwner passes on what has been asked for, once.
type levelOwner struct {
	w     *fdWatch
	owner Owner
}

func (o *levelOwner) Ready(m Mode) {
	if m &= o.w.armed; m != 0 {
		o.w.armed &^= m
		o.owner.Ready(m)
	}
}

func (w *fdWatch) Arm(m Mode) error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	if _, level := w.owner.(*levelOwner); level {
		w.armed |= m
		return w.reg.rearm(&w.watched, w.armed)
	}
	// Reading is watched from the start, writing only once there was no room: each read at the other end would be an
	// event, too.
	if m &^= w.armed; m&Write == 0 {
		return nil
	}
	w.armed = Write
	return w.reg.rearm(&w.watched, Read|Write)
}

func (w *fdWatch) Read(p []byte) (int, error) {
	if !w.readable {
		return 0, ErrAgain
	}
	n, err := readFD(w.fd, p)
	if n < len(p) && !w.hangup && (err == nil || err == ErrAgain) {
		w.readable = err == nil && !w.fifo
	}
	return n, err
}

func (w *fdWatch) Write(p []byte) (int, error) {
	if !w.writable {
		return 0, ErrAgain
	}
	n, err := writeFD(w.fd, p)
	if err == ErrAgain && !w.hangup {
		w.writable = false
	}
	return n, err
}

func (w *fdWatch) Close() error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	w.reg.unwatch(&w.watched)
	w.fd, w.armed = -1, 0
	return nil
}

// readFD is one try on a descriptor that does not block.
func readFD(fd int, p []byte) (int, error) {
	for {
		n, err := fileRead(fd, p)
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

func writeFD(fd int, p []byte) (int, error) {
	for {
		n, err := fileWrite(fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, ErrAgain
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}
