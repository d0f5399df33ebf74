package poller

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var kinds = []kind{{"epoll", newEpoll}, portableKind}

// interest is what each descriptor is registered for, once. EPOLLPRI is there because a read stops at urgent data:
// a short read then does not mean that the socket is empty.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI | unix.EPOLLET

// eventsPerPoll bounds how long the loop's own work waits behind one poll's events.
const eventsPerPoll = 1024

type epoll struct {
	fd      int
	table   table
	events  [eventsPerPoll]unix.EpollEvent
	state   atomic.Uint32 // of the wake-up: awake, blocked, woken
	noNanos bool          // the kernel has no epoll_pwait2
	due     []*alwaysReady

	mu     sync.Mutex // guards wake against being closed while Wake writes to it
	wake   int
	closed atomic.Bool
}

// The states of a wake-up. Only the step from blocked to woken costs a system call.
const (
	awake   = iota // the loop runs and will look for itself
	blocked        // Wait is, or is about to be, in the kernel
	woken          // the next blocking Wait returns at once
)

func newEpoll() (Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	// Edge-triggered, each write is an event of its own: the counter never has to be read.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(wake)}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		unix.Close(wake)
		unix.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return &epoll{fd: fd, wake: wake}, nil
}

func (p *epoll) Name() string { return "epoll" }
func (p *epoll) Len() int     { return p.table.n + len(p.due) }

func (p *epoll) Wait(timeout time.Duration) (int, error) {
	if p.closed.Load() {
		return 0, ErrClosed
	}
	if len(p.due) > 0 {
		timeout = 0
	}
	n, errno := p.poll()
	if n == 0 && errno == 0 && timeout != 0 {
		if p.state.CompareAndSwap(awake, blocked) {
			n, errno = p.block(timeout)
		}
		p.state.Store(awake)
	}
	if errno != 0 && errno != unix.EINTR {
		return 0, os.NewSyscallError("epoll_wait", errno)
	}
	return p.dispatch(p.events[:n]) + p.dispatchDue(), nil
}

func (p *epoll) dispatch(events []unix.EpollEvent) (ready int) {
	const (
		hangup   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLPRI
		readable = unix.EPOLLIN | hangup
		writable = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	)
	for i := range events {
		w := p.table.get(int(events[i].Fd))
		if w == nil {
			continue // the wake-up, or closed by an owner earlier in this batch
		}
		var m Mode
		if events[i].Events&readable != 0 {
			m |= Read
		}
		if events[i].Events&writable != 0 {
			m |= Write
		}
		w.ready(m, events[i].Events&hangup != 0)
		ready++
	}
	return ready
}

// poll asks without blocking, so that the Go scheduler need not know.
func (p *epoll) poll() (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), eventsPerPoll, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (p *epoll) block(timeout time.Duration) (int, syscall.Errno) {
	if !p.noNanos {
		var limit *[2]int64 // seconds and nanoseconds, of 64 bits on each system; nil: none
		if timeout > 0 {
			limit = &[2]int64{int64(timeout / time.Second), int64(timeout % time.Second)}
		}
		n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), eventsPerPoll,
			uintptr(unsafe.Pointer(limit)), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.ENOSYS && errno != unix.EPERM { // EPERM: what an old sandbox says to a call that it does not know
			return 0, errno
		}
		p.noNanos = true
	}
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), eventsPerPoll,
		uintptr(milliseconds(timeout)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// milliseconds rounds up: a timer must not find itself early and poll again and again until it is due.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	const most = 1 << 30 // fits the kernel's int; whoever waits for 12 days can wait twice
	return int(min((d+time.Millisecond-1)/time.Millisecond, most))
}

func (p *epoll) Wake() {
	if p.state.Swap(woken) != blocked {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return
	}
	var one [8]byte // added to a counter that nobody reads: at this rate it lasts for ever
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(p.wake, one[:])
}

// Close must not overlap a Wait, as that has the kernel's object in use.
func (p *epoll) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return nil
	}
	return errors.Join(unix.Close(p.wake), unix.Close(p.fd))
}

func (p *epoll) register(w *watched) error {
	if err := p.control(unix.EPOLL_CTL_ADD, w.fd, interest); err != nil {
		return err
	}
	p.table.add(w)
	return nil
}

func (p *epoll) deregister(w *watched, shared bool) {
	if p.closed.Load() {
		return
	}
	mine := p.table.remove(w)
	if mine && shared {
		// The kernel forgets a descriptor when its last duplicate is closed, and that may be later than ours.
		_ = p.control(unix.EPOLL_CTL_DEL, w.fd, 0)
	}
}

func (p *epoll) control(op, fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &ev))
}

func (p *epoll) Listen(network, address string, o *Options) (Socket, error) {
	return listenFD(p, network, address, o)
}

func (p *epoll) Dial(network string, remote net.Addr, o *Options) (Socket, error) {
	return dialFD(p, network, remote, o)
}

func (p *epoll) Adopt(from io.Closer, listening bool, o *Options) (Socket, error) {
	return adoptFD(p, from, listening, o)
}
