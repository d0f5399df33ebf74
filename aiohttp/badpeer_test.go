package aiohttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A peer is a server that is played by the test: script is called, on a
// goroutine, for each connection, which is closed when it returns.
type peer struct {
	net.Listener
	conns atomic.Int32
	wg    sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]struct{}
}

func newPeer(t *testing.T, script func(nc net.Conn, n int)) *peer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Listener: ln, open: map[net.Conn]struct{}{}}
	p.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			n := int(p.conns.Add(1))
			p.mu.Lock()
			p.open[nc] = struct{}{}
			p.mu.Unlock()
			p.wg.Go(func() {
				defer nc.Close()
				script(nc, n)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		for nc := range p.open {
			nc.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *peer) url() string { return "http://" + p.Addr().String() + "/" }

// readRequest reads a request that has no body, and reports whether one came.
func readRequest(nc net.Conn) bool {
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte("\r\n\r\n")) {
		if _, err := nc.Read(b); err != nil {
			return false
		}
		got = append(got, b[0])
	}
	return true
}

// answering is a peer that gives the same answer to each request.
func answering(t *testing.T, answer string) *peer {
	return newPeer(t, func(nc net.Conn, _ int) {
		if readRequest(nc) {
			io.WriteString(nc, answer)
		}
	})
}

// fetch gets url and reads the body.
func fetch(ctx context.Context, tr http.RoundTripper, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func TestTransport_badPeer_failsWithTheReason(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct{ name, answer, want string }{
		{"nothing", "", "read response header from ADDR: the server closed the connection without a response: EOF"},
		{"garbage", "hello\r\n\r\n", `read response header from ADDR: malformed HTTP response "hello"`},
		{"half a header", ok + "A: b\r\n", "read response header from ADDR: unexpected EOF"},
		{"short body", ok + "Content-Length: 10\r\n\r\nabc", "read response body from ADDR: 7 of 10 bytes missing: unexpected EOF"},
		{"short chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "read response body from ADDR: unexpected EOF"},
		{"wrong chunk size", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nab", `read response body from ADDR: malformed chunk size "xyz\r\n"`},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "read response body from ADDR: unexpected EOF"},
		{"conflicting lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", `read response header from ADDR: malformed Content-Length "1, 2"`},
		{"not gzip", ok + "Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n12345678901234567890", "read response body from ADDR: gzip: invalid header"},
		{"short gzip", ok + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08\x00\x00", "read response body from ADDR: unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := answering(t, c.answer)
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				_, err := fetch(ctx, tr, p.url())
				want := "aiohttp: " + strings.ReplaceAll(c.want, "ADDR", p.Addr().String())
				if err == nil || err.Error() != want {
					t.Errorf("got  %v\nwant %v", err, want)
				}
				kept := strings.Contains(c.name, "gzip") // which is no fault of the framing
				if st := tr.Stats(); (st.Open > 0) != kept || st.Open != st.Idle {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// A peer that sends for ever must not be able to fill the memory, or to keep
// the request going.
func TestTransport_endlessHeader_stopsAtTheLimit(t *testing.T) {
	for name, unit := range map[string]string{
		"header lines": "A: b\r\n",
		"one line":     strings.Repeat("x", 100),
		"1xx":          "\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n",
		"short 1xx":    "\r\nHTTP/1.1 100\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(nc net.Conn, _ int) {
				readRequest(nc)
				io.WriteString(nc, "HTTP/1.1 102 Processing\r\n")
				for chunk := strings.Repeat(unit, 100); ; {
					if _, err := io.WriteString(nc, chunk); err != nil {
						return
					}
				}
			})
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				tr.MaxResponseHeaderBytes = 64 << 10
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := fetch(ctx, tr, p.url())
				runtime.ReadMemStats(&after)
				if pe, ok := errors.AsType[ProtocolError](err); !ok || pe != "response header exceeds 65536 bytes" {
					t.Error(err)
				}
				if got := after.TotalAlloc - before.TotalAlloc; got > 20<<20 {
					t.Errorf("allocated %d bytes", got)
				}
			})
		})
	}
}

func TestTransport_traceRefusesAnInformationalResponse_endsTheRequest(t *testing.T) {
	p := answering(t, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	onLoop(t, func(ctx context.Context) {
		enough := errors.New("enough")
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { return enough },
		})
		if _, err := fetch(ctx, testTransport(), p.url()); !errors.Is(err, enough) {
			t.Error(err)
		}
	})
}

// What comes after a response is nobody's: the connection must not be used
// again, or a later request would get it as its response.
func TestTransport_bytesAfterTheResponse_areNotTheNextOnes(t *testing.T) {
	for name, answer := range map[string]string{
		"longer than its length": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"after the last chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(nc net.Conn, _ int) {
				for readRequest(nc) {
					io.WriteString(nc, answer)
				}
			})
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				for range 5 {
					if b, err := fetch(ctx, tr, p.url()); err != nil || string(b) != "ok" {
						t.Errorf("%q, %v", b, err)
					}
				}
				if n := p.conns.Load(); n != 5 {
					t.Errorf("%d connections for 5 requests", n)
				}
			})
		})
	}
}

