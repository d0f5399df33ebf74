package aionet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// serveStreams starts a server for the test, whose failures go to reports, or else fail the test.
func serveStreams(t *testing.T, ctx context.Context, network string, h aionet.StreamHandler, opts ...aionet.StreamOption) (addr string, stop func()) {
	t.Helper()
	s, err := aionet.StartServer(ctx, network, address(t, network), h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Addrs()[0].String(), func() {
		_ = s.Shutdown(ctx) // it says that connections were cancelled
	}
}

// hello answers one line, and then says some more.
func hello(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
	line, err := r.ReadLine()
	if err != nil {
		return err
	}
	_, _ = w.Writev([]byte("hello "), line)
	return w.Drain(ctx)
}

// conformance: stream-01 stream-02 stream-06 stream-server-01
func TestOpenConnection_talksToStartServer(t *testing.T) {
	secure := []struct {
		name           string
		server, client []aionet.StreamOption
	}{
		{"plain", nil, nil},
		{"TLS", []aionet.StreamOption{aionet.WithTLS(serverConfig())}, []aionet.StreamOption{aionet.WithTLS(clientConfig())}},
		{"TLS without a name", []aionet.StreamOption{aionet.WithTLS(serverConfig())},
			[]aionet.StreamOption{aionet.WithTLS(&tls.Config{InsecureSkipVerify: true})}},
	}
	onEach(t, func(t *testing.T, network string) {
		for _, s := range secure {
			t.Run(s.name, func(t *testing.T) {
				run(t, func(ctx context.Context) error {
					addr, stop := serveStreams(t, ctx, network, hello, s.server...)
					r, w, err := aionet.OpenConnection(ctx, network, addr, s.client...)
					if err != nil {
						return err
					}
					_, _ = w.WriteString("streams\n")
					line, err := r.ReadLine()
					wantBytes(t, "ReadLine", line, err, "hello streams\n")
					rest, err := r.ReadAll()
					wantBytes(t, "ReadAll", rest, err, "")
					_, secure := w.Conn().(*aionet.TLSConn)
					if secure != (s.client != nil) {
						t.Errorf("the connection is a %T", w.Conn())
					}
					w.Close()
					err = w.WaitClosed(ctx)
					stop()
					return err
				})
			})
		}
	})
}

// conformance: stream-05
func TestStreams_withoutALoop_sayWhatIsMissing(t *testing.T) {
	mustPanicWith(t, "asyncio", func() { aionet.NewWriter(context.Background(), &valve{}) })
	mustPanicWith(t, "StartServer: nil handler", func() { _, _ = aionet.StartServer(context.Background(), "tcp", "127.0.0.1:0", nil) })
	mustPanicWith(t, "WithTLS: nil configuration", func() { aionet.WithTLS(nil) })
}

// conformance: stream-server-03 stream-server-04
func TestStartServer_handlersError_isReported_cancellationIsNot(t *testing.T) {
	var reports []asyncio.ExceptionInfo
	boom := errors.New("boom")
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		addr, stop := serveStreams(t, ctx, "tcp", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			line, err := r.ReadLine()
			switch {
			case err != nil:
				return err
			case string(line) == "panic\n":
				panic("boom")
			case string(line) == "fail\n":
				return boom
			}
			_, _ = w.WriteString("waiting\n")
			_, err = r.ReadLine()
			return err
		})
		say := func(line string) (*aionet.Reader, *aionet.Writer) {
			r, w, err := aionet.OpenConnection(ctx, "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.WriteString(line)
			return r, w
		}
		for _, line := range []string{"fail\n", "panic\n"} {
			r, w := say(line)
			if _, err := r.ReadAll(); err != nil {
				t.Errorf("%q: the client sees %v", line, err)
			}
			w.Close()
		}
		r, w := say("stay\n")
		if _, err := r.ReadLine(); err != nil {
			return err
		}
		stop() // cancels the handler
		w.Close()
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 2 || !errors.Is(reports[0].Err, boom) || !errors.As(reports[1].Err, new(*asyncio.PanicError)) ||
		!strings.Contains(reports[0].Message, "serving tcp 127.0.0.1:") {
		t.Errorf("reports: %+v", reports)
	}
}

// What a handler wrote last arrives, however slowly the client takes it, and however the connection ends.
func TestStartServer_connectionEnds_theRestIsSent(t *testing.T) {
	boom := errors.New("boom")
	for name, end := range map[string]func(*aionet.Server, *aionet.Reader) error{
		"the handler returns": func(*aionet.Server, *aionet.Reader) error { return nil },
		"the handler fails":   func(*aionet.Server, *aionet.Reader) error { return boom },
		"the server closes it": func(s *aionet.Server, r *aionet.Reader) error {
			s.CloseClients()
			_, err := r.ReadLine()
			return err
		},
	} {
		t.Run(name+", plain", func(t *testing.T) { restIsSent(t, end, nil, nil) })
		t.Run(name+", TLS", func(t *testing.T) {
			restIsSent(t, end, []aionet.StreamOption{aionet.WithTLS(serverConfig())}, []aionet.StreamOption{aionet.WithTLS(clientConfig())})
		})
	}
}

func restIsSent(t *testing.T, end func(*aionet.Server, *aionet.Reader) error, server, client []aionet.StreamOption) {
	const size = 6 << 20
	ignore := asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {})
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var s *aionet.Server
		s, err := aionet.StartServer(ctx, "tcp", "127.0.0.1:0", func(_ context.Context, r *aionet.Reader, w *aionet.Writer) error {
			_, _ = w.Write(make([]byte, size))
			return end(s, r)
		}, server...)
		if err != nil {
			return err
		}
		r, w, err := aionet.OpenConnection(ctx, "tcp", s.Addrs()[0].String(), client...)
		if err != nil {
			return err
		}
		turns(ctx)
		got, err := r.ReadAll()
		if len(got) != size {
			t.Errorf("%d bytes arrived", len(got))
		}
		w.Close()
		_ = s.Shutdown(ctx)
		return err
	}, ignore)
	if err != nil {
		t.Error(err)
	}
}

