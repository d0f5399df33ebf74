package aionet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// ends is what a server's handlers or protocols were told of the ends of their connections, and when.
type ends struct {
	*aionet.Server
	errs []error
	at   []time.Duration
}

func (e *ends) add(ctx context.Context, err error) {
	e.errs = append(e.errs, err)
	e.at = append(e.at, asyncio.RunningLoop(ctx).Time())
}

// want checks that connection i was ended by the limit of this option, after about that time.
func (e *ends) want(t *testing.T, i int, option string, after time.Duration) {
	t.Helper()
	if len(e.errs) <= i {
		t.Fatalf("%d connections have ended, want %s", len(e.errs), option)
	}
	limit, ok := errors.AsType[*aionet.LimitError](e.errs[i])
	if !ok || limit.Option != option || !errors.Is(limit, net.ErrClosed) || !strings.Contains(limit.Error(), option) {
		t.Fatalf("it ended with %v, want %s", e.errs[i], option)
	}
	if late := limit.After - after; late < 0 || late > after/8 {
		t.Errorf("it ended after %v (%v), want %v", limit.After, limit, after)
	}
}

// echoServer is a server of handlers or protocols, with TLS or without, that echo.
func echoServer(t *testing.T, ctx context.Context, kind string, opts ...aionet.ServeOption) (s *ends, dial func(ctx context.Context) (net.Conn, error)) {
	t.Helper()
	s = &ends{}
	_, quiet := newRecording()
	opts = append([]aionet.ServeOption{quiet}, opts...)
	if strings.Contains(kind, "protocols") {
		s.Server = aionet.NewProtocolServer(ctx, func() aionet.Protocol {
			r := &recorder{}
			r.onData = func() {
				r.t.Write(r.data)
				r.data = nil
			}
			r.onLost = func() { s.add(ctx, r.err) }
			return r
		}, opts...)
	} else {
		s.Server = aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			err := echo(ctx, c)
			s.add(ctx, err)
			return err
		}, opts...)
	}
	dial = listenTo(t, ctx, s.Server, strings.Contains(kind, "TLS"))
	return s, dial
}

func listenTo(t *testing.T, ctx context.Context, s *aionet.Server, secure bool) (dial func(ctx context.Context) (net.Conn, error)) {
	t.Helper()
	var ln *aionet.Listener
	var err error
	if secure {
		ln, err = aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
	} else {
		ln, err = aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	must(t, err)
	must(t, errors.Join(s.AddListener(ln), s.Start()))
	return func(ctx context.Context) (net.Conn, error) {
		if secure {
			return aionet.DialTLS(ctx, "tcp", ln.Addr().String(), clientConfig())
		}
		return aionet.Dial(ctx, "tcp", ln.Addr().String())
	}
}

// onEachServer runs a test on a virtual clock with servers of each kind.
func onEachServer(t *testing.T, test func(t *testing.T, ctx context.Context, kind string)) {
	for _, kind := range []string{"handlers", "handlers, TLS", "protocols", "protocols, TLS"} {
		t.Run(kind, func(t *testing.T) {
			onVirtualClock(t, func(ctx context.Context) error {
				test(t, ctx, kind)
				return nil
			})
		})
	}
}

func TestServer_nothingComesOrGoesForAnHour_endsTheConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, ctx context.Context, kind string) {
		log, to := newRecording()
		s, dial := echoServer(t, ctx, kind, to)
		c, err := dial(ctx)
		must(t, err)
		for range 5 {
			must(t, roundTrip(ctx, c, "x"))
			must(t, asyncio.Sleep(ctx, 50*time.Minute))
		}
		if _, err := io.ReadAll(c); err == nil {
			t.Error("the client was told of a proper end")
		}
		_ = s.Shutdown(ctx)
		s.want(t, 0, "WithIdleLimit", time.Hour)
		if want := []string{"WARN aionet: a limit of the server's was reached 1"}; !slices.Equal(log.lines, want) {
			t.Errorf("the log says %q, want %q", log.lines, want)
		}
	})
}

