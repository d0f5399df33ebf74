package aiohttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Transport is an [http.RoundTripper] for an [http.Client] that is used in
// coroutines: what waits in net/http's own transport for goroutines suspends
// the coroutine here. See the package's documentation for what differs.
//
// The zero Transport is ready to use and has no limits but on headers;
// [NewTransport] sets some. Do not change the fields after the first request.
//
// A Transport belongs to the loop on which its first request is made, until
// that loop ends. Requests from elsewhere fail.
type Transport struct {
	// Dial connects to addr, a host:port; network is "tcp". It runs in the
	// coroutine of the request, and its connection's Read and Write must suspend
	// that, not block the loop. Nil is aionet.Dial.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Proxy returns the proxy for a request (http, https or socks5), nil for
	// none. [http.ProxyFromEnvironment] is one. A nil Proxy uses none.
	Proxy func(*http.Request) (*url.URL, error)

	// ProxyConnectHeader is sent to proxies with CONNECT.
	ProxyConnectHeader http.Header

	// TLSClientConfig is for https; nil is crypto/tls's default. Its NextProtos
	// are replaced, since only HTTP/1.1 is spoken.
	TLSClientConfig *tls.Config

	MaxConns            int // open at once, idle ones included
	MaxConnsPerHost     int // requests at once to a scheme, host and port
	MaxIdleConns        int // kept open for later requests
	MaxIdleConnsPerHost int

	DialTimeout           time.Duration // names and all addresses tried
	TLSHandshakeTimeout   time.Duration
	ResponseHeaderTimeout time.Duration // from the request's last byte on, 1xx included
	ExpectContinueTimeout time.Duration // until the body is sent unasked; 0: at once
	ReadTimeout           time.Duration // between two parts of a body
	IdleConnTimeout       time.Duration

	// MaxResponseHeaderBytes bounds a response's header together with the 1xx
	// headers before it; 0 is 1 MiB. No header has more than 1,000 fields.
	MaxResponseHeaderBytes int64

	DisableKeepAlives  bool // one request a connection
	DisableCompression bool // ask for gzip only when a request does itself

	pool atomic.Pointer[pool] // nil while the Transport belongs to no loop
}

// NewTransport returns a Transport for general use: the environment's proxies,
// at most 1,000 connections of which 100 idle for up to 90 seconds, and
// timeouts for each phase. The whole of an exchange is bounded by its context.
func NewTransport() *Transport {
	return &Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxConns:              1000,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   100,
		DialTimeout:           30 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: time.Second,
		ReadTimeout:           time.Minute,
		IdleConnTimeout:       90 * time.Second,
	}
}

// RoundTrip sends a request and returns when the response's header is there.
// Unless it is read to its end, the response's Body must be closed.
//
// It suspends the running coroutine. When the request's context or the block
// around the call ends, in whichever phase, the connection is closed, its place
// in the pool passes to the next one who waits, and the error is the context's
// cause, wrapped in an [Error]. The same goes for reading the body.
func (t *Transport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	p, g, err := t.prepare(req)
	if err != nil {
		closeBody(req)
		return nil, engine.AtOnce(err)
	}
	started := false
	block := p.loop.CurrentContext()
	err = within(p.loop, req.Context(), func(ctx context.Context) error {
		started = true
		resp, err = p.exchange(ctx, block, req, g)
		return err
	})
	if !started {
		closeBody(req)
	}
	return resp, err
}

// prepare finds out all that can be wrong with a request before it is sent.
func (t *Transport) prepare(req *http.Request) (*pool, *target, error) {
	if err := checkRequest(req); err != nil {
		return nil, nil, fmt.Errorf("aiohttp: %w", err)
	}
	p, err := t.bind(req.Context())
	if err != nil {
		return nil, nil, err
	}
	g, err := t.target(req)
	if err != nil {
		return nil, nil, &Error{PhaseRequest, req.URL.Host, err}
	}
	return p, g, nil
}

// exchange sends the request on a connection, and once more on another one
// when the first turns out to have been closed while it was idle. It sees to it
// that the request's body is closed. ctx is for this call; what may outlast it,
// as the sending of the body, belongs to block.
func (p *pool) exchange(ctx, block context.Context, req *http.Request, g *target) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(req.Context())
	if trace == nil {
		trace = &noTrace
	}
	sent := req
	for {
		c, err := p.acquire(ctx, g, trace)
		if err != nil {
			closeBody(sent)
			return nil, err
		}
		resp, again, err := c.roundTrip(ctx, block, sent, g, trace)
		if err == nil {
			resp.Request = req
			return resp, nil
		}
		if !again {
			return nil, err
		}
		if sent, err = rewound(req); err != nil {
			return nil, &Error{PhaseRequest, g.addr(), err}
		}
	}
}

