package aiohttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A scenario is what a program does with an http.Client; what it notes must be
// the same with http.Transport and with ours.
type scenario struct {
	name    string
	handler http.HandlerFunc
	run     func(ctx context.Context, c *http.Client, base string, note func(format string, args ...any))
}

var scenarios = []scenario{
	{"a small response", hello, func(ctx context.Context, c *http.Client, base string, note noter) {
		for range 3 {
			try(ctx, c, "GET", base+"/a%20b?c=d#e", nil, nil, note)
		}
	}},
	{"HEAD, 204 and 304 have no body", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.WriteHeader(304)
		default:
			w.Write(make([]byte, 10))
		}
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "HEAD", base, nil, nil, note)
		try(ctx, c, "GET", base+"/204", nil, nil, note)
		try(ctx, c, "GET", base+"/304", nil, nil, note)
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"a long chunked response with a trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Other")
		for i := range 300 {
			fmt.Fprintf(w, "%s%d", strings.Repeat("x", i*7), i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, nil, note)
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"gzip is undone when it was not asked for", zipped, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, nil, note)
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"gzip is kept when it was asked for", zipped, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, http.Header{"Accept-Encoding": {"gzip"}}, note)
	}},
	{"gzip is not asked for with a range", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, http.Header{"Range": {"bytes=0-9"}}, note)
	}},
	{"request headers arrive", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, http.Header{"X-A": {"1", "2"}, "x-low": {" padded "}, "User-Agent": {"me"}}, note)
		try(ctx, c, "GET", base, nil, http.Header{"User-Agent": {""}, "X-Break": {"a\r\nb"}}, note)
		try(ctx, c, "GET", base, nil, http.Header{"Bad Name": {"x"}}, note)
		try(ctx, c, "GET", base, nil, http.Header{"X-Nul": {"a\x00"}}, note)
		try(ctx, c, "BAD METHOD", base, nil, nil, note)
		try(ctx, c, "PROPFIND", base, nil, nil, note)
	}},
	{"request bodies of every size arrive", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		for _, n := range []int{0, 1, 4095, 4096, 4097, 100_000, 3_000_000} {
			try(ctx, c, "POST", base, bytes.NewReader(make([]byte, n)), nil, note)
			try(ctx, c, "PUT", base, io.MultiReader(bytes.NewReader(make([]byte, n)), strings.NewReader("end")), nil, note)
		}
		try(ctx, c, "POST", base, nil, nil, note)
	}},
	{"request trailers arrive", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "POST", base, struct{ io.Reader }{strings.NewReader("body")})
		req.Trailer = http.Header{"X-Sum": nil}
		req.Body = io.NopCloser(io.MultiReader(req.Body, readerFunc(func([]byte) (int, error) {
			req.Trailer.Set("X-Sum", "7")
			return 0, io.EOF
		})))
		do(c, req, note)
	}},
	{"a body of another length than said fails", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		for _, said := range []int64{3, 5, 50_000} {
			req, _ := http.NewRequestWithContext(ctx, "POST", base, strings.NewReader("body"))
			req.ContentLength = said
			_, err := c.Do(req)
			note("%v", err != nil)
		}
	}},
	{"a body that fails fails the request", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		broken := errors.New("broken")
		req, _ := http.NewRequestWithContext(ctx, "POST", base, io.MultiReader(strings.NewReader("x"),
			readerFunc(func([]byte) (int, error) { return 0, broken })))
		_, err := c.Do(req)
		note("%v", errors.Is(err, broken))
	}},
	{"redirects and cookies", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "/two", http.StatusTemporaryRedirect)
		case "/two":
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %q %q", r.Method, b, r.Header["Cookie"])
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "POST", base+"/", strings.NewReader("again"), nil, note)
		_, err := c.Get(base + "/loop")
		note("%v", err != nil && strings.HasSuffix(err.Error(), "stopped after 10 redirects"))
	}},
	{"Expect: 100-continue", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		echo(w, r)
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		expect := http.Header{"Expect": {"100-continue"}}
		try(ctx, c, "POST", base, strings.NewReader("small"), expect, note)
		try(ctx, c, "POST", base, bytes.NewReader(make([]byte, 100_000)), expect, note)
		try(ctx, c, "POST", base+"/refuse", bytes.NewReader(make([]byte, 100_000)), expect, note)
		try(ctx, c, "GET", base, nil, expect, note)
	}},
	{"informational responses", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		fmt.Fprint(w, "done")
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				note("%d %v", code, h)
				return nil
			},
		})
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"a response while the body is being sent", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, "too large")
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "POST", base, &endless{left: 1 << 40})
		resp, err := c.Do(req)
		if err != nil {
			note("%v", err)
			return
		}
		b, err := io.ReadAll(resp.Body)
		note("%s %q %v", resp.Status, b, err)
		resp.Body.Close()
	}},
	{"talking both ways", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		io.Copy(flushing{w, rc}, r.Body)
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "POST", base, &endless{left: 1 << 20})
		resp, err := c.Do(req)
		if err != nil {
			note("%v", err)
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		note("%d %v", n, err)
		resp.Body.Close()
	}},
	{"closing a body early", func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 10_000_000))
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "GET", base, nil)
		resp, err := c.Do(req)
		if err != nil {
			note("%v", err)
			return
		}
		n, err := io.ReadFull(resp.Body, make([]byte, 1000))
		note("%d %v", n, err)
		note("%v", resp.Body.Close())
		_, err = resp.Body.Read(make([]byte, 1))
		note("%v", err != nil && err != io.EOF)
		note("%v", resp.Body.Close())
	}},
	{"a handler that panics", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.Header().Set("Content-Length", "100")
			w.Write(make([]byte, 50))
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "GET", base, nil)
		_, err := c.Do(req)
		note("%v", errors.Is(err, io.EOF))
		req, _ = http.NewRequestWithContext(ctx, "GET", base+"/late", nil)
		resp, err := c.Do(req)
		if err != nil {
			note("%v", err)
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		note("%d %v", n, errors.Is(err, io.ErrUnexpectedEOF))
	}},
	{"connections that end with the response", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Write(make([]byte, 5000))
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(ctx, c, "GET", base, nil, nil, note)
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"keep-alive is off", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		switch tr := c.Transport.(type) {
		case *http.Transport:
			tr.DisableKeepAlives = true
		case *Transport:
			tr.DisableKeepAlives = true
		}
		try(ctx, c, "GET", base, nil, nil, note)
		try(ctx, c, "GET", base, nil, nil, note)
	}},
	{"a request that closes", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		for range 2 {
			req, _ := http.NewRequestWithContext(ctx, "POST", base, strings.NewReader("body"))
			req.Close = true
			do(c, req, note)
		}
	}},
	{"a context of a type that cannot be compared", hello, func(ctx context.Context, c *http.Client, base string, note noter) {
		try(oddContext{ctx, nil}, c, "GET", base, nil, nil, note)
	}},
	{"switching protocols", func(w http.ResponseWriter, r *http.Request) {
		nc, rw, _ := w.(http.Hijacker).Hijack()
		defer nc.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprint(rw, line)
		rw.Flush()
	}, func(ctx context.Context, c *http.Client, base string, note noter) {
		req, _ := http.NewRequestWithContext(ctx, "GET", base, nil)
		req.Header.Set("Connection", "upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := c.Do(req)
		if err != nil {
			note("%v", err)
			return
		}
		rw := resp.Body.(io.ReadWriteCloser)
		fmt.Fprint(rw, "there\n")
		b, err := io.ReadAll(rw)
		note("%s %q %v", resp.Status, b, err)
		rw.Close()
	}},
	{"credentials in the URL and an own Host", echo, func(ctx context.Context, c *http.Client, base string, note noter) {
		u, _ := url.Parse(base)
		u.User = url.UserPassword("me", "secret")
		req, _ := http.NewRequestWithContext(ctx, "GET", u.String(), nil)
		req.Host = "Example.com"
		do(c, req, note)
	}},
	{"wrong URLs", hello, func(ctx context.Context, c *http.Client, base string, note noter) {
		for _, u := range []string{"ftp://127.0.0.1/", "http:///path", "http://127.0.0.1:1/", "//x"} {
			try(ctx, c, "GET", u, nil, nil, note)
		}
	}},
}

