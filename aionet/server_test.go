package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// started returns a server that serves in the background, and its address.
func started(t testing.TB, ctx context.Context, network string, handler aionet.Handler, opts ...aionet.ServeOption) (*aionet.Server, string) {
	t.Helper()
	ln, err := aionet.Listen(ctx, network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	s := aionet.NewServer(ctx, handler, opts...)
	if err := errors.Join(s.AddListener(ln), s.Start()); err != nil {
		t.Fatal(err)
	}
	return s, ln.Addr().String()
}

// dialed returns a connection to addr that closes with the test.
func dialed(t testing.TB, ctx context.Context, network, addr string) *aionet.Conn {
	t.Helper()
	c, err := aionet.Dial(ctx, network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// isPending reports that a task is not done although everybody has had some turns.
func isPending(ctx context.Context, task *asyncio.Task[asyncio.None]) bool {
	for range 20 {
		_ = asyncio.Yield(ctx)
	}
	return !task.Done()
}

// conformance: server-01 server-02 server-03 net-server-08 net-server-11 sock-08
func TestServer_startsAndServesAndClosesWithServeForever(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.Listen(ctx, network, address(t, network))
			if err != nil {
				return err
			}
			addr := ln.Addr().String()
			var from net.Addr
			s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
				from = c.RemoteAddr()
				return echo(ctx, c)
			})
			if err := s.Start(); err == nil || !strings.Contains(err.Error(), "no listener") {
				t.Errorf("Start without a listener = %v", err)
			}
			if err := s.AddListener(ln); err != nil {
				return err
			}
			if s.IsServing() || s.Loop() != asyncio.RunningLoop(ctx) || !strings.Contains(s.String(), "not started") {
				t.Errorf("before: serving %v, %s", s.IsServing(), s)
			}
			forever := asyncio.Go(ctx, s.ServeForever)
			c := dialed(t, ctx, network, addr)
			if err := roundTrip(ctx, c, "hello"); err != nil {
				return err
			}
			if from.Network() != network || network == "tcp" && from.String() != c.LocalAddr().String() {
				t.Errorf("the handler's peer is %v", from)
			}
			if !s.IsServing() || len(s.Addrs()) != 1 || s.Addrs()[0].String() != addr || s.Connections() != 1 || s.Start() != nil {
				t.Errorf("while it serves: %s, Start = %v", s, s.Start())
			}
			if err := s.ServeForever(ctx); err == nil || !strings.Contains(err.Error(), "under way") {
				t.Errorf("a second ServeForever = %v", err)
			}
			forever.Cancel()
			if _, err := forever.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("ServeForever = %v", err)
			}
			if s.IsServing() || len(s.Addrs()) != 0 || s.Connections() != 0 || !strings.Contains(s.String(), "closed") {
				t.Errorf("after: %s", s)
			}
			if err := s.ServeForever(ctx); !errors.Is(err, aionet.ErrServerClosed) || !errors.Is(s.Start(), net.ErrClosed) {
				t.Errorf("ServeForever again = %v, Start = %v", err, s.Start())
			}
			if _, err := aionet.Dial(ctx, network, addr); err == nil {
				t.Error("somebody still answers")
			}
			return nil
		})
	})
}

// pitfall: 39
// conformance: server-04
func TestServerWaitClosed_waitsForCloseAndForTheLastConnection(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			s, addr := started(t, ctx, network, echo)
			wait := asyncio.Go(ctx, s.WaitClosed)
			if !isPending(ctx, wait) {
				t.Error("WaitClosed returned before Close")
			}
			c := dialed(t, ctx, network, addr)
			if err := roundTrip(ctx, c, "x"); err != nil {
				return err
			}
			s.Close()
			s.Close()
			if !isPending(ctx, wait) {
				t.Error("WaitClosed returned while there is a connection")
			}
			if err := roundTrip(ctx, c, "Close leaves connections alone"); err != nil {
				t.Error(err)
			}
			c.Close()
			if _, err := wait.Await(ctx); err != nil {
				return err
			}
			return s.WaitClosed(ctx)
		})
	})
}

