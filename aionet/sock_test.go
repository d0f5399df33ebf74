package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// conformance: sock-01 sock-04
func TestConn_largeContentBothWaysAtOnce_arrivesWhole(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			there := bytes.Repeat([]byte("0123456789"), 1<<19)
			back := bytes.Repeat([]byte("abcdefghij"), 1<<19)
			send := func(c *aionet.Conn, data []byte) func(context.Context) error {
				return func(context.Context) error {
					_, err := c.Write(data)
					return errors.Join(err, c.CloseWrite())
				}
			}
			var got [2][]byte
			err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				g.Go(send(a, there))
				g.Go(send(b, back))
				g.Go(func(context.Context) (err error) { got[0], err = io.ReadAll(b); return err })
				g.Go(func(context.Context) (err error) {
					got[1] = make([]byte, len(back)) // a buffer that is given
					_, err = io.ReadFull(a, got[1])
					return err
				})
				return nil
			})
			if !bytes.Equal(got[0], there) || !bytes.Equal(got[1], back) {
				t.Errorf("%d and %d bytes arrived, want %d", len(got[0]), len(got[1]), len(there))
			}
			return err
		})
	})
}

// conformance: sock-03 sock-08
func TestDial_againAfterOneThatWasCancelled_connects(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		first := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
			return err
		}, asyncio.EagerStart(true))
		first.Cancel()
		first.Await(ctx)
		client, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		for { // what the first one has left in the queue comes before
			server, err := ln.Accept()
			if err != nil {
				return err
			}
			defer server.Close()
			if server.RemoteAddr().String() == client.LocalAddr().String() {
				return nil
			}
		}
	})
}

// conformance: sock-09
func TestAccept_timedOut_leavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		err = asyncio.Timeout(ctx, time.Millisecond, func(context.Context) error {
			_, err := ln.Accept()
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Accept = %v", err)
		}
		ln.Close()
		if c, err := aionet.Dial(ctx, "tcp", ln.Addr().String()); err == nil {
			c.Close()
			t.Error("somebody listens still")
		}
		return nil
	})
}

// conformance: net-server-17 net-server-18
func TestAccept_manyPending_andOneThatGaveUp_allOthersAreAccepted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		want := map[string]bool{}
		for i := range 20 {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			if i%5 == 0 {
				c.(*net.TCPConn).SetLinger(0) // closing it resets the connection
				c.Close()
				continue
			}
			defer c.Close()
			want[c.LocalAddr().String()] = true
		}
		for len(want) > 0 {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			delete(want, c.RemoteAddr().String())
			c.Close()
		}
		return nil
	})
}

// conformance: sendfile-02 sendfile-04 sendfile-06
func TestReadFrom_file_countAndPosition(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	for _, kind := range []string{"by the system", "copied"} {
		t.Run(kind, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				a, b := pipe(t, ctx, "tcp")
				var to io.Writer = a
				if kind == "copied" {
					to = struct{ io.Writer }{a} // hides ReadFrom
				}
				f := file(t, data)
				position := func(want int64) {
					t.Helper()
					if at, err := f.Seek(0, io.SeekCurrent); at != want || err != nil {
						t.Errorf("the file is at %d, want %d; %v", at, want, err)
					}
				}
				reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
				if n, err := io.CopyN(to, f, 3000); n != 3000 || err != nil {
					t.Errorf("a part: %d, %v", n, err)
				}
				if kind != "copied" { // io.Copy reads into a buffer, which may be ahead
					position(3000)
				}
				f.Seek(3000, io.SeekStart)
				if n, err := io.Copy(to, f); n != 7000 || err != nil {
					t.Errorf("the rest: %d, %v", n, err)
				}
				position(10000)
				if n, err := io.Copy(to, file(t, nil)); n != 0 || err != nil {
					t.Errorf("an empty file: %d, %v", n, err)
				}
				a.Close()
				got, err := reader.Await(ctx)
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived, want %d", len(got), len(data))
				}
				return err
			})
		})
	}
}

// conformance: sendfile-01 sendfile-03 sendfile-18
func TestReadFrom_whatTheSystemCannotSend_isCopied_andNothingForNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		r, w, err := os.Pipe() // no regular file
		if err != nil {
			return err
		}
		defer r.Close()
		w.WriteString("from a pipe")
		w.Close()
		if n, err := io.Copy(a, r); n != 11 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		f := file(t, []byte("x"))
		if n, err := io.Copy(a, &io.LimitedReader{R: f, N: -1}); n != 0 || err != nil {
			t.Errorf("a negative count: %d, %v", n, err)
		}
		f.Close()
		if n, err := io.Copy(a, f); n != 0 || !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file: %d, %v", n, err)
		}
		a.Close()
		if got, err := io.ReadAll(b); string(got) != "from a pipe" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		return nil
	})
}

// conformance: net-server-02
func TestListen_sharedPort_whereThereIsNoSuchThing_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := aionet.Listen(ctx, "unix", address(t, "unix"), aionet.WithReusePort())
		if err == nil || !strings.Contains(err.Error(), "WithReusePort") {
			t.Errorf("Listen = %v", err)
		}
		return nil
	})
}

// conformance: net-unix-08 net-unix-10
func TestUnix_optionsOfTLS_whereTheyMeanNothingOrAreMissing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		path := address(t, "unix")
		timeout := aionet.WithHandshakeTimeout(time.Second)
		if _, err := aionet.Listen(ctx, "unix", path, timeout); err == nil {
			t.Error("Listen took a handshake timeout")
		}
		if _, err := aionet.Dial(ctx, "unix", path, timeout); err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("Dial with a handshake timeout: %v", err)
		}
		ln, err := aionet.Listen(ctx, "unix", path)
		if err != nil {
			return err
		}
		defer ln.Close()
		if _, err := aionet.DialTLS(ctx, "unix", path, &tls.Config{}); err == nil || !strings.Contains(err.Error(), "ServerName") {
			t.Errorf("DialTLS without a name to check: %v", err)
		}
		return nil
	})
}
