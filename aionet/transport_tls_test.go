package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// attachTLS connects p, as a server, to a TLSConn, its peer.
func attachTLS(t testing.TB, ctx context.Context, p aionet.Protocol) (aionet.Transport, *aionet.TLSConn) {
	t.Helper()
	ours, theirs := pipe(t, ctx, "tcp")
	peer := aionet.TLSClient(theirs, clientConfig())
	shaking := asyncio.Go(ctx, peer.HandshakeContext)
	tr, err := aionet.NewTransportTLS(ctx, ours, serverConfig(), aionet.ServerSide, p)
	must(t, err)
	_, err = shaking.Await(ctx)
	must(t, err)
	return tr, peer
}

// conformance: tls-03 tls-05 tls-35 net-connect-20
func TestTransportTLS_serveAndDial(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		ln, err := aionet.ListenTLS(ctx, network, address(t, network), serverConfig())
		must(t, err)
		server := &recorder{}
		server.onData = func() { server.t.Write(server.data) }
		serving := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return server })
		})
		client := &recorder{}
		tr, err := aionet.DialProtocolTLS(ctx, network, ln.Addr().String(), clientConfig(), client)
		must(t, err)
		client.want(t, "made")
		state := tr.ConnectionState()
		if state == nil || len(state.PeerCertificates) != 1 || state.CipherSuite == 0 || tr.RemoteAddr().String() != ln.Addr().String() {
			t.Errorf("%v %+v", tr, state)
		}
		tr.Write([]byte("hello"))
		must(t, client.wait(ctx, "data"))
		other := &recorder{}
		tr.SetProtocol(other)
		if tr.Protocol() != aionet.Protocol(other) {
			t.Error(tr.Protocol())
		}
		tr.Close()
		must(t, other.wait(ctx, "lost"))
		must(t, server.wait(ctx, "lost"))
		server.want(t, "made data eof lost")
		client.want(t, "made data")
		other.want(t, "lost")
		if string(client.data) != "hello" || other.err != nil || server.err != nil {
			t.Errorf("%q, %v, %v", client.data, other.err, server.err)
		}
		serving.Cancel()
		_, _ = serving.Await(ctx)
	})
}

// conformance: tls-06 tls-10 tls-12
// pitfall: 38
func TestTransportTLS_untrusted_noProtocolIsTold(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
		must(t, err)
		made := 0
		serving := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { made++; return &recorder{} })
		})
		r := &recorder{}
		_, err = aionet.DialProtocolTLS(ctx, "tcp", ln.Addr().String(), nil, r)
		var untrusted x509.UnknownAuthorityError
		if !errors.As(err, &untrusted) {
			t.Errorf("untrusted: %v", err)
		}
		wrong := clientConfig()
		wrong.ServerName = "elsewhere"
		_, err = aionet.DialProtocolTLS(ctx, "tcp", ln.Addr().String(), wrong, r)
		var name x509.HostnameError
		if !errors.As(err, &name) {
			t.Errorf("wrong name: %v", err)
		}
		serving.Cancel()
		_, _ = serving.Await(ctx)
		if made != 0 || r.String() != "" {
			t.Errorf("%d server protocols made, client told %q, reported %q", made, r, *reported)
		}
		return nil
	})
}

// conformance: tls-04 tls-13
func TestNewTransportTLS_onAnAcceptedConnection(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		r.onData = func() { r.t.Write(r.data) }
		_, peer := attachTLS(t, ctx, r)
		peer.Write([]byte("hello"))
		if got, err := readN(peer, 5); string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		peer.Close()
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made data eof lost")
		if r.err != nil {
			t.Error(r.err)
		}
		return nil
	})
}