// pitfall: 39
// conformance: server-05
func TestServerWaitClosed_closedInTheTurnInWhichTheLastConnectionEnds_returns(t *testing.T) {
	for _, closeFirst := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			var end asyncio.Event
			s, addr := started(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
				_, _ = c.Write([]byte("x"))
				return end.Wait(ctx)
			})
			c := dialed(t, ctx, "tcp", addr)
			defer c.Close()
			if _, err := c.Read(make([]byte, 1)); err != nil {
				return err
			}
			wait := asyncio.Go(ctx, s.WaitClosed)
			if !isPending(ctx, wait) {
				t.Error("WaitClosed returned too early")
			}
			if closeFirst {
				s.Close()
				end.Set()
			} else {
				end.Set()
				s.Close()
			}
			_, err := wait.Await(ctx)
			return err
		})
	}
}

// stuffed is a handler that writes to a peer that does not read, and says when it waits for room.
func stuffed(full *asyncio.Event, wrote *error) aionet.Handler {
	return func(ctx context.Context, c net.Conn) error {
		chunk := make([]byte, 1<<20)
		for *wrote == nil {
			asyncio.RunningLoop(ctx).CallLater(50*time.Millisecond, full.Set)
			_, *wrote = c.Write(chunk)
		}
		return *wrote
	}
}

// pitfall: 39
// conformance: server-06
func TestServerCloseClients_endsEveryConnectionAndTheServerGoesOn(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			s, addr := started(t, ctx, network, echo)
			a, b := dialed(t, ctx, network, addr), dialed(t, ctx, network, addr)
			if err := errors.Join(roundTrip(ctx, a, "a"), roundTrip(ctx, b, "b")); err != nil {
				return err
			}
			s.CloseClients()
			for _, c := range []net.Conn{a, b} {
				if _, err := io.ReadAll(c); err != nil {
					t.Errorf("a closed client reads %v, want the end", err)
				}
			}
			if err := roundTrip(ctx, dialed(t, ctx, network, addr), "another"); err != nil {
				t.Error(err)
			}
			s.Close()
			s.CloseClients()
			return s.WaitClosed(ctx)
		})
	})
}

// pitfall: 39
// conformance: server-07
func TestServerAbortClients_endsThemThoughTheirBuffersAreFull(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			var full asyncio.Event
			var wrote error
			s, addr := started(t, ctx, network, stuffed(&full, &wrote))
			c := dialed(t, ctx, network, addr)
			if err := full.Wait(ctx); err != nil {
				return err
			}
			s.Close()
			s.AbortClients()
			if err := s.WaitClosed(ctx); err != nil {
				return err
			}
			if !errors.Is(wrote, net.ErrClosed) {
				t.Errorf("the handler's Write = %v", wrote)
			}
			n, err := io.Copy(io.Discard, c)
			if network == "tcp" && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client read %d bytes and %v, want a reset", n, err)
			}
			return nil
		})
	})
}

// Handlers finish if they can, are cancelled if not, and those that do not mind lose their connection.
func TestServerShutdown_drainsThenCancelsThenResets(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var quick, told, reset error
		var full asyncio.Event
		s, addr := started(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
			kind := make([]byte, 1)
			if _, err := c.Read(kind); err != nil {
				return err
			}
			switch kind[0] {
			case 'q': // has something to finish
				quick = asyncio.Sleep(ctx, 10*time.Millisecond)
				_, _ = c.Write([]byte("done"))
			case 'c': // can be cancelled
				told = asyncio.Sleep(ctx, asyncio.Forever)
			case 'h': // hangs in its clean-up
				_ = asyncio.Shield(ctx, func(ctx context.Context) error { return stuffed(&full, &reset)(ctx, c) })
			}
			return nil
		}, aionet.WithDrain(100*time.Millisecond), aionet.WithAbortAfter(20*time.Millisecond))
		clients := map[string]*aionet.Conn{}
		for _, kind := range []string{"q", "c", "h"} {
			clients[kind] = dialed(t, ctx, "tcp", addr)
			if _, err := clients[kind].Write([]byte(kind)); err != nil {
				return err
			}
		}
		if err := full.Wait(ctx); err != nil {
			return err
		}
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v", err)
		}
		if got, _ := io.ReadAll(clients["q"]); string(got) != "done" || quick != nil {
			t.Errorf("the quick one was told %v and answered %q", quick, got)
		}
		if !errors.Is(told, aionet.ErrServerClosed) || !errors.Is(reset, net.ErrClosed) {
			t.Errorf("one was cancelled by %v, the other one's Write ended with %v", told, reset)
		}
		if s.Connections() != 0 || s.Shutdown(ctx) != nil {
			t.Errorf("after Shutdown: %s", s)
		}
		return nil
	})
}