func TestWithIdleLimit_setOrSwitchedOff(t *testing.T) {
	onEachServer(t, func(t *testing.T, ctx context.Context, kind string) {
		s, dial := echoServer(t, ctx, kind, aionet.WithIdleLimit(10*time.Second))
		c, err := dial(ctx)
		must(t, err)
		must(t, roundTrip(ctx, c, "x"))
		_, _ = io.ReadAll(c)
		_ = s.Shutdown(ctx)
		s.want(t, 0, "WithIdleLimit", 10*time.Second)
		for _, off := range []aionet.ServeOption{aionet.WithIdleLimit(asyncio.Forever), aionet.WithoutLimits()} {
			s, dial = echoServer(t, ctx, kind, off)
			c, err = dial(ctx)
			must(t, err)
			must(t, roundTrip(ctx, c, "x"))
			must(t, asyncio.Sleep(ctx, 1000*time.Hour))
			must(t, roundTrip(ctx, c, "x"))
			c.Close()
			_ = s.Shutdown(ctx)
		}
	})
}

// What a handler does without its connection takes as long as it takes; so may a client that only listens.
func TestWithIdleLimit_handlerWorksOrWrites_isNotReached(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		_, quiet := newRecording()
		var failed []error
		s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			err := asyncio.Sleep(ctx, 30*time.Hour) // works
			reading := asyncio.Go(ctx, func(context.Context) error { _, err := c.Read(make([]byte, 1)); return err })
			for range 100 {
				_, werr := c.Write([]byte("news"))
				err = errors.Join(err, werr, asyncio.Sleep(ctx, 50*time.Minute))
			}
			if reading.Done() {
				err = errors.Join(err, errors.New("it may not read any more"))
			}
			reading.Cancel()
			_, _ = reading.Await(ctx)
			failed = append(failed, err)
			return nil
		}, quiet)
		c, err := listenTo(t, ctx, s, false)(ctx)
		must(t, err)
		got, err := io.ReadAll(c)
		if len(failed) != 1 || failed[0] != nil || len(got) != 400 || err != nil {
			t.Errorf("the handler was told %v, the client got %d bytes, %v", failed, len(got), err)
		}
		_ = s.Shutdown(ctx)
		return nil
	})
}

func TestWithReadLimit_nothingComes_endsTheConnectionThoughSomethingGoes(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		s := &ends{}
		_, quiet := newRecording()
		s.Server = aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				g.Go(func(ctx context.Context) error {
					for {
						if _, err := c.Write([]byte("news")); err != nil {
							return nil
						}
						if err := asyncio.Sleep(ctx, time.Second); err != nil {
							return err
						}
					}
				})
				_, err := io.Copy(io.Discard, c)
				s.add(ctx, err)
				g.Cancel()
				return nil
			})
		}, quiet, aionet.WithReadLimit(40*time.Second))
		c, err := listenTo(t, ctx, s.Server, false)(ctx)
		must(t, err)
		must(t, asyncio.Sleep(ctx, 30*time.Second))
		_, err = c.Write([]byte("x"))
		must(t, err)
		got, _ := io.ReadAll(c)
		_ = s.Shutdown(ctx)
		s.want(t, 0, "WithReadLimit", 40*time.Second)
		if n := len(got) / len("news"); n < 65 || n > 80 {
			t.Errorf("the client got %d times news, want those of 70 seconds", n)
		}
		return nil
	})
}

