package aiohttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// Cancellation in every phase: the error names the phase and the cause, and
// nothing is left behind.
func TestTransport_cancelled_inEachPhase(t *testing.T) {
	silent := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	over := make(chan struct{})
	deaf := newPeer(t, func(nc net.Conn, _ int) { <-over }) // takes nothing
	t.Cleanup(func() { close(over) })
	half := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		io.Copy(io.Discard, nc)
	})
	hanging := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, asyncio.Sleep(ctx, time.Hour)
	}
	for _, c := range []struct {
		name  string
		url   string
		tr    *Transport
		body  io.Reader
		phase Phase
	}{
		{"waiting for a slot", silent.url(), &Transport{MaxConnsPerHost: 1}, nil, PhaseWait},
		{"waiting for room", silent.url(), &Transport{MaxConns: 1}, nil, PhaseWait},
		{"dialling", silent.url(), &Transport{Dial: hanging}, nil, PhaseDial},
		{"shaking hands", strings.Replace(silent.url(), "http", "https", 1), testTransport(), nil, PhaseTLS},
		{"sending", deaf.url(), testTransport(), &endless{left: 1 << 40}, PhaseWrite},
		{"waiting for the header", silent.url(), testTransport(), nil, PhaseHeader},
		{"waiting for the header, body sent", silent.url(), testTransport(), io.MultiReader(strings.NewReader("body")), PhaseHeader},
		{"reading the body", half.url(), testTransport(), nil, PhaseBody},
	} {
		for _, how := range []string{"task cancelled", "Timeout", "request's context", "standard context", "foreign context"} {
			t.Run(c.name+" by "+how, func(t *testing.T) {
				onLoop(t, func(ctx context.Context) {
					reason := errors.New("changed my mind")
					c.tr.bind(ctx) // which a foreign context could not
					if c.phase == PhaseWait {
						hold := asyncio.Go(ctx, func(ctx context.Context) error { fetch(ctx, c.tr, c.url); return nil })
						defer func() { hold.Cancel(); hold.Await(ctx) }()
						eventually(t, ctx, "the slot is taken", func() bool { return c.tr.Stats().Open == 1 })
					}
					var reached asyncio.Event
					err := cancelledBy(ctx, how, reason, &reached, func(ctx context.Context) error {
						req, _ := http.NewRequestWithContext(traced(ctx, c.phase, reached.Set), "POST", c.url, c.body)
						resp, err := c.tr.RoundTrip(req)
						if err != nil {
							return err
						}
						defer resp.Body.Close()
						reached.Set()
						_, err = io.Copy(io.Discard, resp.Body)
						return err
					})
					e, ok := errors.AsType[*Error](err)
					if !ok || e.Phase != c.phase {
						t.Errorf("%v", err)
					}
					switch how {
					case "Timeout":
						if te, ok := errors.AsType[*asyncio.TimeoutError](err); !ok || te.After != cancelTimeout || !e.Timeout() {
							t.Errorf("%v", err)
						}
					default:
						if want := "aiohttp: " + string(c.phase) + " " + strings.Split(c.url, "/")[2] + ": changed my mind"; err.Error() != want {
							t.Errorf("got  %v\nwant %v", err, want)
						}
						if !errors.Is(err, reason) {
							t.Errorf("%v", err)
						}
					}
					want := 0
					if c.phase == PhaseWait {
						want = 1
					}
					if st := c.tr.Stats(); st.Open != want || st.Waiting != 0 {
						t.Errorf("%+v", st)
					}
				})
			})
		}
	}
}

// traced returns ctx with a trace that calls reached when the phase begins.
func traced(ctx context.Context, phase Phase, reached func()) context.Context {
	trace := &httptrace.ClientTrace{}
	switch phase {
	case PhaseWait, PhaseDial:
		trace.GetConn = func(string) { reached() }
	case PhaseTLS:
		trace.TLSHandshakeStart = reached
	case PhaseWrite:
		trace.WroteHeaders = reached
	case PhaseHeader:
		trace.WroteRequest = func(httptrace.WroteRequestInfo) { reached() }
	}
	return httptrace.WithClientTrace(ctx, trace)
}

// cancelTimeout is longer than any phase takes to be reached.
const cancelTimeout = 150 * time.Millisecond

