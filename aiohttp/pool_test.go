package aiohttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// counting is a server that knows how many connections it has.
type counting struct {
	*httptest.Server
	open, most, made atomic.Int32
}

func newCounting(t *testing.T, h http.HandlerFunc) *counting {
	s := &counting{Server: httptest.NewUnstartedServer(h)}
	s.Config.ErrorLog = quietLog
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			s.made.Add(1)
			s.most.Store(max(s.most.Load(), s.open.Add(1)))
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// eventually waits on the loop's side for something that happens on another one.
func eventually(t *testing.T, ctx context.Context, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Error("still not so: " + what)
			return
		}
		asyncio.Sleep(ctx, time.Millisecond)
	}
}

func TestPool_oneAfterAnother_useOneConnection(t *testing.T) {
	s := newCounting(t, hello)
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		for range 10 {
			if _, err := fetch(ctx, tr, s.URL); err != nil {
				t.Error(err)
			}
		}
		if n := s.made.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestPool_limits_holdAndAreFIFO(t *testing.T) {
	servers := []*counting{newCounting(t, hello), newCounting(t, hello)}
	for _, c := range []struct {
		name string
		tr   *Transport
		most int
	}{
		{"per host", &Transport{MaxConnsPerHost: 2}, 4},
		{"in all", &Transport{MaxConns: 2}, 2},
		{"both", &Transport{MaxConns: 2, MaxConnsPerHost: 1}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				order := make([][]int, 2) // in which the requests to each host got their connections
				granted := func(ctx context.Context) {
					i := ctx.Value(numberKey{}).(int)
					order[i%2] = append(order[i%2], i)
				}
				c.tr.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					granted(ctx)
					return aionet.Dial(ctx, network, addr)
				}
				most, done := 0, 0
				asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
					for i := range 20 {
						g.Go(func(ctx context.Context) error {
							ctx = context.WithValue(ctx, numberKey{}, i)
							ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
								most = max(most, c.tr.Stats().Open)
								if info.Reused {
									granted(ctx)
								}
							}})
							if _, err := fetch(ctx, c.tr, servers[i%2].URL); err == nil {
								done++
							}
							return nil
						})
					}
					return nil
				})
				if done != 20 || most > c.most {
					t.Errorf("%d done, %d open at once", done, most)
				}
				if !inLine(order[0]) || !inLine(order[1]) || len(order[0])+len(order[1]) != 20 {
					t.Errorf("not in line: %v", order)
				}
				if st := c.tr.Stats(); st.Waiting != 0 || st.Open != st.Idle {
					t.Errorf("%+v", st)
				}
			}, asyncio.WithChaos(0)) // who is created first comes first
		})
	}
}

type numberKey struct{}

// inLine reports whether n came in their order. Two that got their turns
// together may change places.
func inLine(n []int) bool {
	for i := 2; i < len(n); i++ {
		if n[i] < n[i-2] {
			return false
		}
	}
	return true
}