func TestTransport_slowPeer_runsIntoTheTimeoutOfThePhase(t *testing.T) {
	silent := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	trickle := newPeer(t, func(nc net.Conn, _ int) {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(nc, "%.1s", "HTTP/1.1 200 OK"[i%15:]); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	stalled := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		io.Copy(io.Discard, nc)
	})
	for _, c := range []struct {
		name  string
		peer  *peer
		phase Phase
	}{
		{"no header", silent, PhaseHeader},
		{"a header byte by byte", trickle, PhaseHeader},
		{"half a body", stalled, PhaseBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				tr.ResponseHeaderTimeout, tr.ReadTimeout = 50*time.Millisecond, 50*time.Millisecond
				_, err := fetch(ctx, tr, c.peer.url())
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Phase != c.phase || !e.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if te, ok := errors.AsType[*asyncio.TimeoutError](err); !ok || te.After != 50*time.Millisecond {
					t.Error(err)
				}
				if st := tr.Stats(); st != (Stats{}) {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestTransport_serverRefusesTheUploadAndCloses_theResponseArrives(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		nc.(*net.TCPConn).CloseWrite()
		io.CopyN(io.Discard, nc, 1<<20) // as much as was on its way
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		body := &closeCounter{Reader: &endless{left: 1 << 40}}
		req, _ := http.NewRequestWithContext(ctx, "POST", p.url(), body)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "big" {
			t.Errorf("%q, %v", b, err)
		}
		resp.Body.Close()
		if err := settled(ctx, tr); err != nil {
			t.Error(err)
		}
		yield(ctx, 20)
		if body.closed != 1 {
			t.Errorf("the request's body was closed %d times", body.closed)
		}
	})
}

// yield lets others run for n turns.
func yield(ctx context.Context, n int) {
	for range n {
		asyncio.Yield(ctx)
	}
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

// Whatever happens, the request's body is closed, and once.
func TestTransport_closesTheRequestBody(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		nc.Read(make([]byte, 10))
	})
	for name, change := range map[string]func(*http.Request){
		"bad URL":           func(r *http.Request) { r.URL.Scheme = "gopher" },
		"bad header":        func(r *http.Request) { r.Header["a b"] = []string{"c"} },
		"refused":           func(r *http.Request) { r.URL.Host = "127.0.0.1:1" },
		"bad Host":          func(r *http.Request) { r.Host = "a/b" },
		"no answer, inline": func(r *http.Request) { r.ContentLength = 4 },
		"no answer, task":   func(r *http.Request) {},
		"too short":         func(r *http.Request) { r.ContentLength = 5 },
		"too short, task":   func(r *http.Request) { r.ContentLength = 50_000 },
		"too long, task":    func(r *http.Request) { r.Body.(*closeCounter).Reader, r.ContentLength = &endless{left: 9000}, 8000 },
		"expecting":         func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
	} {
		t.Run(name, func(t *testing.T) {
			onLoop(t, func(main context.Context) {
				ctx := main
				tr := testTransport()
				tr.ExpectContinueTimeout = time.Hour
				tr.ResponseHeaderTimeout = 100 * time.Millisecond
				if name == "expecting" {
					c, cancel := asyncio.WithTimeout(ctx, 50*time.Millisecond)
					defer cancel()
					ctx = c
				}
				body := &closeCounter{Reader: strings.NewReader("body")}
				req, _ := http.NewRequestWithContext(ctx, "POST", p.url(), body)
				change(req)
				if _, err := tr.RoundTrip(req); err == nil || strings.HasPrefix(name, "too") && !strings.Contains(err.Error(), "the request's body is") {
					t.Error(err)
				}
				yield(main, 20)
				if body.closed != 1 {
					t.Errorf("closed %d times", body.closed)
				}
			})
		})
	}
}