// conformance: tls-16 tls-18
func TestTransport_StartTLS_keepsTheProtocol(t *testing.T) {
	for _, buffered := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			server, client := &recorder{}, &recorder{}
			var p aionet.Protocol = server
			if buffered {
				p = &bufferedRecorder{recorder: server, buf: make([]byte, 3)}
			}
			server.onData = func() {
				if string(server.data) == "STARTTLS" {
					server.t.PauseReading()
					server.t.Write([]byte("go ahead"))
				}
			}
			a, b := pipe(t, ctx, "tcp")
			ours, err := aionet.NewTransport(ctx, a, p)
			must(t, err)
			theirs, err := aionet.NewTransport(ctx, b, client)
			must(t, err)
			theirs.Write([]byte("STARTTLS"))
			must(t, client.until(ctx, func() bool { return string(client.data) == "go ahead" }))
			upgrade := asyncio.Go(ctx, func(ctx context.Context) error {
				return theirs.StartTLS(ctx, clientConfig(), aionet.ClientSide)
			})
			must(t, ours.StartTLS(ctx, serverConfig(), aionet.ServerSide))
			_, err = upgrade.Await(ctx)
			must(t, err)
			ours.ResumeReading()
			if ours.ConnectionState() == nil || theirs.ConnectionState() == nil {
				t.Error("no TLS")
			}
			theirs.Write([]byte(" secret"))
			must(t, server.until(ctx, func() bool { return string(server.data) == "STARTTLS secret" }))
			next := &recorder{}
			ours.SetProtocol(next)
			theirs.Close()
			must(t, next.wait(ctx, "lost"))
			server.want(t, "made data")
			next.want(t, "eof lost")
			if next.err != nil {
				t.Error(next.err)
			}
			return nil
		})
	}
}

// conformance: tls-19 tls-11 tls-32
// pitfall: 38
func TestTransportTLS_silentPeer_isLeftWhenTheContextEnds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		r := &recorder{}
		tr, peer := attach(t, ctx, "tcp", r)
		err := asyncio.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			return tr.StartTLS(ctx, clientConfig(), aionet.ClientSide)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made lost")
		if _, err := io.Copy(io.Discard, peer); err != nil {
			t.Errorf("the peer: %v", err)
		}

		silent, never := &recorder{}, &recorder{}
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		dialing := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aionet.DialProtocolTLS(ctx, "tcp", ln.Addr().String(), clientConfig(), never)
			return err
		})
		c, err := ln.Accept()
		must(t, err)
		_, err = aionet.NewTransport(ctx, c.(*aionet.Conn), silent)
		must(t, err)
		must(t, silent.wait(ctx, "data")) // the client's hello
		dialing.Cancel()
		if _, err := dialing.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		must(t, silent.wait(ctx, "lost"))
		if never.String() != "" {
			t.Errorf("the protocol was told %q", never)
		}
		if len(*reported) != 0 {
			t.Errorf("reported %q", *reported)
		}
		return nil
	})
}

func TestTransport_StartTLS_endedMeanwhile_returns(t *testing.T) {
	for name, end := range map[string]func(tr aionet.Transport){
		"aborted": func(tr aionet.Transport) { tr.Abort() },
		"closed":  func(tr aionet.Transport) { tr.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				r := &recorder{}
				tr, _ := attach(t, ctx, "tcp", r) // the peer is silent
				upgrade := asyncio.Go(ctx, func(ctx context.Context) error {
					return tr.StartTLS(ctx, clientConfig(), aionet.ClientSide)
				})
				turns(ctx)
				end(tr)
				if _, err := upgrade.Await(ctx); !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				must(t, r.wait(ctx, "lost"))
				r.want(t, "made lost")
				return nil
			})
		})
	}
}

func TestTransport_StartTLS_closedBeforeTheHandshake_sendsWhatWasWritten(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		tr, peer := attach(t, ctx, "tcp", r)
		const size = 16 << 20 // more than there is room for
		_, err := tr.Write(make([]byte, size))
		must(t, err)
		upgrade := asyncio.Go(ctx, func(ctx context.Context) error {
			return tr.StartTLS(ctx, clientConfig(), aionet.ClientSide)
		})
		turns(ctx)
		tr.Close()
		if n, err := io.Copy(io.Discard, peer); n != size || err != nil {
			t.Errorf("%d bytes arrived, %v", n, err)
		}
		if _, err := upgrade.Await(ctx); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		must(t, r.wait(ctx, "lost"))
		return nil
	})
}

