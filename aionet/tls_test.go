package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/conntest"
	"github.com/go-asyncio/asyncio/internal/testcert"
	"github.com/go-asyncio/asyncio/lowlevel"
)

var certificate, serverConfig, clientConfig = testcert.Certificate, testcert.Server, testcert.Client

// tlsPipe returns both ends of a TLS connection on the running loop, hands shaken.
func tlsPipe(t testing.TB, ctx context.Context) (client, server *aionet.TLSConn) {
	t.Helper()
	a, b := pipe(t, ctx, "tcp")
	client, server = aionet.TLSClient(a, clientConfig()), aionet.TLSServer(b, serverConfig())
	shake := func(c *aionet.TLSConn) asyncio.Coroutine[asyncio.None] {
		return func(ctx context.Context) (asyncio.None, error) { return asyncio.None{}, c.HandshakeContext(ctx) }
	}
	if _, err := asyncio.Gather(ctx, shake(client), shake(server)); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// conformance: tls-05
func TestTLS_serveAndDial_echo(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.ListenTLS(ctx, network, address(t, network), serverConfig())
			if err != nil {
				return err
			}
			server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo) })
			_, err = asyncio.Map(ctx, 20, numbers(50), func(ctx context.Context, i int) (int, error) {
				c, err := aionet.DialTLS(ctx, network, ln.Addr().String(), clientConfig())
				if err != nil {
					return 0, err
				}
				defer c.Close()
				if err := roundTrip(ctx, c, strings.Repeat("secret ", 20*i+1)); err != nil {
					return 0, err
				}
				if v := c.ConnectionState().Version; v != tls.VersionTLS13 {
					t.Errorf("version %x", v)
				}
				return 0, nil
			})
			server.Cancel()
			_, _ = server.Await(ctx)
			return err
		})
	})
}

func TestTLS_isANetConn(t *testing.T) {
	for name, foreign := range map[string]bool{"over a Conn": false, "over somebody else's connection": true} {
		t.Run(name, func(t *testing.T) {
			conntest.Run(t, func(a, b *asyncio.Loop) (c1, c2 net.Conn, err error) {
				plain1, plain2 := twoEnds(t, "tcp", a, b)
				return bothSides(plain1, plain2, a, b, foreign)
			})
		})
	}
}

// bothSides shakes hands, over the connections or, with foreign, over ones that only wrap them.
func bothSides(c1, c2 net.Conn, a, b *asyncio.Loop, foreign bool) (client, server *aionet.TLSConn, err error) {
	if foreign {
		c1, c2 = wrapped{c1}, wrapped{c2}
	}
	accepting := asyncio.RunThreadsafe(b, func(ctx context.Context) (*aionet.TLSConn, error) {
		return aionet.StartTLS(ctx, c2, serverConfig(), aionet.ServerSide)
	})
	client, err = on(a, func(ctx context.Context) (*aionet.TLSConn, error) {
		return aionet.StartTLS(ctx, c1, clientConfig(), aionet.ClientSide)
	})
	if err != nil {
		return nil, nil, err
	}
	server, err = accepting.Wait(context.Background())
	return client, server, err
}

// wrapped is a connection of which only is known that it is a net.Conn.
type wrapped struct{ net.Conn }

func TestTLS_cancelledReadAndWrite_canBeTriedAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := tlsPipe(t, ctx)
		err := asyncio.Timeout(ctx, 3*time.Millisecond, func(context.Context) error {
			_, err := b.Read(make([]byte, 1))
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled Read = %v", err)
		}
		b.SetReadDeadline(asyncio.RunningLoop(ctx).Now().Add(time.Millisecond))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after its deadline = %v", err)
		}
		b.SetReadDeadline(time.Time{})
		data := bytes.Repeat([]byte("0123456789"), 4<<20)
		var n int
		err = asyncio.Timeout(ctx, 100*time.Millisecond, func(context.Context) (err error) {
			n, err = a.Write(data)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || n == 0 || n == len(data) {
			t.Errorf("cancelled Write = %d, %v", n, err)
		}
		reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
		if _, err := a.Write([]byte("the end")); err != nil {
			return err
		}
		a.Close()
		got, err := reader.Await(ctx)
		if !bytes.Equal(got, append(data[:n:n], "the end"...)) {
			t.Errorf("%d bytes arrived, want %d", len(got), n+7)
		}
		return err
	})
}

// Tasks that read, write and shake hands at once must take turns without stopping the loop at a lock of crypto/tls.
func TestTLS_manyTasksAtOnce_neverStopTheLoop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		plainA, plainB := pipe(t, ctx, "tcp")
		a, b := aionet.TLSClient(plainA, clientConfig()), aionet.TLSServer(plainB, serverConfig())
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for _, c := range []*aionet.TLSConn{a, b} {
				exchange(g, c)
			}
			return nil
		})
	})
}