type noter = func(format string, args ...any)

func TestConformance_theSameHappensWithHTTPTransport(t *testing.T) {
	for _, s := range scenarios {
		for _, scheme := range []string{"http", "https"} {
			t.Run(s.name+" over "+scheme, func(t *testing.T) {
				server := httptest.NewUnstartedServer(s.handler)
				server.Config.ErrorLog = quietLog
				if scheme == "https" {
					server.StartTLS()
				} else {
					server.Start()
				}
				defer server.Close()
				want := runOnGoroutine(server, s)
				got := runOnLoop(t, server, s)
				if !slices.Equal(want, got) {
					t.Errorf("http.Transport:\n\t%s\nours:\n\t%s", strings.Join(want, "\n\t"), strings.Join(got, "\n\t"))
				}
			})
		}
	}
}

func runOnGoroutine(server *httptest.Server, s scenario) []string {
	tr := &http.Transport{TLSClientConfig: trust(server), ExpectContinueTimeout: 5 * time.Second}
	defer tr.CloseIdleConnections()
	return record(context.Background(), server, s, tr)
}

func runOnLoop(t *testing.T, server *httptest.Server, s scenario) (notes []string) {
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.TLSClientConfig = trust(server)
		tr.ExpectContinueTimeout = 5 * time.Second
		notes = record(ctx, server, s, tr)
		if err := settled(ctx, tr); err != nil {
			t.Error(err)
		}
	})
	return notes
}

