package aiohttp

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"golang.org/x/net/idna"
	"golang.org/x/net/proxy"
)

// target finds out where a request goes.
func (t *Transport) target(req *http.Request) (*target, error) {
	g := &target{https: req.URL.Scheme == "https"}
	var err error
	if g.host, g.port, err = hostPort(req.URL); err != nil {
		return nil, err
	}
	if t.Proxy == nil {
		return g, nil
	}
	if g.proxy, err = t.Proxy(req); err != nil {
		return nil, fmt.Errorf("choose a proxy: %w", err)
	}
	if g.proxy == nil {
		return g, nil
	}
	switch g.proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
		return g, nil
	}
	return nil, fmt.Errorf("unsupported scheme of the proxy %s, want http, https or socks5", g.proxy.Redacted())
}

var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// hostPort returns the host in the form that is looked up and compared, and the port.
func hostPort(u *url.URL) (host, port string, err error) {
	host = strings.ToLower(u.Hostname())
	if !isASCII(host) {
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return "", "", err
		}
	}
	return host, cmp.Or(u.Port(), defaultPorts[u.Scheme]), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// addr is the server's address, in the form of [net.JoinHostPort].
func (g *target) addr() string { return net.JoinHostPort(g.host, g.port) }

// key names the connections that will do.
func (g *target) key() hostKey {
	k := hostKey{https: g.https, host: g.host, port: g.port}
	if g.proxy != nil {
		k.proxy = g.proxy.String()
	}
	if g.forwarded() {
		k.host, k.port = "", ""
	}
	return k
}

// connect makes a connection to g, through its proxy if it has one.
func (t *Transport) connect(ctx context.Context, p *pool, g *target, trace *httptrace.ClientTrace) (*conn, error) {
	c := &conn{pool: p}
	whole := false
	defer func() {
		if !whole && c.nc != nil {
			c.nc.Close()
		}
	}()
	err := t.dial(ctx, c, g)
	if err == nil && g.proxy != nil {
		err = t.viaProxy(ctx, c, g)
	}
	if err == nil && g.https {
		err = t.startTLS(ctx, c, PhaseTLS, g.addr(), g.host, trace)
	}
	if err != nil {
		return nil, err
	}
	whole = true
	return c, nil
}

func (t *Transport) dial(ctx context.Context, c *conn, g *target) error {
	addr := g.addr()
	if g.proxy != nil {
		host, port, err := hostPort(g.proxy)
		if err != nil {
			return &Error{PhaseProxy, g.proxy.Redacted(), err}
		}
		addr = net.JoinHostPort(host, port)
	}
	dial := t.Dial
	if dial == nil {
		dial = defaultDial
	}
	err := timeout(ctx, t.DialTimeout, func(ctx context.Context) (err error) {
		c.nc, err = dial(ctx, "tcp", addr)
		return err
	})
	if err != nil {
		return &Error{PhaseDial, addr, err}
	}
	c.raw = c.nc
	c.pool.loop.Own(c.raw)
	return nil
}

// timeout is asyncio.Timeout with 0 for none.
func timeout(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	if d <= 0 {
		return fn(ctx)
	}
	return asyncio.Timeout(ctx, d, fn)
}

// startTLS makes c a TLS connection.
func (t *Transport) startTLS(ctx context.Context, c *conn, phase Phase, addr, name string, trace *httptrace.ClientTrace) error {
	config := t.TLSClientConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = cmp.Or(config.ServerName, name)
	config.NextProtos = []string{"http/1.1"}
	if trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	var state tls.ConnectionState
	err := timeout(ctx, t.TLSHandshakeTimeout, func(ctx context.Context) error {
		nc, s, err := handshake(ctx, c.nc, config)
		if err == nil {
			c.nc, state = nc, s
		} else if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	})
	if trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(state, err)
	}
	if err != nil {
		return &Error{phase, addr, explainTLS(err)}
	}
	c.tls = &state
	return nil
}