func TestIdle_serverCloses_endsIdleHandlersAtOnceAndLetsTheOthersFinish(t *testing.T) {
	reported := false
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var idle error
		var answering, answer asyncio.Event
		s, addr := started(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
			for buf := make([]byte, 1); ; {
				err := aionet.Idle(ctx, func(context.Context) error {
					_, err := c.Read(buf)
					return err
				})
				if err != nil {
					idle = err
					return err
				}
				answering.Set()
				if err := answer.Wait(ctx); err != nil {
					return err
				}
				if _, err := c.Write(buf); err != nil {
					return err
				}
			}
		}, aionet.WithDrain(time.Hour))
		busy, still := dialed(t, ctx, "tcp", addr), dialed(t, ctx, "tcp", addr)
		if _, err := busy.Write([]byte("b")); err != nil {
			return err
		}
		if err := answering.Wait(ctx); err != nil {
			return err
		}
		for s.Connections() < 2 {
			_ = asyncio.Yield(ctx)
		}
		_ = asyncio.Sleep(ctx, time.Millisecond)
		end := asyncio.Go(ctx, s.Shutdown)
		if got, err := io.ReadAll(still); len(got) > 0 || err != nil {
			t.Errorf("the idle one got %q, %v", got, err)
		}
		if !errors.Is(idle, aionet.ErrServerClosed) || !isPending(ctx, end) {
			t.Errorf("its handler was told %v", idle)
		}
		answer.Set()
		if got, err := io.ReadAll(busy); string(got) != "b" || err != nil {
			t.Errorf("the busy one got %q, %v", got, err)
		}
		_, err := end.Await(ctx)
		if err != nil || aionet.Idle(ctx, func(context.Context) error { return io.EOF }) != io.EOF {
			t.Errorf("Shutdown = %v", err)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = true; t.Log(info.Message, info.Err) }))
	if err != nil || reported {
		t.Errorf("%v, reported: %v", err, reported)
	}
}

// At the limit connections wait in the system's queue, also if they come by different listeners.
func TestWithMaxConnections_atTheLimit_acceptsNoMoreUntilOneEnds(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			s, addr := started(t, ctx, network, echo, aionet.WithMaxConnections(2))
			second, err := aionet.Listen(ctx, network, address(t, network))
			if err != nil {
				return err
			}
			if err := s.AddListener(second); err != nil {
				return err
			}
			a, b := dialed(t, ctx, network, addr), dialed(t, ctx, network, second.Addr().String())
			if err := errors.Join(roundTrip(ctx, a, "a"), roundTrip(ctx, b, "b")); err != nil {
				return err
			}
			c, d := dialed(t, ctx, network, addr), dialed(t, ctx, network, second.Addr().String())
			for i, more := range []*aionet.Conn{c, d} {
				err := asyncio.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error { return roundTrip(ctx, more, "m") })
				if !errors.Is(err, context.DeadlineExceeded) || s.Connections() != 2 {
					t.Errorf("beyond the limit, %d: %v, %s", i, err, s)
				}
			}
			a.Close()
			b.Close()
			for _, next := range []*aionet.Conn{c, d} {
				got := make([]byte, 1) // what was sent before
				if _, err := next.Read(got); err != nil || got[0] != 'm' {
					t.Errorf("after one has ended: %q, %v", got, err)
				}
			}
			c.Close()
			d.Close()
			_ = s.Shutdown(ctx)
			return nil
		})
	})
	mustPanic(t, "WithMaxConnections", func() { aionet.WithMaxConnections(0) })
}