// Nor does a server wait for those whose handshake it ends.
func TestProtocolServer_closesClientsInTheirHandshake_nothingIsLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
		must(t, err)
		s := aionet.NewProtocolServer(ctx, func() aionet.Protocol { return &recorder{} })
		must(t, s.AddListener(ln))
		must(t, s.Start())
		before := len(asyncio.AllTasks(s.Loop()))
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		must(t, err)
		defer c.Close()
		for s.Connections() == 0 {
			must(t, asyncio.Yield(ctx))
		}
		s.CloseClients()
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		turns(ctx)
		if left := asyncio.AllTasks(s.Loop()); len(left) > before {
			t.Errorf("tasks are left: %v", left)
		}
		return s.Shutdown(ctx)
	})
}

// conformance: tls-09
func TestTransportTLS_handshakeTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		ours, peer := pipe(t, ctx, "tcp")
		_, err := aionet.NewTransportTLS(ctx, ours, clientConfig(), aionet.ClientSide, r, aionet.WithHandshakeTimeout(time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) || r.String() != "" {
			t.Errorf("%v, told %q", err, r)
		}
		_, err = io.Copy(io.Discard, peer)
		return err
	})
}

func TestTransportTLS_shutdownTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		a, b := pipe(t, ctx, "tcp")
		shaking := asyncio.Go(ctx, aionet.TLSClient(b, clientConfig()).HandshakeContext)
		tr, err := aionet.NewTransportTLS(ctx, a, serverConfig(), aionet.ServerSide, r, aionet.WithShutdownTimeout(time.Millisecond))
		must(t, err)
		_, err = shaking.Await(ctx)
		must(t, err)
		jam(t, tr)
		tr.Close()
		must(t, r.wait(ctx, "lost")) // though nobody reads
		return nil
	})
}

// conformance: tls-28 tls-30 tls-12
// pitfall: 38
func TestTransportTLS_peerThatLeavesInTheHandshake(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		r := &recorder{}
		dialing := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aionet.DialProtocolTLS(ctx, "tcp", ln.Addr().String(), clientConfig(), r)
			return err
		})
		c, err := ln.Accept()
		must(t, err)
		c.Read(make([]byte, 1<<14))
		c.Close()
		if _, err := dialing.Await(ctx); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		if r.String() != "" {
			t.Errorf("the protocol was told %q", r)
		}
		return nil
	})
}

// conformance: tls-20 tls-33
func TestTransport_StartTLS_insideTLS(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 10 {
				g.Go(func(ctx context.Context) error { return tlsInTLS(t, ctx) })
			}
			return nil
		})
	})
}

func tlsInTLS(t *testing.T, ctx context.Context) error {
	r, client := &recorder{}, &recorder{}
	r.onMade = func() { r.t.PauseReading() }
	r.onData = func() {
		r.t.Write(r.data)
		r.data = nil
	}
	a, b := pipe(t, ctx, "tcp")
	shaking := asyncio.Go(ctx, func(ctx context.Context) error {
		tr, err := aionet.NewTransportTLS(ctx, b, clientConfig(), aionet.ClientSide, client)
		if err != nil {
			return err
		}
		return tr.StartTLS(ctx, clientConfig(), aionet.ClientSide)
	})
	ours, err := aionet.NewTransportTLS(ctx, a, serverConfig(), aionet.ServerSide, r)
	if err != nil {
		return err
	}
	if err := ours.StartTLS(ctx, serverConfig(), aionet.ServerSide); err != nil {
		return err
	}
	ours.ResumeReading()
	if _, err := shaking.Await(ctx); err != nil {
		return err
	}
	want := bytes.Repeat([]byte("inner"), 100_000)
	client.t.Write(want)
	if err := client.until(ctx, func() bool { return len(client.data) == len(want) }); err != nil {
		return err
	}
	if !bytes.Equal(client.data, want) {
		t.Error("it is not what was sent")
	}
	client.t.Close()
	if err := r.wait(ctx, "lost"); err != nil {
		return err
	}
	if r.err != nil || client.err != nil {
		t.Errorf("%v, %v", r.err, client.err)
	}
	return nil
}