// Whoever is first makes the pool, and nobody comes in between.
func TestTransport_firstUsedByManyAtOnce_servesAll(t *testing.T) {
	s := newCounting(t, hello)
	for seed := range uint64(10) {
		tr := testTransport()
		err := asyncio.Run(t.Context(), func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 5 {
					g.Go(func(ctx context.Context) error { _, err := fetch(ctx, tr, s.URL); return err })
				}
				return nil
			})
		}, asyncio.WithChaos(seed))
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func TestPool_waiterCancelled_leavesTheLine(t *testing.T) {
	s := newCounting(t, hello)
	for _, tr := range []*Transport{{MaxConnsPerHost: 1}, {MaxConns: 1}} {
		onLoop(t, func(ctx context.Context) {
			req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			first, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			reason := errors.New("not needed")
			var errs []error
			waiter := func(ctx context.Context) error {
				_, err := fetch(ctx, tr, s.URL)
				errs = append(errs, err)
				return nil
			}
			a, b := asyncio.Go(ctx, waiter), asyncio.Go(ctx, waiter)
			yield(ctx, 3)
			if w := tr.Stats().Waiting; w != 2 {
				t.Errorf("%d wait", w)
			}
			a.Cancel(reason)
			yield(ctx, 3)
			if e, ok := errors.AsType[*Error](errs[0]); !ok || e.Phase != PhaseWait || !errors.Is(e, reason) {
				t.Error(errs)
			}
			first.Body.Close()
			b.Await(ctx)
			if len(errs) != 2 || errs[1] != nil {
				t.Error(errs)
			}
			if st := tr.Stats(); st != (Stats{Open: 1, Idle: 1}) {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestPool_fullOfIdleConnections_makesRoomForAnotherHost(t *testing.T) {
	a, b, c := newCounting(t, hello), newCounting(t, hello), newCounting(t, hello)
	onLoop(t, func(ctx context.Context) {
		tr := &Transport{MaxConns: 2}
		for _, s := range []*counting{a, b, a, c} {
			if _, err := fetch(ctx, tr, s.URL); err != nil {
				t.Error(err)
			}
		}
		eventually(t, ctx, "b, idle longest, is closed", func() bool { return b.open.Load() == 0 })
		if a.open.Load() != 1 || c.open.Load() != 1 {
			t.Error("others are closed, too")
		}
	})
}

func TestPool_idleLimitsAndTimeout(t *testing.T) {
	s := newCounting(t, hello)
	onLoop(t, func(ctx context.Context) {
		tr := &Transport{MaxIdleConnsPerHost: 3, IdleConnTimeout: 200 * time.Millisecond}
		loop := asyncio.RunningLoop(ctx)
		parallel(t, ctx, 8, func(ctx context.Context) error { _, err := fetch(ctx, tr, s.URL); return err })
		if st := tr.Stats(); st != (Stats{Open: 3, Idle: 3}) {
			t.Errorf("%+v", st)
		}
		idle := loop.Time()
		if _, err := fetch(ctx, tr, s.URL); err != nil { // keeps one of them fresh
			t.Error(err)
		}
		eventually(t, ctx, "all idle connections are closed", func() bool { return tr.Stats().Open == 0 })
		if d := loop.Time() - idle; d < 200*time.Millisecond {
			t.Errorf("after %v", d)
		}
		eventually(t, ctx, "the server sees that", func() bool { return s.open.Load() == 0 })
		if len(tr.pool.Load().hosts) != 0 {
			t.Error("hosts are remembered for ever")
		}
	})
}

func parallel(t *testing.T, ctx context.Context, n int, fn func(ctx context.Context) error) {
	t.Helper()
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for range n {
			g.Go(fn)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPool_closeIdleConnections_fromAnyGoroutine(t *testing.T) {
	s := newCounting(t, hello)
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		fetch(ctx, tr, s.URL)
		tr.CloseIdleConnections()
		if st := tr.Stats(); st.Open != 0 {
			t.Errorf("%+v", st)
		}
		fetch(ctx, tr, s.URL)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tr.CloseIdleConnections()
		}()
		eventually(t, ctx, "closed", func() bool { return tr.Stats().Open == 0 })
		<-done
	})
}

// The server closes connections that are idle. The next request finds out
// before it is sent, or is sent again.
func TestPool_connectionGoneStale_isNotNoticed(t *testing.T) {
	for name, rst := range map[string]bool{"end of stream": false, "reset": true} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(nc net.Conn, n int) {
				readRequest(nc)
				io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				if rst {
					nc.(*net.TCPConn).SetLinger(0)
				}
			})
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				for range 20 {
					if b, err := fetch(ctx, tr, p.url()); err != nil || string(b) != "ok" {
						t.Errorf("%q, %v", b, err)
					}
				}
			})
		})
	}
}

// Some servers send a 408 before they close an idle connection, and worse ones
// may send anything: it is not the next request's response.
func TestPool_idleConnectionGetsData_isNotUsedAgain(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, n int) {
		for readRequest(nc) {
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n)
			io.WriteString(nc, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
		}
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		for i := range 5 { // which needs no further request to be noticed
			b, err := fetch(ctx, tr, p.url())
			if string(b) != fmt.Sprint(i+1) || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			eventually(t, ctx, "the connection is closed", func() bool { return tr.Stats() == Stats{} })
		}
	})
}