func mustPanic(t *testing.T, message string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v == nil || !strings.Contains(v.(string), message) {
			t.Errorf("panicked with %v, want %q", v, message)
		}
	}()
	fn()
}

func TestServer_misuse(t *testing.T) {
	other := background(t)
	foreign, err := on(other, func(ctx context.Context) (*aionet.Listener, error) { return aionet.Listen(ctx, "tcp", "127.0.0.1:0") })
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error {
		mustPanic(t, "nil handler", func() { aionet.NewServer(ctx, nil) })
		s := aionet.NewServer(ctx, echo)
		mustPanic(t, "nil listener", func() { _ = s.AddListener(nil) })
		if err := s.AddListener(foreign); err == nil || !strings.Contains(err.Error(), "another loop") {
			t.Errorf("another loop's listener: %v", err)
		}
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			mustPanic(t, "Server.Close: called on a goroutine", s.Close)
			return 0, nil
		})
		s.Close()
		if err := s.AddListener(foreign); !errors.Is(err, aionet.ErrServerClosed) {
			t.Errorf("AddListener after Close: %v", err)
		}
		return errors.Join(err, s.Shutdown(ctx))
	})
}

// conformance: net-server-07 net-server-15 net-server-01
func TestListenAll_severalHosts_oneListenerEachAndOnePort(t *testing.T) {
	run(t, func(ctx context.Context) error {
		lns, err := aionet.ListenAll(ctx, "tcp", []string{"127.0.0.1:0", "[::1]:0", "127.0.0.1:0", "127.0.0.2:0"})
		if err != nil {
			return err
		}
		s := aionet.NewServer(ctx, echo)
		if err := errors.Join(s.AddListener(lns...), s.Start()); err != nil {
			return err
		}
		if len(lns) != 3 {
			t.Fatalf("%d listeners, want 3 without the duplicate: %s", len(lns), s)
		}
		_, port, _ := net.SplitHostPort(lns[0].Addr().String())
		for i, host := range []string{"127.0.0.1", "::1", "127.0.0.2"} {
			want := net.JoinHostPort(host, port)
			if lns[i].Addr().String() != want {
				t.Errorf("listener %d is at %s, want %s", i, lns[i].Addr(), want)
			}
			if err := roundTrip(ctx, dialed(t, ctx, "tcp", want), "hello"); err != nil {
				t.Error(err)
			}
		}
		all, err := aionet.Listen(ctx, "tcp", ":0")
		if err != nil {
			return err
		}
		if err := s.AddListener(all); err != nil {
			return err
		}
		_, port, _ = net.SplitHostPort(all.Addr().String())
		for _, host := range []string{"127.0.0.1", "::1"} {
			if err := roundTrip(ctx, dialed(t, ctx, "tcp", net.JoinHostPort(host, port)), "hello"); err != nil {
				t.Errorf("no host, dialed by %s: %v", host, err)
			}
		}
		_ = s.Shutdown(ctx)
		return nil
	})
}

// conformance: net-server-03 net-server-14
func TestListenAll_oneCannotBeOpened_opensNone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		taken, err := aionet.Listen(ctx, "tcp", "127.0.0.2:0")
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		_, err = aionet.ListenAll(ctx, "tcp", []string{"127.0.0.1:" + port, taken.Addr().String()})
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("ListenAll = %v", err)
		}
		free, err := aionet.Listen(ctx, "tcp", "127.0.0.1:"+port)
		if err != nil {
			return err // the first one was left open
		}
		free.Close()
		if _, err := aionet.ListenAll(ctx, "tcp", nil); err == nil {
			t.Error("ListenAll of nothing succeeded")
		}
		return nil
	})
}

