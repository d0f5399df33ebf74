package aiohttp

import (
	"bufio"
	"cmp"
	"context"
	"maps"
	"net/http/httptrace"
	"slices"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// The pool keeps connections for later requests and bounds how many there are.
// A request goes through two gates, each first come, first served: its host's,
// which lets MaxConnsPerHost requests through, and, if no connection to the
// host is idle, the room for MaxConns connections. Room is made by closing the
// connection that has been idle longest, of whichever host.
//
// As the loop is the only one to touch it, none of it is locked. An idle
// connection has no coroutine, no buffers and no timer of its own.

// A hostKey names what connections are interchangeable for.
type hostKey struct {
	proxy string
	https bool
	host  string // empty for what a proxy forwards: any host will do
	port  string
}

// A host is the pool's record of a key, kept while anybody uses it.
type host struct {
	key   hostKey
	gate  *asyncio.Semaphore // nil without a limit
	users int                // requests at or behind the gate
	idle  []*conn            // the one used last at the end
}

type pool struct {
	t       *Transport
	loop    *engine.Loop
	ended   bool // with the loop; nothing is kept from then on
	hosts   map[hostKey]*host
	conns   map[*conn]uint64 // to their numbers
	made    uint64           // connections, in all
	idle    idleList
	open    int              // connections, made or being made
	line    engine.WaitQueue // of tasks that wait for room to make one
	waiting int              // tasks in it, or at a gate
	expiry  engine.Timer     // of the connection that is idle longest
	spare   []*buffers
}

func newPool(t *Transport, loop *engine.Loop) *pool {
	p := &pool{t: t, loop: loop, hosts: map[hostKey]*host{}, conns: map[*conn]uint64{}}
	p.expiry.Init(loop, p.expire)
	p.expiry.Housekeeping()
	return p
}

// acquire returns a connection to g for one exchange.
func (p *pool) acquire(ctx context.Context, g *target, trace *httptrace.ClientTrace) (c *conn, err error) {
	if trace.GetConn != nil {
		trace.GetConn(g.addr())
	}
	h := p.host(g)
	if err := p.wait(ctx, h.gate); err != nil {
		p.forget(h)
		return nil, &Error{PhaseWait, g.addr(), err}
	}
	defer func() {
		if c == nil { // because of err, or of a panic
			p.leave(h)
		}
	}()
	if c = p.takeIdle(h); c != nil {
		c.reused = true
	} else if c, err = p.connect(ctx, h, g, trace); err != nil {
		return nil, err
	}
	p.gotConn(c, trace)
	return c, nil
}

func (p *pool) gotConn(c *conn, trace *httptrace.ClientTrace) {
	if trace.GotConn == nil {
		return
	}
	info := httptrace.GotConnInfo{Conn: c.nc, Reused: c.reused, WasIdle: c.reused}
	if c.reused {
		info.IdleTime = p.loop.Time() - c.idleSince
	}
	trace.GotConn(info)
}

// host returns the record for g, with the caller as a user.
func (p *pool) host(g *target) *host {
	key := g.key()
	h := p.hosts[key]
	if h == nil {
		h = &host{key: key}
		limit := p.t.MaxConnsPerHost
		if all := p.t.MaxConns; all > 0 && (limit <= 0 || limit > all) {
			limit = all
		}
		if limit > 0 {
			h.gate = asyncio.NewSemaphore(limit)
		}
		p.hosts[key] = h
	}
	h.users++
	return h
}

// wait passes a gate, if there is one.
func (p *pool) wait(ctx context.Context, gate *asyncio.Semaphore) error {
	if gate == nil || gate.TryAcquire() {
		return nil
	}
	p.waiting++
	defer func() { p.waiting-- }()
	return gate.Acquire(ctx)
}

// leave gives back the place behind the gate.
func (p *pool) leave(h *host) {
	if h.gate != nil {
		h.gate.Release()
	}
	p.forget(h)
}

// forget ends a use of h, and h itself when that was the last one.
func (p *pool) forget(h *host) {
	h.users--
	p.drop(h)
}

func (p *pool) drop(h *host) {
	if h.users == 0 && len(h.idle) == 0 {
		delete(p.hosts, h.key)
	}
}

// takeIdle returns the connection that was used last, or nil. Those of which
// the peer is seen to be gone, or that it has sent something on, are closed.
func (p *pool) takeIdle(h *host) *conn {
	for len(h.idle) > 0 {
		c := h.idle[len(h.idle)-1]
		p.unidle(c)
		if c.quiet() {
			return c
		}
		p.close(c)
	}
	return nil
}

// A watchable connection, as aionet's are, tells when something comes on it
// while no coroutine reads.
type watchable interface {
	Readable() bool
	OnReadable(fn func()) error // nil takes fn back
}

// watch lets the loop close c, which is idle, as soon as anything comes on it:
// its end, or data that nobody asked for, which would pass for the next response.
// The same goes under TLS: what servers send unasked comes with the handshake,
// but for the message that ends the session.
func (p *pool) watch(c *conn) {
	w, ok := c.raw.(watchable)
	if !ok {
		return
	}
	if c.stirred == nil {
		c.stirred = func() {
			if c.isIdle {
				p.discard(c)
			}
		}
	}
	_ = w.OnReadable(c.stirred) // what fails here will fail in use, where somebody hears of it
}

func (c *conn) unwatch() {
	if w, ok := c.raw.(watchable); ok {
		_ = w.OnReadable(nil)
	}
}

// quiet reports whether nothing has come that the loop has yet to see.
func (c *conn) quiet() bool {
	w, ok := c.raw.(watchable)
	return !ok || !w.Readable()
}

// connect makes a new connection, when there is room.
func (p *pool) connect(ctx context.Context, h *host, g *target, trace *httptrace.ClientTrace) (c *conn, err error) {
	if err := p.makeRoom(ctx); err != nil {
		return nil, &Error{PhaseWait, g.addr(), err}
	}
	defer func() {
		if c == nil {
			p.released()
		}
	}()
	if c, err = p.t.connect(ctx, p, g, trace); err != nil {
		return nil, err
	}
	c.host = h
	p.made++
	p.conns[c] = p.made
	return c, nil
}

// makeRoom waits until one more connection may be open, and counts it.
func (p *pool) makeRoom(ctx context.Context) error {
	if p.full() && p.idle.first != nil {
		p.discard(p.idle.first)
	}
	if !p.full() {
		p.open++
		return nil
	}
	p.waiting++
	defer func() { p.waiting-- }()
	return p.line.Wait(ctx, waitForRoom{})
}

func (p *pool) full() bool { return p.t.MaxConns > 0 && p.open >= p.t.MaxConns }

// released gives the room of a connection to the next in line.
func (p *pool) released() {
	if p.line.Wake(1) == 0 {
		p.open--
	}
}

type waitForRoom struct{}

func (waitForRoom) WaitName() string { return "room for a connection (aiohttp.Transport.MaxConns)" }

// release takes back a connection after an exchange. It stays open if reusable
// and nobody needs its room more.
func (p *pool) release(c *conn, reusable bool) {
	if p.ended {
		c.nc.Close()
		return
	}
	p.giveBuffers(c)
	if !reusable || !p.line.Empty() {
		p.close(c)
	} else {
		p.keep(c)
	}
	p.leave(c.host)
}

// keep makes c idle, and closes what is more than the limits allow.
func (p *pool) keep(c *conn) {
	t, h := p.t, c.host
	c.idleSince = p.loop.Time()
	c.isIdle = true
	h.idle = append(h.idle, c)
	p.idle.push(c)
	if t.MaxIdleConnsPerHost > 0 && len(h.idle) > t.MaxIdleConnsPerHost {
		p.discard(h.idle[0])
	}
	if t.MaxIdleConns > 0 && p.idle.n > t.MaxIdleConns {
		p.discard(p.idle.first)
	}
	if t.IdleConnTimeout > 0 && !p.expiry.Active() && p.idle.first != nil {
		p.expiry.Arm(p.idle.first.idleSince + t.IdleConnTimeout)
	}
	if c.isIdle {
		p.watch(c)
	}
}

// expire closes what has been idle for too long.
func (p *pool) expire() {
	now := p.loop.Time()
	for c := p.idle.first; c != nil; c = p.idle.first {
		if end := c.idleSince + p.t.IdleConnTimeout; end > now {
			p.expiry.Arm(end)
			return
		}
		p.discard(c)
	}
}

// unidle takes c out of the idle ones.
func (p *pool) unidle(c *conn) {
	c.isIdle = false
	c.unwatch()
	p.idle.remove(c)
	h := c.host
	if last := len(h.idle) - 1; h.idle[last] == c { // as it mostly is
		h.idle[last] = nil
		h.idle = h.idle[:last]
		return
	}
	for i, other := range h.idle {
		if other == c {
			h.idle = append(h.idle[:i], h.idle[i+1:]...)
			return
		}
	}
}

// discard closes an idle connection.
func (p *pool) discard(c *conn) {
	p.unidle(c)
	p.close(c)
	p.drop(c.host)
}

func (p *pool) close(c *conn) {
	if _, ok := p.conns[c]; !ok {
		return
	}
	delete(p.conns, c)
	c.nc.Close()
	p.released()
}

func (p *pool) closeIdle() {
	for p.idle.first != nil {
		p.discard(p.idle.first)
	}
	p.expiry.Stop()
}

// Close closes everything, in the order in which it was opened, at the loop's end,
// and frees the Transport for another loop.
func (p *pool) Close() error {
	p.closeIdle()
	for _, c := range slices.SortedFunc(maps.Keys(p.conns), func(a, b *conn) int { return cmp.Compare(p.conns[a], p.conns[b]) }) {
		p.close(c)
	}
	p.ended = true
	p.t.pool.CompareAndSwap(p, nil)
	return nil
}

// An idleList holds the idle connections of all hosts, the longest idle first.
type idleList struct {
	first, last *conn
	n           int
}

func (l *idleList) push(c *conn) {
	c.prev, c.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
	l.n++
}

func (l *idleList) remove(c *conn) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// buffers are what an exchange needs to read and write; connections that are
// idle have none.
type buffers struct {
	r    *bufio.Reader
	head []byte // for what is written or parsed in one piece
}

const (
	readBufferBytes = 8 << 10
	maxSpareBuffers = 64
	maxSpareHead    = 16 << 10
)

func (p *pool) takeBuffers(c *conn) {
	if last := len(p.spare) - 1; last >= 0 {
		c.buffers, p.spare = p.spare[last], p.spare[:last]
		c.r.Reset(c)
		return
	}
	c.buffers = &buffers{r: bufio.NewReaderSize(c, readBufferBytes), head: make([]byte, 0, 1024)}
}

func (p *pool) giveBuffers(c *conn) {
	b := c.buffers
	c.buffers = nil
	if b != nil && len(p.spare) < maxSpareBuffers && cap(b.head) <= maxSpareHead {
		b.r.Reset(nil)
		p.spare = append(p.spare, b)
	}
}
