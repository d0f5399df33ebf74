package aiohttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// The server does not know of Expect: after a while it gets the body unasked.
func TestExpectContinue_noAnswer_sendsTheBodyInTime(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Expect")
		conn, rw, _ := w.(http.Hijacker).Hijack() // keeps net/http from saying continue
		defer conn.Close()
		b := make([]byte, 4)
		_, err := io.ReadFull(rw, b)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", b)
		if err != nil {
			t.Error(err)
		}
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.ExpectContinueTimeout = 30 * time.Millisecond
		req, _ := http.NewRequestWithContext(ctx, "PUT", s.URL, strings.NewReader("body"))
		req.Header.Set("Expect", "100-continue")
		loop := asyncio.RunningLoop(ctx)
		start := loop.Time()
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(resp.Body)
		if string(b) != "body" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if d := loop.Time() - start; d < 30*time.Millisecond {
			t.Errorf("sent after %v", d)
		}
	})
}

// A program talks to a server both ways: each answer decides what is sent next.
func TestUpload_goesOnWhileTheResponseIsRead(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		io.Copy(flushing{w, rc}, r.Body)
	})
	for _, whose := range []string{"the task's context", "a derived context", "a foreign context"} {
		t.Run(whose, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				tr.bind(ctx)
				reqCtx, cancel := ctx, context.CancelFunc(func() {})
				switch whose {
				case "a derived context":
					reqCtx, cancel = context.WithTimeout(ctx, time.Hour)
				case "a foreign context":
					reqCtx, cancel = context.WithTimeout(context.Background(), time.Hour)
				}
				defer cancel()
				say := asyncio.NewQueue[string](0)
				body := readerFunc(func(p []byte) (int, error) {
					line, err := say.Get(lowlevel.CurrentContext(asyncio.RunningLoop(ctx)))
					if err != nil || line == "" {
						return 0, io.EOF
					}
					return copy(p, line), nil
				})
				req, _ := http.NewRequestWithContext(reqCtx, "POST", s.URL, body)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				for i := range 5 {
					line := fmt.Sprintf("line %d", i)
					say.TryPut(line)
					b := make([]byte, len(line))
					if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != line {
						t.Errorf("%q, %v", b, err)
					}
				}
				say.TryPut("")
				if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
					t.Errorf("%q, %v", rest, err)
				}
				if st := tr.Stats(); st != (Stats{Open: 1, Idle: 1}) {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// A body that fails after the response has begun fails the response, too: the
// server has not got what it answers.
func TestUpload_failsWhileTheResponseIsRead_failsTheBody(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		io.Copy(flushing{w, rc}, r.Body)
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		var fail asyncio.Event
		broken := errors.New("broken")
		req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, readerFunc(func([]byte) (int, error) {
			fail.Wait(lowlevel.CurrentContext(asyncio.RunningLoop(ctx)))
			return 0, broken
		}))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		fail.Set()
		_, err = io.ReadAll(resp.Body)
		if e, ok := errors.AsType[*Error](err); !ok || e.Phase != PhaseRequest || !errors.Is(err, broken) {
			t.Error(err)
		}
		if st := tr.Stats(); st != (Stats{}) {
			t.Errorf("%+v", st)
		}
	})
}

// Nobody reads on: closing the response ends the upload.
func TestUpload_responseClosed_ends(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		io.Copy(io.Discard, r.Body)
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		body := &closeCounter{Reader: readerFunc(func(p []byte) (int, error) {
			return 1, asyncio.Sleep(lowlevel.CurrentContext(asyncio.RunningLoop(ctx)), time.Hour)
		})}
		req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, body)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		yield(ctx, 5)
		if body.closed != 1 || tr.Stats() != (Stats{}) {
			t.Errorf("closed %d times, %+v", body.closed, tr.Stats())
		}
	})
}