// settled waits until no exchange is under way.
func settled(ctx context.Context, tr *Transport) error {
	for range 100 {
		if st := tr.Stats(); st.Open == st.Idle && st.Waiting == 0 {
			return nil
		}
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("a connection is in use at the end: %+v", tr.Stats())
}

func trust(server *httptest.Server) *tls.Config {
	if server.Certificate() == nil {
		return nil
	}
	return server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

func record(ctx context.Context, server *httptest.Server, s scenario, rt http.RoundTripper) (notes []string) {
	client := NewClient()
	client.Transport = rt
	s.run(ctx, client, server.URL, func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
	})
	return notes
}

// try notes all that can be seen of a request and its response.
func try(ctx context.Context, c *http.Client, method, url string, body io.Reader, h http.Header, note noter) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		note("%v", err)
		return
	}
	if h != nil {
		req.Header = h.Clone()
	}
	do(c, req, note)
}

func do(c *http.Client, req *http.Request, note noter) {
	reused := ""
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { reused += fmt.Sprintf(" reused=%v", i.Reused) },
	}))
	resp, err := c.Do(req)
	if err != nil {
		note("failed: %v", err != nil)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	resp.Header.Del("Date")
	keys := slices.Sorted(maps.Keys(resp.Header))
	note("%s %s %d.%d %v %v len=%d te=%v close=%v unzipped=%v trailer=%v%s", resp.Proto, resp.Status, resp.ProtoMajor, resp.ProtoMinor,
		keys, resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Uncompressed, resp.Trailer, reused)
	note("%d %.2000q %v %v", len(b), b, err, resp.Request.URL.Path)
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello from %s", r.RequestURI) }

func zipped(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept-Encoding") != "gzip" {
		http.Error(w, "not asked for", http.StatusNotAcceptable)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	fmt.Fprint(z, strings.Repeat("compress me ", 10_000))
	z.Close()
}

// echo answers with what it saw.
func echo(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	h := r.Header.Clone()
	if strings.HasPrefix(h.Get("User-Agent"), "Go-http-client") || h.Get("User-Agent") == userAgent {
		h.Del("User-Agent")
	}
	fmt.Fprintf(w, "%s %s host-is-own=%v len=%d te=%v n=%d %v %v trailer=%v", r.Method, r.RequestURI, r.Host == "Example.com",
		r.ContentLength, r.TransferEncoding, n, err, h, r.Trailer)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// endless is a long body of unknown length.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := min(e.left, int64(len(p)))
	e.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

type flushing struct {
	w  io.Writer
	rc *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.rc.Flush()
	return n, err
}

type oddContext struct {
	context.Context
	_ []int
}
