//go:build linux || darwin || freebsd || dragonfly

package pipe

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// polled is a descriptor that does not block and that nobody else changes: the loop tries on it and waits in its own
// poller, other goroutines wait in Go's, on a duplicate that is made for the first of them. (If Go's poller knew it from
// the start, as it knows every os.File, each byte that comes would wake a thread there, too.)
type polled struct {
	name     string
	terminal bool
	owner    poller.Owner
	watch    poller.Watch // the loop's

	mu       sync.Mutex // guards all below, and the descriptor against being closed during a try
	fd       int        // -1: closed
	foreign  *os.File
	deadline [2]time.Time
}

// newPolled works on a duplicate of f.
func newPolled(p poller.Poller, f *os.File, terminal bool) (Pipe, error) {
	fd := -1
	err := WithDescriptor(f, func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	d := &polled{name: f.Name(), terminal: terminal, fd: fd}
	if d.watch, err = p.Watch(fd, d, poller.Edge); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return d, nil
}

func (d *polled) Name() string            { return d.name }
func (d *polled) Terminal() bool          { return d.terminal }
func (d *polled) SetOwner(o poller.Owner) { d.owner = o }

// Ready is the poller's call.
func (d *polled) Ready(m poller.Mode) { d.owner.Ready(m) }

func (d *polled) Read(b []byte) (int, error) {
	d.mu.Lock()
	if d.fd < 0 {
		d.mu.Unlock()
		return 0, fs.ErrClosed
	}
	n, err := d.watch.Read(b)
	d.mu.Unlock()
	return n, err
}

func (d *polled) Write(b []byte) (int, error) {
	d.mu.Lock()
	if d.fd < 0 {
		d.mu.Unlock()
		return 0, fs.ErrClosed
	}
	n, err := d.watch.Write(b)
	d.mu.Unlock()
	return n, err
}

func (d *polled) Arm(m poller.Mode) error { return d.watch.Arm(m) }
func (d *polled) Leave(poller.Mode) int   { return 0 } // a try is over at once

func (d *polled) BlockRead(b []byte) (int, error) {
	f, err := d.File()
	if err != nil {
		return 0, err
	}
	return f.Read(b)
}

func (d *polled) BlockWrite(b []byte) (int, error) {
	f, err := d.File()
	if err != nil {
		return 0, err
	}
	return f.Write(b)
}

func (d *polled) File() (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.fd < 0:
		return nil, fs.ErrClosed
	case d.foreign != nil:
		return d.foreign, nil
	}
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), d.name)
	if err := f.SetReadDeadline(d.deadline[0]); err != nil { // it says whether the netpoller took it
		f.Close()
		return nil, err
	}
	_ = f.SetWriteDeadline(d.deadline[1])
	d.foreign = f
	return f, nil
}

func (d *polled) SetDeadline(m poller.Mode, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m&poller.Read != 0 {
		d.deadline[0] = t
		if d.foreign != nil {
			_ = d.foreign.SetReadDeadline(t)
		}
	}
	if m&poller.Write != 0 {
		d.deadline[1] = t
		if d.foreign != nil {
			_ = d.foreign.SetWriteDeadline(t)
		}
	}
	return nil
}

// Abort closes the descriptor. The watch may stay until Close, and does not mind if the number is in use again by then.
func (d *polled) Abort() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.foreign != nil {
		d.foreign.Close()
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return os.NewSyscallError("close", err)
}

func (d *polled) Close() { _ = d.watch.Close() }