// conformance: tls-22 tls-24 tls-36 tls-34
// pitfall: 38
func TestTransportTLS_Close_sendsWhatWasWritten(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		tr, peer := attachTLS(t, ctx, r)
		written := jam(t, tr)
		tr.Close()
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, written) {
			t.Errorf("the peer got %d bytes of %d, %v", len(got), len(written), err)
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made pause resume lost")
		if _, err := tr.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if tr.ConnectionState() != nil || r.err != nil {
			t.Errorf("%v, %v", tr.ConnectionState(), r.err)
		}
		return nil
	})
}

// conformance: tls-23
// pitfall: 38
func TestTransportTLS_peersGoodbye_doesNotLoseOurData(t *testing.T) {
	for _, goodbye := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			r := &recorder{}
			tr, peer := attachTLS(t, ctx, r)
			written := jam(t, tr)
			if goodbye {
				must(t, peer.CloseWrite())
				must(t, r.wait(ctx, "eof"))
			} else {
				must(t, peer.NetConn().(*aionet.Conn).CloseWrite())
				for !tr.IsClosing() {
					must(t, asyncio.Yield(ctx))
				}
			}
			got, err := io.ReadAll(peer)
			if err != nil || !bytes.Equal(got, written) {
				t.Errorf("the peer got %d bytes of %d, %v", len(got), len(written), err)
			}
			must(t, r.wait(ctx, "lost"))
			if (r.err == nil) != goodbye {
				t.Error(r.err)
			}
			return nil
		})
	}
}

func TestTransportTLS_halfOpen_writesAfterThePeersGoodbye(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{keepOpen: true}
		tr, peer := attachTLS(t, ctx, r)
		must(t, peer.CloseWrite())
		must(t, r.wait(ctx, "eof"))
		tr.Write([]byte("still here"))
		must(t, tr.WriteEOF())
		if got, err := io.ReadAll(peer); string(got) != "still here" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		r.want(t, "made eof")
		tr.Close()
		must(t, r.wait(ctx, "lost"))
		return nil
	})
}

// conformance: tls-26
// pitfall: 38
func TestTransportTLS_whatCameWhilePaused_isDeliveredBeforeTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		r.onMade = func() { r.t.PauseReading() }
		tr, peer := attachTLS(t, ctx, r)
		want := bytes.Repeat([]byte("0123456789"), 5000)
		peer.Write(want)
		peer.Close()
		must(t, asyncio.Sleep(ctx, time.Millisecond))
		r.want(t, "made")
		r.onData = func() { // a part each time: the rest is in crypto/tls
			tr.PauseReading()
			asyncio.RunningLoop(ctx).CallSoon(tr.ResumeReading)
		}
		tr.ResumeReading()
		must(t, r.wait(ctx, "lost"))
		if !bytes.Equal(r.data, want) || r.err != nil || !strings.HasSuffix(r.String(), "data eof lost") {
			t.Errorf("%d bytes, %v, told %q", len(r.data), r.err, r)
		}
		return nil
	})
}

// conformance: tls-15 tls-38
func TestTransportTLS_garbageAndTruncation_areErrorsOfTheConnection(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(c *aionet.Conn)
		is    func(error) bool
	}{
		"garbage": {
			func(c *aionet.Conn) { c.Write(bytes.Repeat([]byte("garbage"), 100)) },
			func(err error) bool { return err != nil && strings.Contains(err.Error(), "tls: ") },
		},
		"truncation": {
			func(c *aionet.Conn) { c.Close() },
			func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				r := &recorder{}
				_, peer := attachTLS(t, ctx, r)
				peer.Write([]byte("good"))
				must(t, r.wait(ctx, "data"))
				test.spoil(peer.NetConn().(*aionet.Conn))
				must(t, r.wait(ctx, "lost"))
				r.want(t, "made data lost")
				if !test.is(r.err) || len(*reported) != 0 {
					t.Errorf("told %v, reported %q", r.err, *reported)
				}
				return nil
			})
		})
	}
}

