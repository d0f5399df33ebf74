package aiofile

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// polled is a descriptor that does not block and that nobody else changes: the loop tries on it and waits in its own
// poller, other goroutines wait in Go's.
type polled struct {
	f     *os.File
	watch poller.Watch // the loop's

	mu     sync.Mutex // guards closed, and the descriptor against being closed during a try
	closed bool
}

// newPolled takes f over if it returns no error.
func newPolled(l *asyncio.Loop, f *os.File, o poller.Owner) (*polled, error) {
	d := &polled{f: f}
	err := withDescriptor(f, func(fd int) (err error) {
		d.watch, err = l.Poller().Watch(fd, o, poller.Edge)
		return err
	})
	return d, err
}

func (d *polled) Read(b []byte) (int, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return 0, fs.ErrClosed
	}
	n, err := d.watch.Read(b)
	d.mu.Unlock()
	return n, err
}

func (d *polled) Write(b []byte) (int, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return 0, fs.ErrClosed
	}
	n, err := d.watch.Write(b)
	d.mu.Unlock()
	return n, err
}

func (d *polled) Arm(m poller.Mode) error { return d.watch.Arm(m) }

func (d *polled) BlockRead(b []byte) (int, error)  { return d.f.Read(b) }
func (d *polled) BlockWrite(b []byte) (int, error) { return d.f.Write(b) }

func (d *polled) SetDeadline(m poller.Mode, t time.Time) error {
	switch m {
	case poller.Read:
		return d.f.SetReadDeadline(t)
	case poller.Write:
		return d.f.SetWriteDeadline(t)
	}
	return d.f.SetDeadline(t)
}

// Abort closes the descriptor. The watch stays until Close, and does not mind if the number is in use again by then.
func (d *polled) Abort() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.f.Close()
}

func (d *polled) File() *os.File        { return d.f }
func (d *polled) Leave(poller.Mode) int { return 0 } // a try is over at once
func (d *polled) Close()                { _ = d.watch.Close() }
