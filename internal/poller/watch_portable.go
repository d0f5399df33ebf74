//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pollWatch waits in poll(2), on a goroutine (and so a thread) for each direction that is armed.
type pollWatch struct {
	p     *portable
	owner Owner
	fd    int // -1 after Close
	busy  Mode
	end   Interrupter
}

func (p *portable) Watch(fd int, o Owner, _ Trigger) (Watch, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &pollWatch{p: p, owner: o, fd: fd}, nil
}

func (w *pollWatch) Arm(m Mode) error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	if err := w.end.open(); err != nil {
		return err
	}
	for _, d := range [...]Mode{Read, Write} {
		if m&d == 0 || w.busy&d != 0 {
			continue
		}
		w.busy |= d
		w.p.start()
		fd := w.fd
		if !w.end.begin() {
			return net.ErrClosed
		}
		go func() {
			_, _ = w.end.wait(fd, d) // an error is for the next try to find
			w.end.done()
			w.p.post(w, d)
		}()
	}
	return nil
}

// Ready comes before the owner's, which may arm again.
func (w *pollWatch) Ready(m Mode) {
	w.busy &^= m
	if w.fd >= 0 {
		w.owner.Ready(m)
	}
}

func (w *pollWatch) Read(p []byte) (int, error)  { return readFD(w.fd, p) }
func (w *pollWatch) Write(p []byte) (int, error) { return writeFD(w.fd, p) }

func (w *pollWatch) Close() error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	w.fd = -1
	w.end.Interrupt()
	return nil
}

// An Interrupter lets goroutines wait for descriptors until it is interrupted, which ends all waits, also those to come.
// The zero Interrupter is ready to use.
type Interrupter struct {
	mu          sync.Mutex
	r, w        int // a pipe, made for the first wait; closing w wakes everybody
	opened      bool
	interrupted bool
	waiting     int
}

// Wait blocks until fd is ready in direction m, and returns false if it was interrupted before.
func (i *Interrupter) Wait(fd int, m Mode) (bool, error) {
	if err := i.open(); err != nil {
		return false, err
	}
	if !i.begin() {
		return false, nil
	}
	defer i.done()
	return i.wait(fd, m)
}

func (i *Interrupter) wait(fd int, m Mode) (bool, error) {
	fds := [2]unix.PollFd{{Fd: int32(i.r), Events: unix.POLLIN}, {Fd: int32(fd)}}
	if m&Read != 0 {
		fds[1].Events |= unix.POLLIN | unix.POLLPRI
	}
	if m&Write != 0 {
		fds[1].Events |= unix.POLLOUT
	}
	for {
		_, err := unix.Poll(fds[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			return false, nil
		}
		if err == nil {
			return true, nil
		}
	}
}

func (i *Interrupter) open() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened || i.interrupted {
		return nil
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	i.r, i.w, i.opened = p[0], p[1], true
	return nil
}

func (i *Interrupter) begin() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.interrupted {
		return false
	}
	i.waiting++
	return true
}

func (i *Interrupter) done() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.waiting--
	i.closeLocked()
}

// Interrupt does not wait for the waits to end.
func (i *Interrupter) Interrupt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.interrupted {
		return
	}
	i.interrupted = true
	if i.opened {
		unix.Close(i.w)
	}
	i.closeLocked()
}

func (i *Interrupter) closeLocked() {
	if i.interrupted && i.opened && i.waiting == 0 {
		unix.Close(i.r)
		i.opened = false
	}
}
