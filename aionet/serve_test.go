package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func echo(_ context.Context, c net.Conn) error {
	_, err := io.Copy(c, c)
	return err
}

// serving runs a server as a task while body runs, and returns what Serve returned after body's end.
func serving(t *testing.T, ctx context.Context, network string, handler aionet.Handler, opts []aionet.ServeOption,
	body func(addr string) error) error {
	t.Helper()
	ln, err := aionet.Listen(ctx, network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, handler, opts...) })
	if err := body(ln.Addr().String()); err != nil {
		t.Error(err)
	}
	server.Cancel()
	_, err = server.Await(ctx)
	return err
}

func roundTrip(ctx context.Context, c net.Conn, message string) error {
	if _, err := c.Write([]byte(message)); err != nil {
		return err
	}
	buf := make([]byte, len(message))
	if _, err := io.ReadFull(c, buf); err != nil {
		return err
	}
	if string(buf) != message {
		return fmt.Errorf("sent %q, got back %q", message, buf)
	}
	return nil
}

func TestServe_echoToAThousandConnections(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			const connections = 1000
			err := serving(t, ctx, network, echo, nil, func(addr string) error {
				_, err := asyncio.Map(ctx, 200, numbers(connections), func(ctx context.Context, i int) (int, error) {
					c, err := aionet.Dial(ctx, network, addr)
					if err != nil {
						return 0, err
					}
					for round := range 3 {
						if err := roundTrip(ctx, c, fmt.Sprintf("connection %d, round %d", i, round)); err != nil {
							return 0, err
						}
					}
					return 0, c.Close()
				})
				return err
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Serve = %v", err)
			}
			return nil
		})
	})
}

func numbers(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestServe_cancelled_cancelsItsConnectionsAndWaitsForThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var began asyncio.Event
		cleanedUp := false
		handler := func(ctx context.Context, c net.Conn) error {
			began.Set()
			_, err := c.Read(make([]byte, 1))
			_ = asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 5*time.Millisecond) })
			cleanedUp = true
			return err
		}
		err := serving(t, ctx, "tcp", handler, nil, func(addr string) error {
			if _, err := aionet.Dial(ctx, "tcp", addr); err != nil {
				return err
			}
			return began.Wait(ctx)
		})
		if !errors.Is(err, context.Canceled) || !cleanedUp {
			t.Errorf("Serve = %v, handler cleaned up: %v", err, cleanedUp)
		}
		return nil
	})
}

func TestServe_withDrain_letsConnectionsFinish(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var began asyncio.Event
		handler := func(ctx context.Context, c net.Conn) error {
			began.Set()
			if err := asyncio.Sleep(ctx, 20*time.Millisecond); err != nil {
				return err
			}
			_, err := c.Write([]byte("finished"))
			return err
		}
		var client *aionet.Conn
		_ = serving(t, ctx, "tcp", handler, []aionet.ServeOption{aionet.WithDrain(20 * time.Second)}, func(addr string) (err error) {
			if client, err = aionet.Dial(ctx, "tcp", addr); err != nil {
				return err
			}
			return began.Wait(ctx)
		})
		got, err := io.ReadAll(client)
		if string(got) != "finished" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		return nil
	})
}

func TestServe_listenerClosed_returnsNil(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo) })
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		ln.Close()
		_, err = server.Await(ctx)
		return err
	})
}

// An error, a panic and a Goexit end their own connection, are reported, and nothing else.
func TestServe_handlerFails_isReportedAndTheServerGoesOn(t *testing.T) {
	var reports []string
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		handler := func(ctx context.Context, c net.Conn) error {
			buf := make([]byte, 1)
			if _, err := c.Read(buf); err != nil {
				return err
			}
			switch buf[0] {
			case 'e':
				return errors.New("handler's error")
			case 'p':
				panic("handler's panic")
			case 'g':
				runtime.Goexit()
			}
			_, err := c.Write(buf)
			return err
		}
		_ = serving(t, ctx, "tcp", handler, nil, func(addr string) error {
			for _, what := range []string{"e", "p", "g"} {
				c, err := aionet.Dial(ctx, "tcp", addr)
				if err != nil {
					return err
				}
				if err := roundTrip(ctx, c, what); err != io.EOF {
					t.Errorf("%s: the client got %v, want EOF", what, err)
				}
				c.Close()
			}
			c, err := aionet.Dial(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			return roundTrip(ctx, c, "x")
		})
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) {
		reports = append(reports, info.Message+": "+info.Err.Error())
	}))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(reports, "\n")
	if len(reports) != 3 || !strings.Contains(all, "handler's error") || !strings.Contains(all, "handler's panic") {
		t.Errorf("reported:\n%s", all)
	}
}

