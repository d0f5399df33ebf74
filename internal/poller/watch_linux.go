package poller

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

func (p *epoll) Watch(fd int, o Owner, t Trigger) (Watch, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	w := newWatch(p, fd, o, t)
	events := uint32(interest &^ unix.EPOLLOUT)
	if t == Level {
		events = unix.EPOLLET // Arm says for what
	}
	switch err := p.control(unix.EPOLL_CTL_ADD, fd, events); {
	case errors.Is(err, unix.EPERM):
		return &alwaysReady{p: p, fd: fd, owner: o}, nil
	case errors.Is(err, unix.EEXIST):
		return nil, fmt.Errorf("the descriptor is in use on this loop already: %w", err)
	case err != nil:
		return nil, err
	}
	p.table.add(&w.watched)
	w.registered = true
	return w, nil
}

// rearm has the kernel look again: a change brings an event for what is ready already.
func (p *epoll) rearm(w *watched, m Mode) error {
	events := uint32(unix.EPOLLET)
	if m&Read != 0 {
		events |= unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLPRI
	}
	if m&Write != 0 {
		events |= unix.EPOLLOUT
	}
	return p.control(unix.EPOLL_CTL_MOD, w.fd, events)
}

func (p *epoll) unwatch(w *watched) { p.deregister(w, true) }

// alwaysReady is a file that epoll refuses, since reading and writing it never has to wait.
type alwaysReady struct {
	p     *epoll
	fd    int // -1 after Close
	owner Owner
	armed Mode // not 0: in the poller's list
}

func (w *alwaysReady) Arm(m Mode) error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	if w.armed == 0 {
		w.p.due = append(w.p.due, w)
	}
	w.armed |= m
	return nil
}

func (w *alwaysReady) Read(p []byte) (int, error)  { return readFD(w.fd, p) }
func (w *alwaysReady) Write(p []byte) (int, error) { return writeFD(w.fd, p) }

func (w *alwaysReady) Close() error {
	if w.fd < 0 {
		return net.ErrClosed
	}
	w.fd, w.armed = -1, 0
	w.p.due = slices.DeleteFunc(w.p.due, func(o *alwaysReady) bool { return o == w })
	return nil
}

func (p *epoll) dispatchDue() int {
	due := p.due
	p.due = nil
	for _, w := range due {
		if m := w.armed; m != 0 {
			w.armed = 0
			w.owner.Ready(m)
		}
	}
	return len(due)
}