var noTrace httptrace.ClientTrace

// rewound returns req with a fresh body.
func rewound(req *http.Request) (*http.Request, error) {
	if bodyLength(req) == 0 {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	again := *req
	again.Body = body
	return &again, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

var errOtherLoop = fmt.Errorf("aiohttp: the Transport is in use by another event loop, or this is not one of its coroutines; "+
	"give each loop a Transport of its own, and use asyncio.RunThreadsafe from goroutines: %w", asyncio.ErrWrongGoroutine)

// bind returns the Transport's pool, if the caller is a coroutine of its loop.
func (t *Transport) bind(ctx context.Context) (*pool, error) {
	if p := t.pool.Load(); p != nil {
		if p.loop.CurrentContext() == nil {
			return nil, errOtherLoop
		}
		return p, nil
	}
	loop, err := loopOf(ctx)
	if err != nil {
		return nil, err
	}
	p := newPool(t, loop)
	if !t.pool.CompareAndSwap(nil, p) {
		return nil, errOtherLoop
	}
	loop.AddCloser(p)
	return p, nil
}

// loopOf returns the loop of the running task, and lets nobody else in. A request
// without a context of the loop, as by [http.Client.Get], is of whoever runs here.
func loopOf(ctx context.Context) (*engine.Loop, error) {
	p, err := engine.Running(ctx)
	if errors.Is(err, asyncio.ErrNotOnLoop) || errors.Is(err, asyncio.ErrWrongContext) {
		if here := engine.Here(); here != nil && here.CurrentContext() != nil {
			return here, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("aiohttp: the Transport is not used by a coroutine: %w", err)
	}
	return p.Loop(), nil
}

// within runs fn in a block that ends with ctx. If ctx is not the running task's,
// it also ends with the block that the task is in. fn gets its block's context.
func within(loop *engine.Loop, ctx context.Context, fn func(context.Context) error) error {
	block := loop.CurrentContext()
	if same(ctx, block) || ctx == context.Background() || ctx == context.TODO() {
		return fn(block)
	}
	entered := false
	err := asyncio.Enter(ctx, func() error {
		entered = true
		return fn(loop.CurrentContext())
	})
	if entered || !errors.Is(err, asyncio.ErrNotOnLoop) && !errors.Is(err, asyncio.ErrWrongContext) {
		return err
	}
	return withinBoth(loop, block, ctx, fn)
}

// same reports whether a and b are one. Contexts of users may be of types that
// == panics at.
func same(a, b context.Context) bool { return reflect.ValueOf(b).Comparable() && a == b }

// withinBoth is within for a context that is not the running task's: one that
// comes from context.Background, or from another task.
func withinBoth(loop *engine.Loop, block, ctx context.Context, fn func(context.Context) error) error {
	both, cancel := asyncio.WithCancel(block)
	defer cancel(nil)
	if ctx.Err() != nil {
		cancel(context.Cause(ctx))
	}
	defer context.AfterFunc(ctx, func() {
		loop.CallSoonThreadsafe(func() { cancel(context.Cause(ctx)) })
	})()
	return asyncio.Enter(both, func() error { return fn(both) })
}

// CloseIdleConnections closes the connections that no request uses now. It may
// be called on any goroutine.
func (t *Transport) CloseIdleConnections() {
	p := t.pool.Load()
	switch {
	case p == nil:
	case p.loop.On():
		p.closeIdle()
	default:
		p.loop.CallSoonThreadsafe(p.closeIdle)
	}
}

// Stats is what a Transport holds at a moment.
type Stats struct {
	Open    int // connections, with those that are being made
	Idle    int // those of them that no request uses
	Waiting int // requests that wait for a connection
}

// Stats tells what the Transport holds now. Call it on its loop.
func (t *Transport) Stats() Stats {
	p := t.pool.Load()
	if p == nil {
		return Stats{}
	}
	return Stats{Open: p.open, Idle: p.idle.n, Waiting: p.waiting}
}

var _ http.RoundTripper = (*Transport)(nil)
