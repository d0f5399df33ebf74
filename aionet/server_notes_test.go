package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// onVirtualClock runs main where no time passes while there is something to do.
func onVirtualClock(t *testing.T, main func(ctx context.Context) error) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			return nil // its goroutines are outside that clock
		}
		return main(ctx)
	}, asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
}

// recording is a log that is kept as "level message count".
type recording struct {
	slog.Handler
	lines []string
	errs  []error
}

func newRecording() (*recording, aionet.ServeOption) {
	r := &recording{Handler: slog.DiscardHandler}
	return r, aionet.WithPeerLog(slog.New(r))
}

func (r *recording) Enabled(context.Context, slog.Level) bool { return true }

func (r *recording) Handle(_ context.Context, rec slog.Record) error {
	count := "none"
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "count":
			count = a.Value.String()
		case "err":
			r.errs = append(r.errs, a.Value.Any().(error))
		}
		return true
	})
	r.lines = append(r.lines, fmt.Sprintf("%s %s %s", rec.Level, rec.Message, count))
	return nil
}

// visits lets n clients come one after the other, each until its connection is served.
func visits(t *testing.T, ctx context.Context, s *aionet.Server, addr string, n int, visit func(c *aionet.Conn)) {
	t.Helper()
	for range n {
		c := dialed(t, ctx, "tcp", addr)
		visit(c)
		c.Close()
		for s.Connections() > 0 {
			must(t, asyncio.Yield(ctx))
		}
	}
}

func reset(c *aionet.Conn) { c.Abort() }

// readOnce is a handler that says something and returns what its first read ends with.
func readOnce(_ context.Context, c net.Conn) error {
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestServer_peersEndTheirConnections_saysSoOnceAMinuteWithACount(t *testing.T) {
	for name, end := range map[string]func(c *aionet.Conn){
		"reset": reset,
		"end":   func(c *aionet.Conn) { c.Close() },
	} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", wrapped: ", wrapped), func(t *testing.T) {
				onVirtualClock(t, func(ctx context.Context) error {
					reported := reports(ctx)
					log, to := newRecording()
					s, addr := started(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
						err := readOnce(ctx, c)
						if wrapped {
							return errors.Join(fmt.Errorf("reading: %w", err))
						}
						return err
					}, to)
					come := func(n int) {
						visits(t, ctx, s, addr, n, func(c *aionet.Conn) {
							_, err := c.Read(make([]byte, 1))
							must(t, err)
							end(c)
						})
					}
					come(50)
					want := []string{"INFO aionet: a peer ended its connection early 1"}
					if !slices.Equal(log.lines, want) {
						t.Errorf("at once: %q", log.lines)
					}
					must(t, asyncio.Sleep(ctx, time.Minute))
					want = append(want, "INFO aionet: a peer ended its connection early 49")
					if !slices.Equal(log.lines, want) {
						t.Errorf("after a minute: %q", log.lines)
					}
					come(3)
					_ = s.Shutdown(ctx)
					want = append(want, "INFO aionet: a peer ended its connection early 3")
					if !slices.Equal(log.lines, want) || len(*reported) > 0 {
						t.Errorf("at the end: %q, reported as failures: %q", log.lines, *reported)
					}
					return nil
				})
			})
		}
	}
}

func TestServer_withoutAPeerLog_usesTheLoops(t *testing.T) {
	log := &recording{Handler: slog.DiscardHandler}
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		s, addr := started(t, ctx, "tcp", readOnce)
		visits(t, ctx, s, addr, 1, func(c *aionet.Conn) {
			_, err := c.Read(make([]byte, 1))
			must(t, err)
		})
		return s.Shutdown(ctx)
	}, asyncio.WithLogger(slog.New(log)))
	if want := []string{"INFO aionet: a peer ended its connection early 1"}; err != nil || !slices.Equal(log.lines, want) {
		t.Errorf("%v; the loop's log has %q, want %q", err, log.lines, want)
	}
}