// conformance: net-unix-01
func TestListen_unixFileThatNobodyListensAt_isReplaced(t *testing.T) {
	run(t, func(ctx context.Context) error {
		path := filepath.Join(t.TempDir(), "socket")
		dead, err := aionet.Listen(ctx, "unix", path, aionet.WithUnlink(false))
		if err != nil {
			return err
		}
		dead.Close()
		if _, err := os.Lstat(path); err != nil {
			t.Fatalf("WithUnlink(false) removed the file: %v", err)
		}
		ln, err := aionet.Listen(ctx, "unix", path)
		if err != nil {
			return err
		}
		_, err = aionet.Listen(ctx, "unix", path)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "somebody answers") {
			t.Errorf("Listen where somebody does: %v", err)
		}
		c := dialed(t, ctx, "unix", path)
		for range 2 { // the first is Listen's question
			if _, err := ln.Accept(); err != nil {
				return err
			}
		}
		return errors.Join(c.Close(), ln.Close())
	})
}

// conformance: net-unix-03 net-unix-09 net-server-02
func TestListen_unixPathOfAnOrdinaryFile_isInUseAndTheFileStays(t *testing.T) {
	run(t, func(ctx context.Context) error {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			return err
		}
		_, err := aionet.Listen(ctx, "unix", path)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "is no socket") {
			t.Errorf("Listen = %v", err)
		}
		if got, err := os.ReadFile(path); string(got) != "precious" {
			t.Errorf("the file has %q, %v", got, err)
		}
		if _, err := aionet.Listen(ctx, "unix", filepath.Join(path, "below")); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("below a file: %v", err)
		}
		_, err = aionet.Listen(ctx, "unix", filepath.Join(t.TempDir(), "s"), aionet.WithReusePort())
		if err == nil || !strings.Contains(err.Error(), "Clone") {
			t.Errorf("WithReusePort: %v", err)
		}
		return nil
	})
}

func TestListen_withFileMode_setsItExactly(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, mode := range []os.FileMode{0o600, 0o666} {
			ln, err := aionet.Listen(ctx, "unix", filepath.Join(t.TempDir(), "socket"), aionet.WithFileMode(mode))
			if err != nil {
				return err
			}
			info, err := os.Stat(ln.Addr().String())
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("the file has %v, %v, want %v", info.Mode(), err, mode)
			}
			ln.Close()
		}
		return nil
	})
}

// conformance: server-11
func TestListen_withUnlinkFalse_leavesTheFile(t *testing.T) {
	run(t, func(ctx context.Context) error {
		path := filepath.Join(t.TempDir(), "socket")
		ln, err := aionet.Listen(ctx, "unix", path, aionet.WithUnlink(false))
		if err != nil {
			return err
		}
		ln.Close()
		if err := aionet.Serve(ctx, ln, echo); err != nil {
			t.Errorf("Serve at a closed listener = %v", err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the file: %v", err)
		}
		return nil
	})
}

// What waits before the server starts is all accepted, though it is reported once, and those that have gone are passed
// over.
//
// conformance: net-server-17 net-server-18
func TestServer_manyWaitAndSomeHaveGone_acceptsTheRest(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.Listen(ctx, network, address(t, network))
			if err != nil {
				return err
			}
			var clients []*aionet.Conn
			for i := range 200 {
				c := dialed(t, ctx, network, ln.Addr().String())
				if i%3 == 0 {
					c.Abort()
					continue
				}
				clients = append(clients, c)
			}
			s := aionet.NewServer(ctx, echo)
			if err := errors.Join(s.AddListener(ln), s.Start()); err != nil {
				return err
			}
			for _, c := range clients {
				if err := roundTrip(ctx, c, "hello"); err != nil {
					return err
				}
				c.Close()
			}
			_ = s.Shutdown(ctx)
			return nil
		})
	})
}

// conformance: sock-09
func TestAccept_timedOut_leavesNothingThatAnswersAfterClose(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln := timedOut(t, ctx, network)
			ln.Close()
			if _, err := aionet.Dial(ctx, network, ln.Addr().String()); err == nil {
				t.Error("somebody still answers")
			}
			return nil
		})
	})
}