// A handler's own deadline is its own.
func TestServer_limitsLeaveAHandlersDeadlinesAlone(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		_, quiet := newRecording()
		var told error
		var at time.Duration
		s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			began := asyncio.RunningLoop(ctx).Time()
			must(t, c.SetReadDeadline(asyncio.RunningLoop(ctx).Now().Add(90*time.Minute)))
			for range 2 {
				_, err := c.Read(make([]byte, 1))
				must(t, err)
			}
			_, told = c.Read(make([]byte, 1))
			at = asyncio.RunningLoop(ctx).Time() - began
			return nil
		}, quiet)
		c, err := listenTo(t, ctx, s, false)(ctx)
		must(t, err)
		for range 2 {
			_, err := c.Write([]byte("x"))
			must(t, err)
			must(t, asyncio.Sleep(ctx, 45*time.Minute))
		}
		_, _ = io.ReadAll(c)
		if n, ok := errors.AsType[net.Error](told); !ok || !n.Timeout() || at != 90*time.Minute {
			t.Errorf("Read = %v, after %v", told, at)
		}
		_ = s.Shutdown(ctx)
		return nil
	})
}

func TestWithWriteLimit_thePeerTakesNothing_endsTheConnection(t *testing.T) {
	onEachServer(t, func(t *testing.T, ctx context.Context, kind string) {
		s := &ends{}
		_, quiet := newRecording()
		big := make([]byte, 16<<20) // more than has room in the system
		if strings.Contains(kind, "protocols") {
			s.Server = aionet.NewProtocolServer(ctx, func() aionet.Protocol {
				r := &recorder{keepOpen: true}
				r.onMade = func() { r.t.Write(big) }
				r.onLost = func() { s.add(ctx, r.err) }
				return r
			}, quiet)
		} else {
			s.Server = aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
				if _, err := c.Write(big); err != nil {
					s.add(ctx, err)
					return err
				}
				return echo(ctx, c) // until the client has got all of it
			}, quiet)
		}
		dial := listenTo(t, ctx, s.Server, strings.Contains(kind, "TLS"))
		stalled, err := dial(ctx)
		must(t, err)
		for len(s.errs) == 0 {
			must(t, asyncio.Sleep(ctx, time.Second))
		}
		s.want(t, 0, "WithWriteLimit", time.Minute)
		slow, err := dial(ctx)
		must(t, err)
		began := asyncio.RunningLoop(ctx).Time()
		part := make([]byte, 2<<20) // the system says that there is room when a third of its buffer is free
		for got := 0; got < len(big); {
			n, err := io.ReadAtLeast(slow, part, min(len(part), len(big)-got))
			got += n
			if err != nil {
				t.Fatalf("one that takes a bit now and then got %d bytes: %v", got, err)
			}
			must(t, asyncio.Sleep(ctx, 25*time.Second)) // half of what it may take, as the clock does not wait for the system
		}
		if asyncio.RunningLoop(ctx).Time()-began < 3*time.Minute {
			t.Error("it was not slow")
		}
		slow.Close()
		stalled.Close()
		_ = s.Shutdown(ctx)
	})
}

// Who writes by a Writer hears of it from Drain.
func TestWithWriteLimit_aStreamHandler_hearsOfItFromDrain(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		s := &ends{}
		_, quiet := newRecording()
		server, err := aionet.StartServer(ctx, "tcp", "127.0.0.1:0", func(ctx context.Context, _ *aionet.Reader, w *aionet.Writer) error {
			w.Write(make([]byte, 16<<20))
			err := w.Drain(ctx)
			s.add(ctx, err)
			return err
		}, aionet.WithServe(quiet))
		must(t, err)
		c := dialed(t, ctx, "tcp", server.Addrs()[0].String())
		for len(s.errs) == 0 {
			must(t, asyncio.Sleep(ctx, time.Second))
		}
		s.want(t, 0, "WithWriteLimit", time.Minute)
		c.Close()
		_ = server.Shutdown(ctx)
		return nil
	})
}

