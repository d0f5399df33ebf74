//go:build darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

var kinds = []kind{{"kqueue", newKqueue}, portableKind}

// eventsPerPoll bounds how long the loop's own work waits behind one poll's events.
const eventsPerPoll = 1024

// wakeIdent is the user event's number; it is no descriptor, so it shares nothing with the table.
const wakeIdent = 0

type kqueue struct {
	fd     int
	table  table
	events [eventsPerPoll]unix.Kevent_t
	state  atomic.Uint32 // of the wake-up: awake, blocked, woken

	mu     sync.Mutex // guards fd against being closed while Wake triggers it
	closed atomic.Bool
}

// The states of a wake-up. Only the step from blocked to woken costs a system call.
const (
	awake   = iota // the loop runs and will look for itself
	blocked        // Wait is, or is about to be, in the kernel
	woken          // the next blocking Wait returns at once
)

func newKqueue() (Poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(fd)
	p := &kqueue{fd: fd}
	if err := p.change(wakeIdent, unix.EVFILT_USER, unix.EV_ADD|unix.EV_CLEAR, 0); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

func (p *kqueue) Name() string { return "kqueue" }
func (p *kqueue) Len() int     { return p.table.n }

func (p *kqueue) Wait(timeout time.Duration) (int, error) {
	if p.closed.Load() {
		return 0, ErrClosed
	}
	n, err := unix.Kevent(p.fd, nil, p.events[:], &unix.Timespec{})
	if n == 0 && err == nil && timeout != 0 {
		if p.state.CompareAndSwap(awake, blocked) {
			n, err = p.block(timeout)
		}
		p.state.Store(awake)
	}
	if err != nil && err != unix.EINTR {
		return 0, os.NewSyscallError("kevent", err)
	}
	return p.dispatch(p.events[:max(n, 0)]), nil
}

func (p *kqueue) block(timeout time.Duration) (int, error) {
	if timeout < 0 {
		return unix.Kevent(p.fd, nil, p.events[:], nil)
	}
	ts := unix.NsecToTimespec(int64(timeout))
	return unix.Kevent(p.fd, nil, p.events[:], &ts)
}

func (p *kqueue) dispatch(events []unix.Kevent_t) (ready int) {
	for i := range events {
		ev := &events[i]
		if ev.Filter == unix.EVFILT_USER {
			continue
		}
		w := p.table.get(int(ev.Ident))
		if w == nil {
			continue // closed by an owner earlier in this batch
		}
		m := Read
		if ev.Filter == unix.EVFILT_WRITE {
			m = Write
		}
		hangup := ev.Flags&unix.EV_EOF != 0
		if hangup && ev.Fflags != 0 { // an error, which both directions have to see
			m = Read | Write
		}
		w.ready(m, hangup)
		ready++
	}
	return ready
}

func (p *kqueue) Wake() {
	if p.state.Swap(woken) != blocked {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed.Load() {
		_ = p.change(wakeIdent, unix.EVFILT_USER, 0, unix.NOTE_TRIGGER)
	}
}

// Close must not overlap a Wait, as that has the kernel's object in use.
func (p *kqueue) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return nil
	}
	return unix.Close(p.fd)
}

func (p *kqueue) change(ident, filter, flags int, fflags uint32) error {
	var ev [1]unix.Kevent_t
	unix.SetKevent(&ev[0], ident, filter, flags)
	ev[0].Fflags = fflags
	_, err := unix.Kevent(p.fd, ev[:], nil, nil)
	return os.NewSyscallError("kevent", err)
}

func (p *kqueue) register(w *watched) error {
	err := p.change(w.fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR, 0)
	if err == nil && !w.listening {
		err = p.change(w.fd, unix.EVFILT_WRITE, unix.EV_ADD|unix.EV_CLEAR, 0)
	}
	if err != nil && !errors.Is(err, unix.EPIPE) { // EPIPE: the peer has gone already; the read event says so
		return err
	}
	p.table.add(w)
	return nil
}

// deregister leaves the kernel's part to close, which forgets this descriptor though it has duplicates.
func (p *kqueue) deregister(w *watched, _ bool) {
	if !p.closed.Load() {
		p.table.remove(w)
	}
}

func (p *kqueue) Listen(network, address string, o *Options) (Socket, error) {
	return listenFD(p, network, address, o)
}

func (p *kqueue) Dial(network string, remote net.Addr, o *Options) (Socket, error) {
	return dialFD(p, network, remote, o)
}

func (p *kqueue) Adopt(from io.Closer, listening bool, o *Options) (Socket, error) {
	return adoptFD(p, from, listening, o)
}
