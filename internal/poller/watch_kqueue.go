//go:build darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (p *kqueue) Watch(fd int, o Owner, t Trigger) (Watch, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if p.table.get(fd) != nil {
		return nil, fmt.Errorf("the descriptor is in use on this loop already: %w", unix.EEXIST)
	}
	w := newWatch(p, fd, o, t)
	if t == Edge {
		if err := p.rearm(&w.watched, Read); err != nil && !errors.Is(err, unix.EPIPE) { // which the first try will say
			return nil, err
		}
	}
	p.table.add(&w.watched)
	w.registered = true
	return w, nil
}

// rearm has the kernel look again: adding a filter anew brings an event for what is ready already.
func (p *kqueue) rearm(w *watched, m Mode) error {
	var errRead, errWrite error
	if m&Read != 0 {
		errRead = p.change(w.fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR, 0)
	}
	if m&Write != 0 {
		errWrite = p.change(w.fd, unix.EVFILT_WRITE, unix.EV_ADD|unix.EV_CLEAR, 0)
	}
	return errors.Join(errRead, errWrite)
}

func (p *kqueue) unwatch(w *watched) {
	if p.closed.Load() || !p.table.remove(w) {
		return
	}
	// A filter that was never added is no mistake.
	_ = p.change(w.fd, unix.EVFILT_READ, unix.EV_DELETE, 0)
	_ = p.change(w.fd, unix.EVFILT_WRITE, unix.EV_DELETE, 0)
}