func TestWithFarewellLimit_whatIsLeftIsNotTaken_isDropped(t *testing.T) {
	for kind, serve := range map[string]func(ctx context.Context, opts ...aionet.ServeOption) (*aionet.Server, string, error){
		"handlers": func(ctx context.Context, opts ...aionet.ServeOption) (*aionet.Server, string, error) {
			s, err := aionet.StartServer(ctx, "tcp", "127.0.0.1:0", func(_ context.Context, _ *aionet.Reader, w *aionet.Writer) error {
				_, err := w.Write(make([]byte, 16<<20))
				return err
			}, aionet.WithServe(opts...))
			return s, s.Addrs()[0].String(), err
		},
		"protocols": func(ctx context.Context, opts ...aionet.ServeOption) (*aionet.Server, string, error) {
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, "", err
			}
			s := aionet.NewProtocolServer(ctx, func() aionet.Protocol {
				r := &recorder{}
				r.onMade = func() {
					r.t.Write(make([]byte, 16<<20))
					r.t.Close()
				}
				return r
			}, opts...)
			return s, ln.Addr().String(), errors.Join(s.AddListener(ln), s.Start())
		},
	} {
		for _, limit := range []time.Duration{0, 10 * time.Second, asyncio.Forever} {
			t.Run(kind+", "+limit.String(), func(t *testing.T) {
				onVirtualClock(t, func(ctx context.Context) error {
					_, quiet := newRecording()
					opts := []aionet.ServeOption{quiet, aionet.WithWriteLimit(asyncio.Forever)}
					want := 2 * time.Minute
					if limit > 0 {
						want = limit
						opts = append(opts, aionet.WithFarewellLimit(limit))
					}
					s, addr, err := serve(ctx, opts...)
					must(t, err)
					c := dialed(t, ctx, "tcp", addr)
					began := asyncio.RunningLoop(ctx).Time()
					for s.Connections() == 0 {
						must(t, asyncio.Yield(ctx))
					}
					for s.Connections() > 0 && asyncio.RunningLoop(ctx).Time()-began < 1000*time.Hour {
						must(t, asyncio.Sleep(ctx, min(want/16, time.Hour)))
					}
					took := asyncio.RunningLoop(ctx).Time() - began
					if limit == asyncio.Forever && s.Connections() != 1 || limit != asyncio.Forever && (took < want || took > want+want/4) {
						t.Errorf("it ended after %v, want %v: %s", took, want, s)
					}
					if limit == asyncio.Forever {
						if n, err := io.Copy(io.Discard, c); n != 16<<20 || err != nil {
							t.Errorf("in the end the client got %d bytes, %v", n, err)
						}
					}
					c.Close()
					_ = s.Shutdown(ctx)
					return nil
				})
			})
		}
	}
}

// The file is sent by a thread, which the peer would keep.
func TestWithWriteLimit_thePeerTakesNothingOfAFile_endsTheConnection(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := &ends{}
		_, quiet := newRecording()
		f, _ := fileOfSize(t, 32<<20)
		s.Server = aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			_, err := io.Copy(c, f)
			s.add(ctx, err)
			return err
		}, quiet, aionet.WithWriteLimit(100*time.Millisecond))
		c, err := listenTo(t, ctx, s.Server, false)(ctx)
		must(t, err)
		for len(s.errs) == 0 {
			must(t, asyncio.Sleep(ctx, time.Millisecond))
		}
		if !errors.Is(s.errs[0], net.ErrClosed) {
			t.Errorf("io.Copy = %v", s.errs[0])
		}
		c.Close()
		_ = s.Shutdown(ctx)
		return nil
	})
}

// Three peers say nothing; the server has room for three.
func TestServer_fullOfIdleConnections_endsTheOneThatIsIdleForTheLongestForANewOne(t *testing.T) {
	onEachServer(t, func(t *testing.T, ctx context.Context, kind string) {
		s, dial := echoServer(t, ctx, kind, aionet.WithMaxConnections(3), aionet.WithIdleLimit(asyncio.Forever))
		var old []net.Conn
		for range 3 {
			c, err := dial(ctx)
			must(t, err)
			must(t, roundTrip(ctx, c, "x"))
			old = append(old, c)
			must(t, asyncio.Sleep(ctx, 10*time.Second))
		}
		must(t, roundTrip(ctx, old[0], "now the second one is idle for the longest"))
		must(t, asyncio.Sleep(ctx, time.Hour))
		if len(s.errs) > 0 {
			t.Errorf("ended though nobody wanted its place: %v", s.errs)
		}
		must(t, errors.Join(roundTrip(ctx, old[0], "x"), roundTrip(ctx, old[1], "x"), roundTrip(ctx, old[2], "x")))
		must(t, asyncio.Sleep(ctx, 5*time.Second))
		must(t, roundTrip(ctx, old[0], "x"))
		began := asyncio.RunningLoop(ctx).Time()
		c, err := dial(ctx)
		must(t, err)
		must(t, roundTrip(ctx, c, "the new one"))
		s.want(t, 0, "WithIdleLimitWhenFull", time.Minute)
		if took := asyncio.RunningLoop(ctx).Time() - began; took < 55*time.Second || took > 62*time.Second || len(s.errs) != 1 {
			t.Errorf("after %v, ended: %v", took, s.errs)
		}
		if _, err := old[1].Read(make([]byte, 1)); err == nil {
			t.Error("it was another one")
		}
		must(t, errors.Join(roundTrip(ctx, old[0], "still there"), roundTrip(ctx, old[2], "still there")))
		_ = s.Shutdown(ctx)
	})
}

func TestWithIdleLimitWhenFull_switchedOff_idleConnectionsKeepTheirPlaces(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		s, dial := echoServer(t, ctx, "handlers", aionet.WithMaxConnections(1), aionet.WithIdleLimit(asyncio.Forever),
			aionet.WithIdleLimitWhenFull(asyncio.Forever))
		first, err := dial(ctx)
		must(t, err)
		must(t, roundTrip(ctx, first, "x"))
		second, err := dial(ctx)
		must(t, err)
		err = asyncio.Timeout(ctx, 100*time.Hour, func(ctx context.Context) error { return roundTrip(ctx, second, "x") })
		if !errors.Is(err, context.DeadlineExceeded) || len(s.errs) > 0 {
			t.Errorf("the second one was served: %v, %v", err, s.errs)
		}
		must(t, roundTrip(ctx, first, "x"))
		_ = s.Shutdown(ctx)
		return nil
	})
}

// Handlers that work do not make room, however long they do.
func TestServer_fullOfBusyHandlers_waits(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		_, quiet := newRecording()
		s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
			if err := asyncio.Sleep(ctx, time.Hour); err != nil {
				return err
			}
			_, err := c.Write([]byte("done"))
			return err
		}, quiet, aionet.WithMaxConnections(1))
		dial := listenTo(t, ctx, s, false)
		for i := range 2 {
			c, err := dial(ctx)
			must(t, err)
			defer c.Close()
			if i == 0 {
				continue
			}
			if got, err := io.ReadAll(c); string(got) != "done" || err != nil || asyncio.RunningLoop(ctx).Time() < 2*time.Hour {
				t.Errorf("the second one got %q, %v after %v", got, err, asyncio.RunningLoop(ctx).Time())
			}
		}
		_ = s.Shutdown(ctx)
		return nil
	})
}

func TestWithMaxPerAddress_oneMore_isReset(t *testing.T) {
	for _, kind := range []string{"handlers", "protocols"} {
		t.Run(kind, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				log, to := newRecording()
				s, dial := echoServer(t, ctx, kind, to, aionet.WithMaxPerAddress(2))
				a, err := dial(ctx)
				must(t, err)
				b, err := dial(ctx)
				must(t, err)
				must(t, errors.Join(roundTrip(ctx, a, "a"), roundTrip(ctx, b, "b")))
				if isServed(ctx, dial) {
					t.Error("a third one is served")
				}
				other, err := aionet.Dial(ctx, "tcp", s.Addrs()[0].String(), aionet.WithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}))
				must(t, err)
				must(t, roundTrip(ctx, other, "another address"))
				a.Close()
				for s.Connections() > 2 {
					must(t, asyncio.Yield(ctx))
				}
				next, err := dial(ctx)
				must(t, err)
				must(t, roundTrip(ctx, next, "after one has gone"))
				if want := []string{"WARN aionet: a limit of the server's was reached 1"}; !slices.Equal(log.lines, want) {
					t.Errorf("the log says %q, want %q", log.lines, want)
				}
				_ = s.Shutdown(ctx)
				return nil
			})
		})
	}
}

// isServed reports whether a server that echoes does so for a new connection.
func isServed(ctx context.Context, dial func(ctx context.Context) (net.Conn, error)) bool {
	c, err := dial(ctx)
	return err == nil && roundTrip(ctx, c, "x") == nil // a reset may come before Dial has returned
}

func TestWithMaxPerAddress_unixSockets_haveNoSuchLimit(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s, addr := started(t, ctx, "unix", echo, aionet.WithMaxPerAddress(1))
		for range 5 {
			must(t, roundTrip(ctx, dialed(t, ctx, "unix", addr), "x"))
		}
		_ = s.Shutdown(ctx)
		return nil
	})
}

// One address that floods a full server with connections gets nobody else ended.
func TestWithMaxPerAddress_floodsAFullServer_endsNobody(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		s, dial := echoServer(t, ctx, "handlers", aionet.WithMaxConnections(2), aionet.WithMaxPerAddress(1))
		flood, err := dial(ctx)
		must(t, err)
		must(t, roundTrip(ctx, flood, "x"))
		good, err := aionet.Dial(ctx, "tcp", s.Addrs()[0].String(), aionet.WithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}))
		must(t, err)
		must(t, roundTrip(ctx, good, "x"))
		must(t, asyncio.Sleep(ctx, 10*time.Minute))
		for range 5 {
			if isServed(ctx, dial) {
				t.Error("it is served")
			}
		}
		if len(s.errs) > 0 {
			t.Errorf("ended: %v", s.errs)
		}
		must(t, roundTrip(ctx, good, "x"))
		_ = s.Shutdown(ctx)
		return nil
	})
}

func TestWithMaxHandshakes_silentPeersTakeAllPlaces_theOldestMakesRoomAfterASecond(t *testing.T) {
	for _, kind := range []string{"handlers, TLS", "protocols, TLS"} {
		t.Run(kind, func(t *testing.T) {
			onVirtualClock(t, func(ctx context.Context) error {
				log, to := newRecording()
				s, dial := echoServer(t, ctx, kind, to, aionet.WithMaxHandshakes(2))
				addr := s.Addrs()[0].String()
				silent := []net.Conn{dialed(t, ctx, "tcp", addr), dialed(t, ctx, "tcp", addr)}
				for s.Connections() < 2 {
					must(t, asyncio.Yield(ctx))
				}
				began := asyncio.RunningLoop(ctx).Time()
				c, err := dial(ctx)
				must(t, err)
				must(t, roundTrip(ctx, c, "x"))
				if took := asyncio.RunningLoop(ctx).Time() - began; took < 900*time.Millisecond || took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
				if _, err := silent[0].Read(make([]byte, 1)); err == nil {
					t.Error("the oldest one is still there")
				}
				if s.Connections() != 2 || !slices.Equal(log.lines, []string{"WARN aionet: a limit of the server's was reached 1"}) {
					t.Errorf("only one had to go: %s, %q", s, log.lines)
				}
				again, err := dial(ctx) // there is one place without further ado
				must(t, err)
				must(t, roundTrip(ctx, again, "x"))
				_ = s.Shutdown(ctx)
				return nil
			})
		})
	}
}

// Those that wait for their handshakes are ended by its limit, and by the server's end.
func TestWithMaxHandshakes_noPlaceInTime_failsTheHandshake(t *testing.T) {
	onVirtualClock(t, func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig(), aionet.WithHandshakeTimeout(500*time.Millisecond))
		must(t, err)
		log, to := newRecording()
		s := aionet.NewServer(ctx, echo, to, aionet.WithMaxHandshakes(1))
		must(t, errors.Join(s.AddListener(ln), s.Start()))
		var silent []net.Conn
		for range 3 {
			silent = append(silent, dialed(t, ctx, "tcp", ln.Addr().String()))
		}
		for _, c := range silent {
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
		}
		for range 2 {
			dialed(t, ctx, "tcp", ln.Addr().String())
		}
		for s.Connections() < 2 {
			must(t, asyncio.Yield(ctx))
		}
		_ = s.Shutdown(ctx)
		if s.Connections() != 0 || len(log.errs) < 1 {
			t.Errorf("after Shutdown: %s, %q", s, log.lines)
		}
		return nil
	})
}

// A callback in the TLS configuration panics for a name that a peer may ask for.
func TestWithMaxHandshakes_aCallbackPanics_givesItsPlaceBack(t *testing.T) {
	for _, kind := range []string{"handlers", "protocols"} {
		t.Run(kind, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				config := serverConfig()
				certificate := config.Certificates[0]
				config.Certificates = nil
				first := true
				config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
					if first {
						first = false
						panic("no such name")
					}
					return &certificate, nil
				}
				ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", config)
				must(t, err)
				opts := []aionet.ServeOption{aionet.WithMaxHandshakes(1), aionet.WithMaxConnections(1)}
				s := aionet.NewServer(ctx, echo, opts...)
				if kind == "protocols" {
					s = aionet.NewProtocolServer(ctx, newEcho, opts...)
				}
				must(t, errors.Join(s.AddListener(ln), s.Start()))
				if c, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), clientConfig()); err == nil {
					c.Close()
					t.Error("the first handshake succeeded")
				}
				c, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), clientConfig())
				must(t, err)
				must(t, roundTrip(ctx, c, "the second one"))
				if len(*reported) != 1 || !strings.Contains((*reported)[0], "no such name") {
					t.Errorf("reported: %q", *reported)
				}
				c.Close()
				_ = s.Shutdown(ctx)
				return nil
			})
		})
	}
}

func TestServeOptions_limitsMustBePositive(t *testing.T) {
	for name, set := range map[string]func(){
		"WithMaxConnections":    func() { aionet.WithMaxConnections(0) },
		"WithMaxPerAddress":     func() { aionet.WithMaxPerAddress(-1) },
		"WithMaxHandshakes":     func() { aionet.WithMaxHandshakes(0) },
		"WithIdleLimit":         func() { aionet.WithIdleLimit(0) },
		"WithIdleLimitWhenFull": func() { aionet.WithIdleLimitWhenFull(-time.Second) },
		"WithReadLimit":         func() { aionet.WithReadLimit(0) },
		"WithWriteLimit":        func() { aionet.WithWriteLimit(0) },
		"WithFarewellLimit":     func() { aionet.WithFarewellLimit(0) },
	} {
		mustPanic(t, name+": the limit must be positive", set)
	}
	mustPanic(t, "WithPeerLog: nil logger", func() { aionet.WithPeerLog(nil) })
	run(t, func(ctx context.Context) error { // no limit at all is one, too
		s, addr := started(t, ctx, "tcp", echo, aionet.WithMaxConnections(math.MaxInt), aionet.WithMaxPerAddress(math.MaxInt),
			aionet.WithMaxHandshakes(math.MaxInt))
		must(t, roundTrip(ctx, dialed(t, ctx, "tcp", addr), "x"))
		_ = s.Shutdown(ctx)
		return nil
	})
}