// The server answers before it has the whole body, and then takes the rest: the
// connection is good for more.
func TestUpload_responseEndsFirst_keepsTheConnection(t *testing.T) {
	for _, rest := range []bool{true, false} {
		t.Run(fmt.Sprintf("the rest comes: %v", rest), func(t *testing.T) {
			p := newPeer(t, func(nc net.Conn, _ int) {
				for readRequest(nc) {
					io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					b := make([]byte, len("4\r\nbody\r\n0\r\n\r\n"))
					io.ReadFull(nc, b)
				}
			})
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				var last asyncio.Event
				sent := false
				req, _ := http.NewRequestWithContext(ctx, "POST", p.url(), readerFunc(func(p []byte) (int, error) {
					if err := last.Wait(lowlevel.CurrentContext(asyncio.RunningLoop(ctx))); err != nil || sent {
						return 0, cmp.Or(err, io.EOF)
					}
					sent = true
					return copy(p, "body"), nil
				}))
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
					t.Errorf("%q, %v", b, err)
				}
				want := Stats{}
				if rest {
					last.Set()
					want = Stats{Open: 1, Idle: 1}
				}
				eventually(t, ctx, "the exchange is over", func() bool { return tr.Stats() == want })
			})
		})
	}
}

// A panic is the task's error; the Transport must not lose a place to it.
func TestTransport_somethingPanics_freesItsPlace(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	boom := func([]byte) (int, error) { panic("boom") }
	for name, c := range map[string]struct {
		tr     *Transport
		change func(*http.Request)
	}{
		"inline body": {&Transport{MaxConns: 1}, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(readerFunc(boom)), 4 }},
		"dialer": {&Transport{MaxConns: 1, Dial: func(context.Context, string, string) (net.Conn, error) { panic("boom") }},
			func(*http.Request) {}},
		"trace": {&Transport{MaxConns: 1}, func(r *http.Request) {
			*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{WroteHeaders: func() { panic("boom") }}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				task := asyncio.Go(ctx, func(ctx context.Context) error {
					req, _ := http.NewRequestWithContext(ctx, "POST", p.url(), nil)
					c.change(req)
					_, err := c.tr.RoundTrip(req)
					return err
				})
				_, err := task.Await(ctx)
				if pe, ok := errors.AsType[*asyncio.PanicError](err); !ok || pe.Value != "boom" {
					t.Error(err)
				}
				if st := c.tr.Stats(); st != (Stats{}) || len(c.tr.pool.Load().hosts) != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestUpload_panics_failsTheRequest(t *testing.T) {
	p := newPeer(t, func(nc net.Conn, _ int) { io.Copy(io.Discard, nc) })
	var reported error
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		tr := testTransport()
		req, _ := http.NewRequestWithContext(ctx, "POST", p.url(), readerFunc(func([]byte) (int, error) { panic("boom") }))
		_, err := tr.RoundTrip(req)
		if !errors.Is(err, errBodyPanicked) || tr.Stats() != (Stats{}) {
			t.Errorf("%v, %+v", err, tr.Stats())
		}
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = info.Err }))
	if pe, ok := errors.AsType[*asyncio.PanicError](reported); err != nil || !ok || pe.Value != "boom" {
		t.Errorf("%v, reported %v", err, reported)
	}
}

// A body that is read in a thread is left by a cancelled request, and the thread still fills the buffer.
func TestUpload_cancelledInTheThreadThatReadsIt_doesNotSpoilTheNextOne(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if string(b) == strings.Repeat("good", 100) || err != nil {
			return
		}
		t.Errorf("the server got %.20q... (%d bytes)", b, len(b))
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		for range 20 { // a pool need not give the buffer to the next one
			begun, release, filled := make(chan struct{}), make(chan struct{}), make(chan struct{})
			left := readerFunc(func(p []byte) (int, error) {
				return asyncio.ToThread(lowlevel.CurrentContext(asyncio.RunningLoop(ctx)), func() (int, error) {
					close(begun)
					<-release
					n := copy(p, strings.Repeat("bad!", 1000))
					close(filled)
					return n, nil
				})
			})
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, left)
				_, err := tr.RoundTrip(req)
				return err
			})
			asyncio.Recv(ctx, begun)
			task.Cancel()
			task.Await(ctx)
			sent := false
			good := readerFunc(func(p []byte) (int, error) {
				if sent {
					return 0, io.EOF
				}
				sent = true
				n := copy(p, strings.Repeat("good", 100))
				close(release)
				asyncio.Recv(lowlevel.CurrentContext(asyncio.RunningLoop(ctx)), filled)
				return n, nil
			})
			req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, good)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	})
}
