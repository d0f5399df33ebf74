package poller

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// portable waits for completions: what goroutines in Go's netpoller have finished on its sockets.
type portable struct {
	signal  chan struct{} // one token: a completion, or a wake-up
	timer   *time.Timer
	pending atomic.Int64 // operations under way, and completions not yet delivered
	flushes sync.WaitGroup

	mu     sync.Mutex
	done   []completion
	closed bool

	spare []completion // Wait's; takes turns with done
}

type completion struct {
	owner Owner
	m     Mode
}

func newPortable() (Poller, error) {
	p := &portable{signal: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p, nil
}

func (p *portable) Name() string { return "portable" }
func (p *portable) Len() int     { return int(p.pending.Load()) }

func (p *portable) Wait(timeout time.Duration) (int, error) {
	n, err := p.deliver()
	if n > 0 || err != nil || timeout == 0 {
		return n, err
	}
	var expired <-chan time.Time // nil: none
	if timeout > 0 {
		p.timer.Reset(timeout)
		expired = p.timer.C
		defer p.timer.Stop()
	}
	select {
	case <-p.signal:
	case <-expired:
	}
	return p.deliver()
}

func (p *portable) deliver() (int, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return 0, ErrClosed
	}
	done := p.done
	p.done = p.spare[:0]
	p.mu.Unlock()
	for i, c := range done {
		p.pending.Add(-1)
		c.owner.Ready(c.m)
		done[i] = completion{}
	}
	p.spare = done
	return len(done), nil
}

// start counts an operation that ends in post.
func (p *portable) start() { p.pending.Add(1) }

func (p *portable) post(o Owner, m Mode) {
	if o == nil { // nobody on the loop has armed it
		p.pending.Add(-1)
		return
	}
	p.mu.Lock()
	if !p.closed {
		p.done = append(p.done, completion{o, m})
	}
	p.mu.Unlock()
	p.Wake()
}

func (p *portable) Wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *portable) Close() error {
	p.mu.Lock()
	p.closed, p.done = true, nil
	p.mu.Unlock()
	p.Wake()
	p.awaitFlushes()
	return nil
}

// awaitFlushes lets what Write took be sent before the program may end: the system has not got it yet. A peer that
// does not read holds it up for a second, no more.
func (p *portable) awaitFlushes() {
	done := make(chan struct{})
	go func() {
		p.flushes.Wait()
		close(done)
	}()
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
}

func (p *portable) Listen(network, address string, o *Options) (Socket, error) {
	lc := net.ListenConfig{KeepAliveConfig: o.KeepAlive, KeepAlive: keepAlive(o), Control: func(_, _ string, rc syscall.RawConn) error {
		return control(rc, o)
	}}
	ln, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	s := newNetSocket(p)
	s.ln, s.delay = ln, o.Delay
	s.local = ln.Addr()
	s.file = socketFileAt(s.local)
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	if err := s.file.prepare(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (p *portable) Dial(network string, remote net.Addr, o *Options) (Socket, error) {
	s := newNetSocket(p)
	s.remote, s.delay = remote, o.Delay
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelDial = cancel
	d := net.Dialer{LocalAddr: o.Local, KeepAliveConfig: o.KeepAlive, KeepAlive: keepAlive(o)}
	s.startDial = func() { go s.dial(ctx, &d, network) }
	return s, nil
}

func (p *portable) RemoveDead(network, path string) error { return removeDead(network, path) }

// keepAlive says no where a config that is not enabled would mean package net's default.
func keepAlive(o *Options) time.Duration {
	if o.KeepAlive.Enable {
		return 0
	}
	return -1
}