// exchange lets three tasks write to c and two read what as many write at the other end.
func exchange(g *asyncio.TaskGroup, c *aionet.TLSConn) {
	const size, writers = 200_000, 3
	for range writers {
		g.Go(func(context.Context) error {
			_, err := c.Write(make([]byte, size))
			return err
		})
	}
	left := size * writers
	for range 2 {
		g.Go(func(context.Context) error {
			buf := make([]byte, 1000)
			for left > 0 {
				n, err := c.Read(buf)
				if left -= n; left == 0 {
					c.SetReadDeadline(time.Unix(1, 0)) // for the other one
				}
				if err != nil && left > 0 {
					return err
				}
			}
			return nil
		})
	}
}

// conformance: tls-11
// pitfall: 38
func TestTLS_handshake_isEndedByItsContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp") // which says nothing
		defer theirs.Close()
		c := aionet.TLSServer(ours, serverConfig())
		err := asyncio.Timeout(ctx, 3*time.Millisecond, c.HandshakeContext)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("handshake = %v", err)
		}
		c.Close()
		if _, err := io.Copy(io.Discard, theirs); err != nil {
			t.Errorf("the peer sees %v, want the end", err)
		}
		return nil
	})
}

// conformance: tls-06 tls-10
func TestTLS_untrustedOrWrongName_saysSo(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo) })
		_, err = aionet.DialTLS(ctx, "tcp", ln.Addr().String(), nil)
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) || !strings.HasPrefix(err.Error(), "aionet: TLS handshake with tcp "+ln.Addr().String()) {
			t.Errorf("untrusted: %v", err)
		}
		wrong := clientConfig()
		wrong.ServerName = "elsewhere.test"
		_, err = aionet.DialTLS(ctx, "tcp", ln.Addr().String(), wrong)
		var host x509.HostnameError
		if !errors.As(err, &host) {
			t.Errorf("wrong name: %v", err)
		}
		if _, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", &tls.Config{}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("no certificate: %v", err)
		}
		server.Cancel()
		_, _ = server.Await(ctx)
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {})) // the server reports those handshakes, rightly
	if err != nil {
		t.Fatal(err)
	}
}

// Close does not wait, and still everything that Write took arrives, and then the end.
//
// conformance: tls-22
// pitfall: 38
func TestTLS_close_sendsWhatWasWritten(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := tlsPipe(t, ctx)
		want := 0
		err := asyncio.Timeout(ctx, 50*time.Millisecond, func(context.Context) (err error) {
			want, err = a.Write(make([]byte, 64<<20)) // fills the queue
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		blocked := asyncio.Go(ctx, func(context.Context) error {
			_, err := a.Read(make([]byte, 1))
			return err
		})
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		a.Close()
		if _, err := blocked.Await(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a Read that waited at Close = %v", err)
		}
		n, err := io.Copy(io.Discard, b)
		if int(n) != want || err != nil {
			t.Errorf("%d bytes arrived, %v; Write took %d", n, err, want)
		}
		return nil
	})
}

// What was written before Close arrives even if the loop ends right after it.
func TestTLS_closeThenEndOfLoop_sendsWhatWasWritten(t *testing.T) {
	written, read := 0, make(chan int64, 1)
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		server := aionet.TLSServer(ours, serverConfig())
		client := tls.Client(theirs, clientConfig())
		shaken := make(chan error, 1)
		go func() { shaken <- client.Handshake() }()
		if err := server.HandshakeContext(ctx); err != nil {
			return err
		}
		err := asyncio.Timeout(ctx, 50*time.Millisecond, func(context.Context) (err error) {
			written, err = server.Write(make([]byte, 64<<20))
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		server.Close()
		lowlevel.AddCloser(asyncio.RunningLoop(ctx), closerFunc(func() { // among the first at the loop's end
			go func() {
				defer theirs.Close()
				n, _ := io.Copy(io.Discard, client)
				read <- n
			}()
		}))
		return <-shaken
	})
	if n := <-read; int(n) != written {
		t.Errorf("%d bytes arrived; Write took %d", n, written)
	}
}

type closerFunc func()

func (f closerFunc) Close() error {
	f()
	return nil
}

func TestTLS_closeWrite_peerSeesTheEndAndCanStillAnswer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := tlsPipe(t, ctx)
		if _, err := a.Write([]byte("question")); err != nil {
			return err
		}
		if err := a.CloseWrite(); err != nil {
			return err
		}
		if got, err := io.ReadAll(b); string(got) != "question" || err != nil {
			t.Errorf("server read %q, %v", got, err)
		}
		if _, err := b.Write([]byte("answer")); err != nil {
			return err
		}
		b.Close()
		if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
			t.Errorf("client read %q, %v", got, err)
		}
		return nil
	})
}