// upgrader is a server that speaks plain text until it is asked for TLS.
func upgrader(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
	if line, err := r.ReadLine(); err != nil || string(line) != "STARTTLS\n" {
		return fmt.Errorf("%q, %w", line, err)
	}
	_, _ = w.WriteString("GO\n")
	if err := w.StartTLS(ctx, r, serverConfig(), aionet.ServerSide); err != nil {
		return err
	}
	if _, ok := w.Conn().(*aionet.TLSConn); !ok {
		return fmt.Errorf("the connection is a %T", w.Conn())
	}
	for line, err := range r.Lines() {
		if err != nil {
			return err
		}
		_, _ = w.Writev([]byte("secret "), line)
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// conformance: stream-server-02 tls-16
func TestWriter_startTLS_upgradesInTheMiddle(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			addr, stop := serveStreams(t, ctx, network, upgrader)
			r, w, err := aionet.OpenConnection(ctx, network, addr)
			if err != nil {
				return err
			}
			_, _ = w.WriteString("STARTTLS\n")
			line, err := r.ReadLine()
			wantBytes(t, "the answer", line, err, "GO\n")
			if err := w.StartTLS(ctx, r, clientConfig(), aionet.ClientSide); err != nil {
				return err
			}
			state := w.Conn().(*aionet.TLSConn).ConnectionState()
			if !state.HandshakeComplete || len(state.PeerCertificates) != 1 {
				t.Errorf("state %+v", state)
			}
			for i := range 3 {
				fmt.Fprintf(w, "line %d\n", i)
				line, err := r.ReadLine()
				wantBytes(t, "ReadLine", line, err, fmt.Sprintf("secret line %d\n", i))
			}
			if err := w.WriteEOF(); err != nil { // a close-notify, which the server answers with its own
				return err
			}
			rest, err := r.ReadAll()
			wantBytes(t, "the end", rest, err, "")
			w.Close()
			err = w.WaitClosed(ctx)
			stop()
			return err
		})
	})
}

// A client that does not wait for the answer sends the beginning of TLS together with its request: the Reader has that
// already when it is told to start TLS.
func TestWriter_startTLS_losesNothingThatWasRead(t *testing.T) {
	run(t, func(ctx context.Context) error {
		addr, stop := serveStreams(t, ctx, "tcp", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			if _, err := r.Peek(len("STARTTLS\n") + 50); err != nil {
				return err
			}
			return upgrader(ctx, r, w)
		})
		c, err := aionet.Dial(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		eager := &eagerClient{Conn: c, first: []byte("STARTTLS\n"), skip: 3}
		secure, err := aionet.StartTLS(ctx, eager, clientConfig(), aionet.ClientSide)
		if err != nil {
			return err
		}
		if err := roundTripOf(secure, "hush\n", "secret hush\n"); err != nil {
			t.Error(err)
		}
		secure.Close()
		stop()
		return nil
	})
}

// eagerClient sends a line together with the first write, and skips the answer to it.
type eagerClient struct {
	net.Conn
	first []byte
	skip  int
}

func (c *eagerClient) Write(p []byte) (int, error) {
	if c.first == nil {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(append(c.first, p...))
	n -= len(c.first)
	c.first = nil
	return n, err
}

func (c *eagerClient) Read(p []byte) (int, error) {
	for c.skip > 0 {
		n, err := c.Conn.Read(p[:min(len(p), c.skip)])
		if c.skip -= n; err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func roundTripOf(c net.Conn, say, want string) error {
	if _, err := io.WriteString(c, say); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		return fmt.Errorf("said %q, got %q, %w", say, got, err)
	}
	return nil
}

// Plain text that somebody slipped in behind the request must not be taken for what came encrypted.
func TestWriter_startTLS_refusesPlainTextThatWasSlippedIn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var refused error
		addr, stop := serveStreams(t, ctx, "tcp", func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
			if _, err := r.Peek(20); err != nil {
				return err
			}
			refused = upgrader(ctx, r, w)
			return nil
		})
		r, w, err := aionet.OpenConnection(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		_, _ = w.WriteString("STARTTLS\nMAIL FROM:<thief@example.test>\n")
		got, _ := r.ReadAll()
		if strings.Contains(string(got), "secret") {
			t.Errorf("the server took the command: %q", got)
		}
		w.Close()
		stop()
		if !errors.As(refused, new(tls.RecordHeaderError)) {
			t.Errorf("the server's StartTLS = %v", refused)
		}
		return nil
	})
}

func TestWriter_startTLS_ofStreamsThatDoNotBelongTogether_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		w := aionet.NewWriter(ctx, a)
		if err := w.StartTLS(ctx, aionet.NewReader(b), clientConfig(), aionet.ClientSide); err == nil || !strings.Contains(err.Error(), "not that of the Writer") {
			t.Errorf("StartTLS = %v", err)
		}
		return w.Close()
	})
}