// handshake makes nc, which may be of a dialer of the user's or a proxy that is
// spoken to in TLS, the client's side of a TLS connection.
func handshake(ctx context.Context, nc net.Conn, config *tls.Config) (net.Conn, tls.ConnectionState, error) {
	c, err := aionet.StartTLS(ctx, nc, config, aionet.ClientSide)
	if err != nil {
		return nil, tls.ConnectionState{}, cmp.Or(errors.Unwrap(err), err) // Error says the rest
	}
	return c, c.ConnectionState(), nil
}

func defaultDial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := aionet.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// explainTLS puts into words what servers do that do not speak our protocol.
func explainTLS(err error) error {
	var notTLS tls.RecordHeaderError
	if errors.As(err, &notTLS) && string(notTLS.RecordHeader[:]) == "HTTP/" {
		return fmt.Errorf("the server speaks plain HTTP on this port; use http: %w", err)
	}
	if strings.HasSuffix(err.Error(), "tls: no application protocol") { // an unexported type
		return fmt.Errorf("the server does not offer HTTP/1.1: %w", err)
	}
	return err
}

// viaProxy makes c, a connection to the proxy, one that requests to g can use.
func (t *Transport) viaProxy(ctx context.Context, c *conn, g *target) error {
	switch g.proxy.Scheme {
	case "socks5", "socks5h":
		return t.viaSocks(ctx, c, g)
	case "https":
		if err := t.startTLS(ctx, c, PhaseTLS, g.proxy.Host, g.proxy.Hostname(), &noTrace); err != nil {
			return err
		}
	}
	if !g.tunnelled() {
		return nil
	}
	err := timeout(ctx, t.ResponseHeaderTimeout, func(context.Context) error {
		return t.openTunnel(c.nc, g)
	})
	if err != nil {
		return &Error{PhaseProxy, g.addr(), fmt.Errorf("%s: %w", g.proxy.Redacted(), err)}
	}
	return nil
}

// openTunnel asks an HTTP proxy to pass on bytes.
func (t *Transport) openTunnel(nc net.Conn, g *target) error {
	header := t.ProxyConnectHeader.Clone()
	if header == nil {
		header = http.Header{}
	}
	if g.proxy.User != nil && header.Get("Proxy-Authorization") == "" {
		header.Set("Proxy-Authorization", basicAuth(g.proxy.User))
	}
	if err := checkHeader(header); err != nil {
		return err
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: g.addr()}, Host: g.addr(), Header: header}
	head, err := appendHead(nil, req, &target{}, wishes{})
	if err != nil {
		return err
	}
	if _, err := nc.Write(head); err != nil {
		return err
	}
	r := bufio.NewReaderSize(nc, 1024)
	answer, err := readHead(r, nil, cmp.Or(max(t.MaxResponseHeaderBytes, 0), defaultHeaderBytes))
	if err != nil {
		return noEOF(err)
	}
	resp, _, err := parseResponse(string(answer), req)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("the proxy answered %s", resp.Status)
	case r.Buffered() > 0:
		return ProtocolError("the proxy sent data before the tunnel was used")
	}
	return nil
}

func basicAuth(u *url.Userinfo) string {
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// viaSocks asks a SOCKS5 proxy for a tunnel. The library is given no context,
// because it would watch it on a goroutine; reads and writes obey the block.
func (t *Transport) viaSocks(ctx context.Context, c *conn, g *target) error {
	var auth *proxy.Auth
	if u := g.proxy.User; u != nil {
		password, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: password}
	}
	err := timeout(ctx, t.ResponseHeaderTimeout, func(context.Context) error {
		d, err := proxy.SOCKS5("tcp", g.proxy.Host, auth, dialed{c.nc})
		if err == nil {
			_, err = d.Dial("tcp", g.addr())
		}
		return err
	})
	if err != nil {
		return &Error{PhaseProxy, g.addr(), fmt.Errorf("%s: %w", g.proxy.Redacted(), err)}
	}
	return nil
}

// dialed is a dialer that has dialed already. Without DialContext, the library
// would call it on a goroutine.
type dialed struct{ nc net.Conn }

func (d dialed) Dial(_, _ string) (net.Conn, error) { return d.nc, nil }

func (d dialed) DialContext(_ context.Context, _, _ string) (net.Conn, error) { return d.nc, nil }