// In TLS 1.3 a server says only after the client's handshake that it wants a certificate.
func TestTransportTLS_peersAlert_isToldQuietly(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		r := &recorder{}
		ours, theirs := pipe(t, ctx, "tcp")
		config := serverConfig()
		config.ClientAuth = tls.RequireAnyClientCert
		shaking := asyncio.Go(ctx, aionet.TLSServer(theirs, config).HandshakeContext)
		_, err := aionet.NewTransportTLS(ctx, ours, clientConfig(), aionet.ClientSide, r)
		must(t, err)
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made lost")
		if r.err == nil || !strings.Contains(r.err.Error(), "certificate required") || len(*reported) != 0 {
			t.Errorf("told %v, reported %q", r.err, *reported)
		}
		if _, err := shaking.Await(ctx); err == nil {
			t.Error("the server did without a certificate")
		}
		return nil
	})
}

// A peer that asks for key updates and does not read may not stop us from reading, nor make us keep answers for ever.
func TestTransportTLS_keyUpdatesWhileNothingCanBeSent(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		g := newGate(t, ln.Addr().String())
		client := openssl(t, ctx, g.ln.Addr().String())
		c, err := ln.Accept()
		must(t, err)
		r := &recorder{}
		tr, err := aionet.NewTransportTLS(ctx, c.(*aionet.Conn), serverConfig(), aionet.ServerSide, r)
		must(t, err)
		must(t, client.send(ctx, "before"))
		must(t, r.until(ctx, func() bool { return string(r.data) == "before\n" }))
		token := <-g.open // from now on nothing reaches the client
		jam(t, tr)
		for range 5 {
			r.data = nil
			must(t, client.send(ctx, "K"))
			must(t, client.expect(ctx, "KEYUPDATE"))
			must(t, client.send(ctx, "after"))
			must(t, r.until(ctx, func() bool { return string(r.data) == "after\n" }))
		}
		g.open <- token
		must(t, r.wait(ctx, "resume"))
		tr.Abort()
		return nil
	})
}

// conformance: tls-27
func TestTransportTLS_misuse(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, _ := pipe(t, ctx, "tcp")
		never := &recorder{}
		zero := aionet.WithHandshakeTimeout(0)
		if _, err := aionet.NewTransportTLS(ctx, ours, clientConfig(), aionet.ClientSide, never, zero); err == nil || never.String() != "" {
			t.Errorf("a timeout of zero: %v, told %q", err, never)
		}
		if _, err := aionet.NewTransportTLS(ctx, ours, nil, aionet.ClientSide, never); err == nil || never.String() != "" {
			t.Errorf("no configuration: %v, told %q", err, never)
		}
		tr, _ := attach(t, ctx, "tcp", &recorder{})
		if err := tr.StartTLS(ctx, clientConfig(), aionet.ClientSide, zero); err == nil || tr.IsClosing() {
			t.Errorf("a timeout of zero: %v", err)
		}
		tr.Close()
		if err := tr.StartTLS(ctx, &tls.Config{}, aionet.ClientSide); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		return nil
	})
}

// conformance: tls-37
func TestTransportTLS_bufferedProtocol_receivesInPieces(t *testing.T) {
	for _, size := range []int{1, 7, 20_000, 1 << 20, 0} {
		run(t, func(ctx context.Context) error {
			reported := reports(ctx)
			r := &recorder{}
			_, peer := attachTLS(t, ctx, &bufferedRecorder{recorder: r, buf: make([]byte, size)})
			want := bytes.Repeat([]byte("0123456789"), 5000)
			peer.Write(want)
			peer.Close()
			must(t, r.wait(ctx, "lost"))
			if size == 0 {
				if r.err == nil || len(*reported) != 1 {
					t.Errorf("an empty buffer: told %v, reported %q", r.err, *reported)
				}
			} else if !bytes.Equal(r.data, want) || r.err != nil {
				t.Errorf("with %d bytes: %d of %d, %v", size, len(r.data), len(want), r.err)
			}
			return nil
		})
	}
}