// timedOut returns a listener at which an Accept has timed out.
func timedOut(t *testing.T, ctx context.Context, network string) *aionet.Listener {
	t.Helper()
	ln, err := aionet.Listen(ctx, network, address(t, network))
	must(t, err)
	err = asyncio.Timeout(ctx, time.Millisecond, func(context.Context) error {
		_, err := ln.Accept()
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept = %v", err)
	}
	return ln
}

func TestAccept_cancelled_leavesTheConnectionInTheQueue(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln := timedOut(t, ctx, network)
			if _, err := aionet.Dial(ctx, network, ln.Addr().String()); err != nil {
				return err
			}
			_, err := ln.Accept()
			return err
		})
	})
}

// An accepted connection has the address that was dialed, whether its listener is at that one or at all.
func TestAccept_localAddr_isTheDialedOne(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", ":0"} {
			ln, err := aionet.Listen(ctx, "tcp", at)
			must(t, err)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
				c, err := aionet.Dial(ctx, "tcp", net.JoinHostPort(host, port))
				if err != nil {
					continue // it does not listen there
				}
				accepted, err := ln.Accept()
				must(t, err)
				if got, want := accepted.LocalAddr().String(), c.RemoteAddr().String(); got != want {
					t.Errorf("at %s, dialed by %s: LocalAddr is %s, want %s", at, host, got, want)
				}
			}
		}
		return nil
	})
}

func TestListener_onAGoroutine_isANetListener(t *testing.T) {
	l := background(t)
	ln, err := on(l, func(ctx context.Context) (*aionet.Listener, error) { return aionet.Listen(ctx, "tcp", "127.0.0.1:0") })
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		done <- echo(context.Background(), c)
		_, err = ln.Accept()
		done <- err
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := roundTrip(context.Background(), c, "hello"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	go ln.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Accept after Close = %v", err)
	}
}

func TestListen_unixFile_isRemovedByClose(t *testing.T) {
	run(t, func(ctx context.Context) error {
		name := filepath.Join(t.TempDir(), "socket")
		ln, err := aionet.Listen(ctx, "unix", name)
		if err != nil {
			return err
		}
		ln.Close()
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after Close: %v", err)
		}
		return nil
	})
}

// conformance: net-server-10 net-server-14
func TestListen_addressInUse_saysSo(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		_, err = aionet.Listen(ctx, "tcp", ln.Addr().String())
		if err == nil || !strings.Contains(err.Error(), "aionet: listen tcp "+ln.Addr().String()) {
			t.Errorf("got %v", err)
		}
		if runtime.GOOS != "windows" && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("not the system's error: %v", err)
		}
		_, err = aionet.Listen(ctx, "udp", "127.0.0.1:0")
		var unknown net.UnknownNetworkError
		if !errors.As(err, &unknown) {
			t.Errorf("udp: %v", err)
		}
		return nil
	})
}

func TestListen_restartAtTheSameAddress_works(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		client, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		server, err := ln.Accept()
		if err != nil {
			return err
		}
		server.Close() // this end keeps the port, in TIME_WAIT
		ln.Close()
		if _, err := io.ReadAll(client); err != nil {
			return err
		}
		client.Close()
		_, err = aionet.Listen(ctx, "tcp", ln.Addr().String())
		return err
	})
}

func TestListen_withReusePort_sharesTheAddress(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot share a port")
	}
	run(t, func(ctx context.Context) error {
		a, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0", aionet.WithReusePort())
		if err != nil {
			return err
		}
		_, err = aionet.Listen(ctx, "tcp", a.Addr().String(), aionet.WithReusePort())
		return err
	})
}