// A request is not sent twice that has been answered, if only by a byte, nor one that is not idempotent, and may have
// been acted on.
func TestPool_staleConnection_whatIsRetried(t *testing.T) {
	for _, c := range []struct {
		name  string
		body  func() io.Reader
		key   bool
		said  string // by the server before it closes the connection
		retry bool
	}{
		{"GET", nil, false, "", true},
		{"GET", nil, false, "HTTP/1.1 200 OK\r\nContent-Le", false},
		{"GET", nil, false, "H", false},
		{"PUT", func() io.Reader { return strings.NewReader("again") }, false, "", true},
		{"PUT", func() io.Reader { return strings.NewReader("once") }, false, "HTTP/1.1 103 Early Hints\r\n\r\n", false},
		{"PUT", func() io.Reader { return strings.NewReader(strings.Repeat("x", 9000)) }, false, "", true},
		{"PUT", func() io.Reader { return io.MultiReader(strings.NewReader("once")) }, false, "", false},
		{"POST", func() io.Reader { return strings.NewReader("once") }, false, "", false},
		{"POST", func() io.Reader { return strings.NewReader("once") }, true, "", true},
	} {
		var seen []string
		p := newPeer(t, func(nc net.Conn, n int) {
			readRequest(nc)
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if n == 1 { // the next one it takes, and closes without a whole answer
				readRequest(nc)
				io.WriteString(nc, c.said)
				return
			}
			io.Copy(io.Discard, nc)
		})
		onLoop(t, func(ctx context.Context) {
			tr := testTransport()
			fetch(ctx, tr, p.url())
			var body io.Reader
			if c.body != nil {
				body = c.body()
			}
			req, _ := http.NewRequestWithContext(ctx, c.name, p.url(), body)
			if c.key {
				req.Header.Set("Idempotency-Key", "7")
			}
			resp, err := tr.RoundTrip(req)
			if c.retry != (err == nil) {
				t.Errorf("%+v: %v", c, err)
			}
			if err == nil {
				resp.Body.Close()
			}
			seen = append(seen, fmt.Sprint(p.conns.Load()))
		})
		if want := map[bool]string{true: "2", false: "1"}[c.retry]; !slices.Equal(seen, []string{want}) {
			t.Errorf("%+v: %v connections, want %s", c, seen, want)
		}
	}
}

// json.Decoder and others stop reading when they have what they need. If all
// has come by then, the connection can be used again.
func TestBody_closedWithTheRestBuffered_keepsTheConnection(t *testing.T) {
	for name, answer := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(nc net.Conn, _ int) {
				for readRequest(nc) {
					io.WriteString(nc, answer)
				}
			})
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				for range 3 {
					req, _ := http.NewRequestWithContext(ctx, "GET", p.url(), nil)
					resp, err := tr.RoundTrip(req)
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Read(make([]byte, 3))
					resp.Body.Close()
				}
				if n := p.conns.Load(); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

func TestTransport_otherLoopOrGoroutine_isRefused(t *testing.T) {
	s := newCounting(t, hello)
	tr := testTransport()
	if _, err := fetch(context.Background(), tr, s.URL); !errors.Is(err, asyncio.ErrNotOnLoop) {
		t.Error(err)
	}
	onLoop(t, func(ctx context.Context) {
		fetch(ctx, tr, s.URL)
		_, err := asyncio.ToThread(ctx, func() ([]byte, error) { return fetch(ctx, tr, s.URL) })
		if !errors.Is(err, errOtherLoop) {
			t.Error(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			onLoop(t, func(ctx context.Context) {
				if _, err := fetch(ctx, tr, s.URL); !errors.Is(err, errOtherLoop) {
					t.Error(err)
				}
			})
		}()
		asyncio.ToThread(ctx, func() (any, error) { <-done; return nil, nil })
	})
	onLoop(t, func(ctx context.Context) { // the first loop has ended
		if _, err := fetch(ctx, tr, s.URL); err != nil {
			t.Error(err)
		}
	})
}

func TestTransport_loopEnds_closesEverything(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	})
	var forgotten *http.Response
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		fetch(ctx, tr, s.URL)
		req, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/hang", nil)
		var err error
		if forgotten, err = tr.RoundTrip(req); err != nil {
			t.Error(err)
		}
		asyncio.Go(ctx, func(ctx context.Context) error { fetch(ctx, tr, s.URL+"/hang"); return nil })
		yield(ctx, 3)
	})
	if forgotten != nil {
		forgotten.Body.Close()
	}
	s.Close() // waits for its connections
}
