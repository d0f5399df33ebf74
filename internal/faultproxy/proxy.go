package faultproxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Proxy passes connections on to its target, each as its plan says. Its methods may be called by any goroutine.
type Proxy struct {
	network string
	target  string
	plan    func(conn int) Plan
	ln      net.Listener
	dir     string // of the socket's file, on Unix
	closing chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex
	pairs map[*pair]struct{}
}

// Start listens on a loopback address of the network, "tcp" or "unix", for connections to target, and asks plan
// what to do with each of them; they are numbered from 0.
func Start(network, target string, plan func(conn int) Plan) (*Proxy, error) {
	p := &Proxy{network: network, target: target, plan: plan, closing: make(chan struct{}), pairs: map[*pair]struct{}{}}
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "faultproxy")
		if err != nil {
			return nil, err
		}
		p.dir, address = dir, filepath.Join(dir, "socket")
	}
	ln, err := (&net.ListenConfig{Control: smallSegments}).Listen(context.Background(), network, address)
	if err != nil {
		return nil, errors.Join(err, p.removeDir())
	}
	p.ln = ln
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns where the proxy listens.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Close closes all connections and returns when nothing of the proxy is left.
func (p *Proxy) Close() error {
	close(p.closing)
	err := p.ln.Close()
	p.mu.Lock()
	for c := range p.pairs {
		c.close()
	}
	p.mu.Unlock()
	p.running.Wait()
	return errors.Join(err, p.removeDir())
}

func (p *Proxy) removeDir() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

func (p *Proxy) accept() {
	for i := 0; ; i++ {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		plan := p.plan(i)
		p.running.Go(func() { p.serve(client, plan) })
	}
}

func (p *Proxy) serve(client net.Conn, plan Plan) {
	defer client.Close()
	server, err := (&net.Dialer{Control: smallSegments}).Dial(p.network, p.target)
	if err != nil {
		reset(client)
		return
	}
	c := &pair{proxy: p, client: client, server: server}
	if !p.add(c) {
		c.close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { c.pump(server, client, plan.Up) })
	both.Go(func() { c.pump(client, server, plan.Down) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	c.close()
}

// add reports false if the proxy is closing.
func (p *Proxy) add(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		return false
	default:
		p.pairs[c] = struct{}{}
		return true
	}
}

// pair is a connection and the one that goes on from it.
type pair struct {
	proxy          *Proxy
	client, server net.Conn
}

func (c *pair) close() {
	c.client.Close()
	c.server.Close()
}

// pump passes on what src sends to dst.
func (c *pair) pump(dst, src net.Conn, f Flow) {
	f.narrow(dst, src)
	r := rand.New(rand.NewPCG(f.seed, 0))
	buf := make([]byte, 16<<10)
	for passed, pauses := 0, 0; ; {
		if f.End != Never && passed >= f.EndAt {
			c.end(dst, src, f.End)
			return
		}
		n, err := src.Read(buf[:f.next(r, passed, len(buf))])
		if n > 0 {
			if d := f.delay(r, passed, n); d > 0 && pauses < pausesMost {
				pauses++
				c.pause(d)
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				reset(src)
				return
			}
			passed += n
		}
		switch err {
		case nil:
		case io.EOF:
			halfClose(dst)
			return
		default:
			reset(dst)
			return
		}
	}
}

func (f Flow) narrow(dst, src net.Conn) {
	if f.Window == 0 {
		return
	}
	type buffered interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}
	src.(buffered).SetReadBuffer(f.Window)
	dst.(buffered).SetWriteBuffer(f.Window)
}

// next returns how much to take at most, after so many bytes have passed.
func (f Flow) next(r *rand.Rand, passed, most int) int {
	if f.Pieces > 0 && passed < piecesUntil {
		most = 1 + r.IntN(f.Pieces)
	}
	if f.Window > 0 {
		most = min(most, f.Window/8)
	}
	if f.End != Never {
		most = min(most, f.EndAt-passed)
	}
	return most
}

// delay returns how long to hold back n bytes that come after so many others.
func (f Flow) delay(r *rand.Rand, passed, n int) time.Duration {
	if f.StallFor > 0 && passed <= f.StallAt && f.StallAt < passed+n {
		return f.StallFor
	}
	if f.Pause > 0 && r.IntN(8) == 0 {
		return time.Duration(r.Int64N(int64(f.Pause)))
	}
	return 0
}

func (c *pair) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.proxy.closing:
	}
}

// end is the end of one direction before its time.
func (c *pair) end(dst, src net.Conn, e End) {
	switch e {
	case Cut:
		c.close()
	case Reset:
		reset(src)
		reset(dst)
	case ResetBack:
		reset(src)
		dst.Close()
	case HalfClose:
		halfClose(dst)
		_, _ = io.Copy(io.Discard, src) // until its end, whatever that is
	case Silence:
		<-c.proxy.closing
	}
}

// reset closes a TCP connection with a reset; on Unix the peer sees one if it had sent more.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

func halfClose(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }
