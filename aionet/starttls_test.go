package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// belowTLS are the kinds of connections that TLS treats differently, made of ours.
var belowTLS = map[string]func(net.Conn) net.Conn{
	"ours":            func(c net.Conn) net.Conn { return c },
	"somebody else's": func(c net.Conn) net.Conn { return wrapped{c} },
}

// startBoth makes both ends of a connection TLS, with the configurations given.
func startBoth(t testing.TB, ctx context.Context, a, b net.Conn, client, server *tls.Config) (c, s *aionet.TLSConn) {
	t.Helper()
	start := func(conn net.Conn, config *tls.Config, side aionet.TLSSide) asyncio.Coroutine[*aionet.TLSConn] {
		return func(ctx context.Context) (*aionet.TLSConn, error) { return aionet.StartTLS(ctx, conn, config, side) }
	}
	both, err := asyncio.Gather(ctx, start(a, client, aionet.ClientSide), start(b, server, aionet.ServerSide))
	if err != nil {
		t.Fatal(err)
	}
	return both[0], both[1]
}

// conformance: tls-16 tls-21
func TestStartTLS_afterPlainText_bothSides(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			if err := roundTripBetween(a, b, "plain"); err != nil {
				return err
			}
			c, s := startBoth(t, ctx, a, b, clientConfig(), serverConfig())
			if err := roundTripBetween(c, s, "secret"); err != nil {
				return err
			}
			if err := roundTripBetween(s, c, "answer"); err != nil {
				return err
			}
			if c.NetConn() != a {
				t.Error("NetConn is another connection")
			}
			c.Close()
			if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the peer's Close: %d, %v", n, err)
			}
			s.Close()
			return nil
		})
	})
}

// The server closes the connection that it knows, but not before TLS over it has sent what the handler wrote.
func TestServe_handlerThatStartedTLSReturns_theRestIsSent(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			taken := 0
			var returning asyncio.Event
			s, addr := started(t, ctx, network, func(ctx context.Context, c net.Conn) error {
				defer returning.Set()
				secure, err := aionet.StartTLS(ctx, c, serverConfig(), aionet.ServerSide)
				if err != nil {
					return err
				}
				writing := asyncio.Go(ctx, func(context.Context) (err error) {
					taken, err = secure.Write(make([]byte, 64<<20)) // more than has room anywhere
					return err
				})
				untilNoRoom(ctx, writing)
				writing.Cancel()
				_, _ = writing.Await(ctx)
				return secure.Close()
			})
			c, err := aionet.DialTLS(ctx, network, addr, clientConfig())
			if err != nil {
				return err
			}
			defer c.Close()
			must(t, returning.Wait(ctx))
			turns(ctx)
			if s.Connections() != 1 {
				t.Errorf("a connection that still sends counts as %d", s.Connections())
			}
			got, err := io.Copy(io.Discard, c)
			if int(got) != taken {
				t.Errorf("%d bytes arrived of %d", got, taken)
			}
			return err
		})
	})
}

func roundTripBetween(from, to net.Conn, say string) error {
	if _, err := io.WriteString(from, say); err != nil {
		return err
	}
	got := make([]byte, len(say))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != say {
		return fmt.Errorf("sent %q, got %q, %w", say, got, err)
	}
	return nil
}

// conformance: tls-20 tls-33
func TestStartTLS_insideTLS(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.Map(ctx, 10, numbers(20), func(ctx context.Context, i int) (int, error) {
			a, b := pipe(t, ctx, "tcp")
			outerC, outerS := startBoth(t, ctx, a, b, clientConfig(), serverConfig())
			c, s := startBoth(t, ctx, outerC, outerS, clientConfig(), serverConfig())
			data := bytes.Repeat([]byte("0123456789"), 30_000)
			writer := asyncio.Go(ctx, func(context.Context) error {
				if _, err := c.Write(data); err != nil {
					return err
				}
				return c.Close()
			})
			got, err := io.ReadAll(s)
			if !bytes.Equal(got, data) || err != nil {
				t.Errorf("%d bytes arrived, %v", len(got), err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("closing the inner one: %v", err)
			}
			if err := outerS.Close(); err != nil {
				t.Errorf("closing the outer one after it: %v", err)
			}
			_, err = writer.Await(ctx)
			return 0, err
		})
		return err
	})
}

// Over a connection that suspends in Write, crypto/tls must not be suspended with it: another task, or the answer to a
// key update, would stop the loop at its lock.
func TestStartTLS_overSomebodyElsesConnection_manyTasksNeverStopTheLoop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, s := startBoth(t, ctx, wrapped{a}, wrapped{b}, clientConfig(), serverConfig())
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			exchange(g, c)
			exchange(g, s)
			return nil
		})
	})
}

// conformance: tls-22
// pitfall: 38
func TestStartTLS_overSomebodyElsesConnection_closeSendsWhatWasWritten(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, s := startBoth(t, ctx, wrapped{a}, wrapped{b}, clientConfig(), serverConfig())
		want := 0
		err := asyncio.Timeout(ctx, 50*time.Millisecond, func(context.Context) (err error) {
			want, err = c.Write(make([]byte, 64<<20))
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || want == 0 {
			t.Errorf("Write = %d, %v", want, err)
		}
		c.Close()
		if _, err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close = %v", err)
		}
		n, err := io.Copy(io.Discard, s)
		if int(n) != want || err != nil {
			t.Errorf("%d bytes arrived, %v; Write took %d", n, err, want)
		}
		return nil
	})
}

// A deadline that passes while the connection below is full breaks nothing: it can be moved on.
func TestStartTLS_overSomebodyElsesConnection_writeDeadlineCanBeMovedOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, s := startBoth(t, ctx, wrapped{a}, wrapped{b}, clientConfig(), serverConfig())
		c.SetWriteDeadline(asyncio.RunningLoop(ctx).Now().Add(20 * time.Millisecond))
		done := 0
		for {
			n, err := c.Write(make([]byte, 1<<20))
			if done += n; err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Write = %v", err)
				}
				break
			}
		}
		c.SetWriteDeadline(time.Time{})
		reader := asyncio.CreateTask(ctx, func(context.Context) (int64, error) { return io.Copy(io.Discard, s) })
		n, err := c.Write(make([]byte, 1<<20))
		if err != nil {
			return err
		}
		c.Close()
		got, err := reader.Await(ctx)
		if int(got) != done+n {
			t.Errorf("%d bytes arrived, want %d", got, done+n)
		}
		return err
	})
}

// conformance: tls-09 tls-11 tls-19 tls-25 tls-27
// pitfall: 38
func TestTLS_handshakeTimeout(t *testing.T) {
	t.Run("frees the socket", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			for _, side := range []aionet.TLSSide{aionet.ClientSide, aionet.ServerSide} {
				ours, theirs := peer(t, ctx, "tcp") // which says nothing
				config := clientConfig()
				if side == aionet.ServerSide {
					config = serverConfig()
				}
				_, err := aionet.StartTLS(ctx, ours, config, side, aionet.WithHandshakeTimeout(5*time.Millisecond))
				if !errors.As(err, new(*asyncio.TimeoutError)) || !strings.HasPrefix(err.Error(), "aionet: TLS handshake with tcp 127.0.0.1:") {
					t.Errorf("StartTLS = %v", err)
				}
				if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the connection is open: %v", err)
				}
				if _, err := io.Copy(io.Discard, theirs); err != nil {
					t.Errorf("the peer sees %v, want the end", err)
				}
				theirs.Close()
			}
			return nil
		})
	})
	t.Run("so does a cancellation", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			ours, theirs := peer(t, ctx, "tcp")
			defer theirs.Close()
			starting := asyncio.CreateTask(ctx, func(ctx context.Context) (*aionet.TLSConn, error) {
				return aionet.StartTLS(ctx, ours, clientConfig(), aionet.ClientSide)
			})
			turns(ctx)
			starting.Cancel()
			if _, err := starting.Await(ctx); !errors.Is(err, context.Canceled) || !starting.Cancelled() {
				t.Errorf("StartTLS = %v", err)
			}
			_, err := io.Copy(io.Discard, theirs)
			return err
		})
	})
	t.Run("of DialTLS and ListenTLS", func(t *testing.T) {
		log, to := newRecording()
		var reports []asyncio.ExceptionInfo
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			mute, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer mute.Close()
			limit := aionet.WithHandshakeTimeout(5 * time.Millisecond)
			_, err = aionet.DialTLS(ctx, "tcp", mute.Addr().String(), clientConfig(), limit)
			if !errors.As(err, new(*asyncio.TimeoutError)) {
				t.Errorf("DialTLS = %v", err)
			}
			ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig(), limit)
			if err != nil {
				return err
			}
			server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo, to) })
			c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("the mute client sees %v", err)
			}
			server.Cancel()
			_, _ = server.Await(ctx)
			return nil
		}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
		if err != nil || len(reports) != 0 || len(log.errs) != 1 || !errors.As(log.errs[0], new(*asyncio.TimeoutError)) {
			t.Errorf("%v, reports %+v, in the log %v", err, reports, log.errs)
		}
	})
	t.Run("must be positive, and is for TLS", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			check := func(what string, err error, want string) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s = %v, want %q", what, err, want)
				}
			}
			for _, d := range []time.Duration{0, -time.Second} {
				_, err := aionet.DialTLS(ctx, "tcp", "127.0.0.1:1", nil, aionet.WithHandshakeTimeout(d))
				check("DialTLS", err, "WithHandshakeTimeout must be positive")
				_, err = aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig(), aionet.WithShutdownTimeout(d))
				check("ListenTLS", err, "WithShutdownTimeout must be positive")
				_, err = aionet.StartTLS(ctx, nil, nil, aionet.ClientSide, aionet.WithHandshakeTimeout(d))
				check("StartTLS", err, "WithHandshakeTimeout must be positive")
			}
			_, err := aionet.Dial(ctx, "tcp", "127.0.0.1:1", aionet.WithHandshakeTimeout(time.Second))
			check("Dial", err, "WithHandshakeTimeout is for TLS")
			_, err = aionet.Listen(ctx, "tcp", "127.0.0.1:0", aionet.WithShutdownTimeout(time.Second))
			check("Listen", err, "WithShutdownTimeout is for TLS")
			return nil
		})
	})
}

// conformance: tls-01
func TestTLS_shutdownTimeout_givesUpAPeerThatDoesNotRead(t *testing.T) {
	for name, wrap := range belowTLS {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				ours, theirs := peer(t, ctx, "tcp")
				defer theirs.Close()
				client := tls.Client(theirs, clientConfig())
				shaken := make(chan error, 1)
				go func() { shaken <- client.Handshake() }()
				c, err := aionet.StartTLS(ctx, wrap(ours), serverConfig(), aionet.ServerSide, aionet.WithShutdownTimeout(5*time.Millisecond))
				if err != nil {
					return err
				}
				if err := <-shaken; err != nil {
					return err
				}
				w := aionet.NewWriter(ctx, c, aionet.WithWaterMarks(0, 0))
				_, _ = w.Write(make([]byte, 16<<20))
				_ = asyncio.Timeout(ctx, 20*time.Millisecond, w.Drain)
				c.Close()
				for ours.SetNoDelay(true) == nil { // until the socket is closed
					if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// The name to be proved is the host's, unless the configuration has another one; without a host there must be one.
//
// conformance: tls-01 tls-02 tls-03 tls-07 tls-34
func TestTLS_serverName(t *testing.T) {
	run(t, func(ctx context.Context) error {
		names := make(chan string, 10)
		config := serverConfig()
		config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			names <- h.ServerName
			return nil, nil
		}
		addr, stop := serveStreams(t, ctx, "tcp", func(_ context.Context, r *aionet.Reader, _ *aionet.Writer) error {
			_, err := r.ReadAll()
			return err
		}, aionet.WithTLS(config))
		_, port, _ := net.SplitHostPort(addr)
		_, pool := certificate()
		for _, c := range []struct{ host, name, want string }{
			{"localhost", "", "localhost"},
			{"127.0.0.1", "localhost", "localhost"},
			{"127.0.0.1", "", ""}, // proved by the certificate, and not sent (RFC 6066)
		} {
			conn, err := aionet.DialTLS(ctx, "tcp", net.JoinHostPort(c.host, port), &tls.Config{RootCAs: pool, ServerName: c.name})
			if err != nil {
				t.Errorf("%+v: %v", c, err)
				continue
			}
			if got := <-names; got != c.want {
				t.Errorf("%+v: the server was sent the name %q", c, got)
			}
			state := conn.ConnectionState()
			if state.PeerCertificates[0].Subject.CommonName != "test" || len(state.VerifiedChains) == 0 || state.CipherSuite == 0 {
				t.Errorf("%+v: state %+v", c, state)
			}
			if err := conn.VerifyHostname("localhost"); err != nil {
				t.Errorf("VerifyHostname = %v", err)
			}
			if err := conn.VerifyHostname("elsewhere.test"); err == nil {
				t.Error("VerifyHostname of another host succeeded")
			}
			conn.Close()
			if got := conn.ConnectionState(); !got.HandshakeComplete {
				t.Error("after Close the state is gone")
			}
		}
		if err := onUnixWithoutName(t, ctx, pool); err == nil || !strings.Contains(err.Error(), "ServerName") {
			t.Errorf("without a host: %v", err)
		}
		stop()
		return nil
	})
}

func onUnixWithoutName(t *testing.T, ctx context.Context, pool *x509.CertPool) error {
	ln, err := aionet.ListenTLS(ctx, "unix", address(t, "unix"), serverConfig())
	if err != nil {
		return err
	}
	defer ln.Close()
	_, err = aionet.DialTLS(ctx, "unix", ln.Addr().String(), &tls.Config{RootCAs: pool})
	return err
}

// conformance: tls-12 tls-28 tls-30
// pitfall: 38
func TestTLS_connectionBreaksDuringTheHandshake_isSaid(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, reset := range []bool{false, true} {
			ours, theirs := peer(t, ctx, "tcp")
			starting := asyncio.CreateTask(ctx, func(ctx context.Context) (*aionet.TLSConn, error) {
				return aionet.StartTLS(ctx, ours, clientConfig(), aionet.ClientSide)
			})
			if _, err := asyncio.ToThread(ctx, func() (int, error) { return theirs.Read(make([]byte, 5000)) }); err != nil {
				return err
			}
			want := io.ErrUnexpectedEOF
			if reset {
				theirs.(*net.TCPConn).SetLinger(0)
				want = syscall.ECONNRESET
			}
			theirs.Close()
			_, err := starting.Await(ctx)
			if !errors.Is(err, want) && runtime.GOOS != "windows" {
				t.Errorf("reset %v: %v", reset, err)
			}
			if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection is open: %v", err)
			}
		}
		return nil
	})
}

// conformance: tls-32 tls-34
func TestTLS_closeDuringTheHandshake_closesAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		defer theirs.Close()
		c := aionet.TLSClient(ours, clientConfig())
		shaking := asyncio.Go(ctx, c.HandshakeContext)
		turns(ctx)
		if state := c.ConnectionState(); state.HandshakeComplete || state.Version != 0 { // crypto/tls would block here
			t.Errorf("state %+v", state)
		}
		if err := c.VerifyHostname("localhost"); err == nil {
			t.Error("VerifyHostname before the handshake succeeded")
		}
		if err := c.CloseWrite(); err == nil {
			t.Error("CloseWrite before the handshake succeeded")
		}
		c.Close()
		if _, err := shaking.Await(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the handshake = %v", err)
		}
		if err := ours.SetNoDelay(true); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the socket is open: %v", err)
		}
		_, err := io.Copy(io.Discard, theirs)
		return err
	})
}

// conformance: tls-15
func TestTLS_garbage_isAnErrorOfTLS(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, _ := startBoth(t, ctx, a, b, clientConfig(), serverConfig())
		if _, err := b.Write([]byte("no record of TLS, and long enough to be none")); err != nil {
			return err
		}
		for range 2 { // it stays so
			if _, err := c.Read(make([]byte, 10)); !errors.As(err, new(tls.RecordHeaderError)) {
				t.Errorf("Read = %v", err)
			}
		}
		return c.Close()
	})
}

// Only a close-notify is the end; without one somebody may have cut the connection.
//
// conformance: tls-21 tls-38
func TestTLS_endWithoutGoodbye_isTruncation(t *testing.T) {
	for name, wrap := range belowTLS {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				a, b := pipe(t, ctx, "tcp")
				c, s := startBoth(t, ctx, wrap(a), b, clientConfig(), serverConfig())
				if err := roundTripBetween(s, c, "whole"); err != nil {
					return err
				}
				if _, err := s.Write([]byte("half of")); err != nil {
					return err
				}
				b.CloseWrite()
				r := aionet.NewReader(c)
				_, err := r.ReadAll()
				if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
					t.Errorf("ReadAll = %v", err)
				}
				if got, _ := r.Peek(r.Buffered()); string(got) != "half of" {
					t.Errorf("what had come is %q", got)
				}
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("Read again = %v", err)
				}
				return nil
			})
		})
	}
}

// The peer says goodbye while we still send: all of it arrives, however slowly.
//
// conformance: tls-23 tls-24
// pitfall: 38
func TestTLS_peersGoodbye_doesNotLoseOurData(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"ours":          func(c net.Conn) net.Conn { return c },
		"a slow socket": func(c net.Conn) net.Conn { return slow{c} },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				a, b := pipe(t, ctx, "tcp")
				c, s := startBoth(t, ctx, a, wrap(b), clientConfig(), serverConfig())
				const size = 1 << 20
				writer := asyncio.Go(ctx, func(context.Context) error {
					_, err := s.Write(make([]byte, size))
					return err
				})
				turns(ctx)
				if err := c.CloseWrite(); err != nil {
					return err
				}
				if _, err := s.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("after the peer's goodbye: %v", err)
				}
				reader := asyncio.CreateTask(ctx, func(context.Context) (int64, error) { return io.Copy(io.Discard, c) })
				if _, err := writer.Await(ctx); err != nil {
					return err
				}
				s.Close()
				n, err := reader.Await(ctx)
				if n != size {
					t.Errorf("%d bytes arrived", n)
				}
				return err
			})
		})
	}
}

// slow takes little at a time.
type slow struct{ net.Conn }

func (s slow) Write(p []byte) (done int, err error) {
	for done < len(p) && err == nil {
		var n int
		n, err = s.Conn.Write(p[done:min(len(p), done+1000)])
		done += n
	}
	return done, err
}

// conformance: tls-36
func TestTLS_dataAfterClose_isIgnored(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, s := startBoth(t, ctx, a, b, clientConfig(), serverConfig())
		c.Close()
		_, _ = s.Write([]byte("late"))
		if _, err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write = %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read = %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close again = %v", err)
		}
		s.Close()
		return nil
	})
}

// conformance: tls-31
func TestTLS_writeError_reachesTheNextDrain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		c, _ := startBoth(t, ctx, a, b, clientConfig(), serverConfig())
		w := aionet.NewWriter(ctx, c, aionet.WithWaterMarks(0, 0))
		_, _ = w.Write(make([]byte, 16<<20))
		draining := asyncio.Go(ctx, w.Drain)
		turns(ctx)
		b.Close() // with data unread, which resets the connection
		if _, err := draining.Await(ctx); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && runtime.GOOS != "windows" {
			t.Errorf("a Drain that waited = %v", err)
		}
		if err := w.Drain(ctx); err == nil {
			t.Error("the next Drain succeeded")
		}
		return w.Close()
	})
}

func TestTLS_renegotiation_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, _ := pipe(t, ctx, "tcp")
		config := clientConfig()
		config.Renegotiation = tls.RenegotiateFreelyAsClient
		_, err := aionet.StartTLS(ctx, a, config, aionet.ClientSide)
		if err == nil || !strings.Contains(err.Error(), "renegotiation is not supported") {
			t.Errorf("StartTLS = %v", err)
		}
		return nil
	})
}

// conformance: tls-08
func TestTLS_manyClients_exchangeMegabytes(t *testing.T) {
	const size = 1 << 20
	run(t, func(ctx context.Context) error {
		addr, stop := serveStreams(t, ctx, "tcp", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			data, err := r.ReadExactly(size)
			if err != nil {
				return err
			}
			_, _ = w.Write(data)
			return w.Drain(ctx)
		}, aionet.WithTLS(serverConfig()))
		_, err := asyncio.Map(ctx, 25, numbers(25), func(ctx context.Context, i int) (int, error) {
			c, err := aionet.Dial(ctx, "tcp", addr)
			if err != nil {
				return 0, err
			}
			secure, err := aionet.StartTLS(ctx, c, clientConfig(), aionet.ClientSide)
			if err != nil {
				return 0, err
			}
			r, w := aionet.NewReader(secure), aionet.NewWriter(ctx, secure)
			data := bytes.Repeat([]byte{byte(i)}, size)
			_, _ = w.Write(data)
			got, err := r.ReadExactly(size)
			if !bytes.Equal(got, data) {
				t.Errorf("client %d got something else, %v", i, err)
			}
			w.Close()
			return 0, errors.Join(err, w.WaitClosed(ctx))
		})
		stop()
		return err
	})
}

// conformance: tls-04 tls-13
func TestStartTLS_ofAConnectionAcceptedElsewhere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		type dialed struct {
			c   net.Conn
			err error
		}
		client := make(chan dialed, 1)
		go func() {
			c, err := tls.Dial("tcp", ln.Addr().String(), clientConfig())
			client <- dialed{c, err}
		}()
		accepted, err := asyncio.ToThread(ctx, ln.Accept)
		if err != nil {
			return err
		}
		ours, err := aionet.Adopt(ctx, accepted)
		if err != nil {
			return err
		}
		s, err := aionet.StartTLS(ctx, ours, serverConfig(), aionet.ServerSide)
		if err != nil {
			return err
		}
		d := <-client
		if d.err != nil {
			return d.err
		}
		if _, err := s.Write([]byte("hello")); err != nil {
			return err
		}
		s.Close()
		got, err := asyncio.ToThread(ctx, func() ([]byte, error) { return io.ReadAll(d.c) })
		wantBytes(t, "the client", got, err, "hello")
		return d.c.Close()
	})
}