func TestServer_handshakesFail_saysSoOnceAMinuteWithACount(t *testing.T) {
	serve := map[string]func(ctx context.Context, to aionet.ServeOption) *aionet.Server{
		"handlers": func(ctx context.Context, to aionet.ServeOption) *aionet.Server {
			return aionet.NewServer(ctx, echo, to)
		},
		"protocols": func(ctx context.Context, to aionet.ServeOption) *aionet.Server {
			return aionet.NewProtocolServer(ctx, func() aionet.Protocol { return new(echoProtocol) }, to)
		},
	}
	for name, server := range serve {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				log, to := newRecording()
				ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
				must(t, err)
				s := server(ctx, to)
				must(t, errors.Join(s.AddListener(ln), s.Start()))
				visits(t, ctx, s, ln.Addr().String(), 20, func(c *aionet.Conn) {
					_, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
					must(t, err)
					_, _ = io.ReadAll(c)
				})
				_ = s.Shutdown(ctx)
				want := []string{"INFO aionet: a TLS handshake failed 1", "INFO aionet: a TLS handshake failed 19"}
				if !slices.Equal(log.lines, want) || len(*reported) > 0 {
					t.Errorf("said %q, reported as failures: %q", log.lines, *reported)
				}
				return nil
			})
		})
	}
}

// What a handler itself makes of its requests is reported as a failure, but peers decide how often.
func TestServer_handlersFail_reportsTenAMinuteAndCountsTheRest(t *testing.T) {
	for name, fail := range map[string]func() error{
		"errors": func() error { return errors.New("a bad request") },
		"panics": func() error { panic("a bad request") },
		"joined": func() error { return errors.Join(io.EOF, errors.New("a bad request")) },
	} {
		t.Run(name, func(t *testing.T) {
			onVirtualClock(t, func(ctx context.Context) error {
				reported := reports(ctx)
				log, to := newRecording()
				s, addr := started(t, ctx, "tcp", func(context.Context, net.Conn) error { return fail() }, to)
				visits(t, ctx, s, addr, 25, func(c *aionet.Conn) { _, _ = io.ReadAll(c) })
				if len(*reported) != 10 || !strings.Contains((*reported)[0], "serving tcp 127.0.0.1:") {
					t.Errorf("reported at once: %q", *reported)
				}
				must(t, asyncio.Sleep(ctx, time.Minute))
				if n := len(*reported); n != 11 || !strings.Contains((*reported)[10], "the last of 15 like it") ||
					!strings.Contains((*reported)[10], "a bad request") || len(log.lines) > 0 {
					t.Errorf("after a minute: %q, in the log: %q", *reported, log.lines)
				}
				_ = s.Shutdown(ctx)
				return nil
			})
		})
	}
}

func TestServer_aConnectionThatAHandlerUsesIsReset_isAFailure(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		log, to := newRecording()
		backend, behind := started(t, ctx, "tcp", func(_ context.Context, c net.Conn) error { return c.(*aionet.Conn).Abort() })
		s, addr := started(t, ctx, "tcp", func(ctx context.Context, _ net.Conn) error {
			c, err := aionet.Dial(ctx, "tcp", behind)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Read(make([]byte, 1))
			return err
		}, to)
		visits(t, ctx, s, addr, 1, func(c *aionet.Conn) { _, _ = io.ReadAll(c) })
		_, _ = s.Shutdown(ctx), backend.Shutdown(ctx)
		if len(*reported) != 1 || !strings.Contains((*reported)[0], behind) || len(log.lines) > 0 {
			t.Errorf("reported %q, in the log: %q", *reported, log.lines)
		}
		return nil
	})
}

func TestProtocolServer_protocolsPanic_reportsTenAMinuteAndCountsTheRest(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		s := newRecorders(t, ctx, "tcp", nil)
		must(t, s.Start())
		i := 0
		visits(t, ctx, s.Server, s.addr, 25, func(c *aionet.Conn) {
			i++
			s.begun(ctx, i-1).onData = func() { panic("a bad request") }
			_, err := c.Write([]byte("x"))
			must(t, err)
			_, _ = io.ReadAll(c)
		})
		_ = s.Shutdown(ctx)
		if n := len(*reported); n != 11 || !strings.Contains((*reported)[10], "the last of 15 like it") {
			t.Errorf("reported: %q", *reported)
		}
		return nil
	})
}

// A loop that ends takes its servers with it; what they had counted is still said.
func TestServer_theLoopEnds_saysWhatWasCounted(t *testing.T) {
	log, to := newRecording()
	run(t, func(ctx context.Context) error {
		s, addr := started(t, ctx, "tcp", readOnce, to)
		visits(t, ctx, s, addr, 5, func(c *aionet.Conn) {
			_, err := c.Read(make([]byte, 1))
			must(t, err)
			reset(c)
		})
		return nil
	})
	want := []string{"INFO aionet: a peer ended its connection early 1", "INFO aionet: a peer ended its connection early 4"}
	if !slices.Equal(log.lines, want) {
		t.Errorf("said %q", log.lines)
	}
}