// cancelledBy runs fn in a task, and ends it in one of the ways there are when
// it has reached what is to be ended.
func cancelledBy(ctx context.Context, how string, reason error, reached *asyncio.Event, fn func(context.Context) error) error {
	var err error
	var cancel func()
	task := asyncio.Go(ctx, func(ctx context.Context) error {
		switch how {
		case "Timeout":
			err = asyncio.Timeout(ctx, cancelTimeout, fn)
			return nil
		case "request's context":
			sub, stop := asyncio.WithCancel(ctx)
			defer stop(nil)
			ctx, cancel = sub, func() { stop(reason) }
		case "standard context":
			sub, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			ctx, cancel = sub, func() { go stop(reason) }
		case "foreign context":
			sub, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			ctx, cancel = sub, func() { go stop(reason) }
		}
		err = fn(ctx)
		return nil
	})
	if how == "task cancelled" {
		cancel = func() { task.Cancel(reason) }
	}
	reached.Wait(ctx)
	yield(ctx, 3) // for what comes after the trace's call
	if cancel != nil {
		cancel()
	}
	asyncio.Shield(ctx, func(ctx context.Context) error { task.Await(ctx); return nil })
	return err
}

// A request with context.Background, as from http.Client.Get, still ends with
// its task.
func TestTransport_backgroundContext_endsWithTheBlock(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.bind(ctx)
		err := asyncio.Timeout(ctx, 20*time.Millisecond, func(context.Context) error {
			_, err := (&http.Client{Transport: tr}).Get(p.url())
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if st := tr.Stats(); st != (Stats{}) {
			t.Errorf("%+v", st)
		}
	})
}

// http.Client's own timeout comes from a goroutine of net/http's.
func TestTransport_clientTimeout_endsTheRequestAndTheBody(t *testing.T) {
	silent := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	half := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		io.Copy(io.Discard, nc)
	})
	for _, p := range []*peer{silent, half} {
		onLoop(t, func(ctx context.Context) {
			tr := testTransport()
			client := &http.Client{Transport: tr, Timeout: cancelTimeout}
			req, _ := http.NewRequestWithContext(ctx, "GET", p.url(), nil)
			resp, err := client.Do(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if te, ok := errors.AsType[net.Error](err); !ok || !te.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if st := tr.Stats(); st != (Stats{}) {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestBody_readByAnotherTask_endsWithEitherContext(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		io.Copy(io.Discard, nc)
	})
	for _, which := range []string{"the request's", "the reader's"} {
		t.Run(which, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				reason := errors.New("enough")
				reqCtx, cancel := asyncio.WithCancel(ctx)
				defer cancel(nil)
				req, _ := http.NewRequestWithContext(reqCtx, "GET", p.url(), nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				reader := asyncio.Go(ctx, func(ctx context.Context) error {
					b, err := io.ReadAll(resp.Body)
					if string(b) != "half" || !errors.Is(err, reason) {
						t.Errorf("%q, %v", b, err)
					}
					return nil
				})
				asyncio.Sleep(ctx, 10*time.Millisecond)
				if which == "the request's" {
					cancel(reason)
				} else {
					reader.Cancel(reason)
				}
				reader.Await(ctx)
				if st := tr.Stats(); st != (Stats{}) {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestBody_closedWhileItIsRead_endsTheRead(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) {
		readRequest(nc)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		io.Copy(io.Discard, nc)
	})
	for _, where := range []string{"coroutine", "thread"} {
		t.Run(where, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				req, _ := http.NewRequestWithContext(ctx, "GET", p.url(), nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				reader := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
					if where == "thread" {
						return asyncio.ToThread(ctx, func() ([]byte, error) { return io.ReadAll(resp.Body) })
					}
					return io.ReadAll(resp.Body)
				})
				asyncio.Sleep(ctx, 10*time.Millisecond)
				resp.Body.Close()
				if b, err := reader.Await(ctx); !errors.Is(err, http.ErrBodyReadAfterClose) {
					t.Errorf("%q, %v", b, err)
				}
				eventually(t, ctx, "the connection is gone", func() bool { return tr.Stats() == Stats{} })
			})
		})
	}
}

// Parsers that take long run in threads, and may read the body there.
func TestBody_readInAThread_returnsTheConnection(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 100_000)) })
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		for range 5 {
			req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := asyncio.ToThread(ctx, func() ([]byte, error) {
				defer resp.Body.Close()
				return io.ReadAll(resp.Body)
			})
			if err != nil || len(b) != 100_000 {
				t.Error(len(b), err)
			}
			yield(ctx, 2)
		}
		if n := s.made.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}
