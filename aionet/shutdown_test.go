package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// pitfall: 39
func TestListenerClose_leavesItsConnectionsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.Listen(ctx, network, address(t, network))
			if err != nil {
				return err
			}
			client, err := aionet.Dial(ctx, network, ln.Addr().String())
			if err != nil {
				return err
			}
			server, err := ln.Accept()
			if err != nil {
				return err
			}
			ln.Close()
			asyncio.Go(ctx, func(ctx context.Context) error { return echo(ctx, server) })
			if err := roundTrip(ctx, client, "still here"); err != nil {
				return err
			}
			return client.Close()
		})
	})
}

// Serve waits for the last connection also if that ends in the very turn in which the listener is closed.
//
// pitfall: 39
// conformance: server-04 server-05
func TestServe_lastConnectionEndsWithTheListener_returnsAfterBoth(t *testing.T) {
	for _, listenerFirst := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			var began, end asyncio.Event
			ended := false
			server := asyncio.Go(ctx, func(ctx context.Context) error {
				return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
					began.Set()
					err := end.Wait(ctx)
					ended = true
					return err
				}, aionet.WithDrain(time.Minute))
			})
			client, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer client.Close()
			if err := began.Wait(ctx); err != nil {
				return err
			}
			loop.CallSoon(func() {
				if server.Done() {
					t.Error("Serve returned while it served")
				}
				if listenerFirst {
					ln.Close()
					end.Set()
				} else {
					end.Set()
					ln.Close()
				}
			})
			_, err = server.Await(ctx)
			if err != nil || !ended {
				t.Errorf("listener first %v: Serve = %v, the connection has ended: %v", listenerFirst, err, ended)
			}
			return nil
		})
	}
}

// A handler that waits for a peer which does not read is ended, and Serve with it.
//
// pitfall: 39
// conformance: server-07
func TestServe_cancelledWhileBuffersAreFull_endsAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var full asyncio.Event
		var wrote error
		var client *aionet.Conn
		err := serving(t, ctx, "tcp", func(ctx context.Context, c net.Conn) error {
			chunk := make([]byte, 1<<20)
			for wrote == nil {
				asyncio.RunningLoop(ctx).CallLater(100*time.Millisecond, full.Set)
				_, wrote = c.Write(chunk)
			}
			return wrote
		}, nil, func(addr string) (err error) {
			if client, err = aionet.Dial(ctx, "tcp", addr); err != nil {
				return err
			}
			return full.Wait(ctx)
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(wrote, context.Canceled) {
			t.Errorf("Serve = %v, the handler's Write %v", err, wrote)
		}
		return client.Close()
	})
}

// The cancellation of Serve closes the listener: nobody can connect any more.
//
// pitfall: 39
// conformance: server-02 server-03 net-server-16
func TestServe_cancelled_closesTheListener(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			var addr string
			_ = serving(t, ctx, network, echo, nil, func(a string) error {
				addr = a
				c, err := aionet.Dial(ctx, network, addr)
				if err != nil {
					return err
				}
				defer c.Close()
				return roundTrip(ctx, c, "served")
			})
			if c, err := aionet.Dial(ctx, network, addr); err == nil {
				t.Error("connected after the server's end")
				c.Close()
			}
			return nil
		})
	})
}

// pitfall: 39
// conformance: server-09 server-10
func TestListen_unixFileGoneOrReplaced_closeLeavesItAlone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		name := filepath.Join(t.TempDir(), "socket")
		first, err := aionet.Listen(ctx, "unix", name)
		if err != nil {
			return err
		}
		if err := os.Remove(name); err != nil {
			return err
		}
		second, err := aionet.Listen(ctx, "unix", name)
		if err != nil {
			return err
		}
		if err := first.Close(); err != nil {
			t.Errorf("Close of the first: %v", err)
		}
		client, err := aionet.Dial(ctx, "unix", name)
		if err != nil {
			t.Fatalf("the second listener's file is gone: %v", err)
		}
		client.Close()
		if err := os.Remove(name); err != nil {
			return err
		}
		if err := second.Close(); err != nil {
			t.Errorf("Close when the file is gone: %v", err)
		}
		return nil
	})
}

// pitfall: 38
// conformance: tls-30
func TestTLS_handshakeThatThePeerBreaksOff_failsAndLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(net.Conn) error{
		"end of file": func(c net.Conn) error { return c.Close() },
		"reset":       func(c net.Conn) error { c.(*net.TCPConn).SetLinger(0); return c.Close() },
		"garbage":     func(c net.Conn) error { _, err := c.Write([]byte("this is not TLS\r\n\r\n")); return err },
	} {
		run(t, func(ctx context.Context) error {
			ours, theirs := peer(t, ctx, "tcp")
			defer theirs.Close()
			c := aionet.TLSServer(ours, serverConfig())
			shake := asyncio.Go(ctx, c.HandshakeContext)
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
			if err := end(theirs); err != nil {
				return err
			}
			if _, err := shake.Await(ctx); err == nil || name == "reset" && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the handshake = %v", name, err)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: Read after it succeeded", name)
			}
			return c.Close()
		})
	}
}

// pitfall: 38
// conformance: tls-32
func TestTLS_closedDuringTheHandshake_endsIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		defer theirs.Close()
		c := aionet.TLSServer(ours, serverConfig())
		shake := asyncio.Go(ctx, c.HandshakeContext)
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		c.Close()
		if _, err := shake.Await(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the handshake = %v", err)
		}
		n, err := asyncio.ToThread(ctx, func() (int64, error) { return io.Copy(io.Discard, theirs) })
		if err != nil {
			t.Errorf("the peer sees %d bytes and %v, want the end", n, err)
		}
		return nil
	})
}

// What is queued here is sent although the peer has said goodbye, and what was read before that is delivered.
//
// pitfall: 38
// conformance: tls-21 tls-23
func TestTLS_peerSaysGoodbyeFirst_bothSidesGetEverything(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := tlsPipe(t, ctx)
		if _, err := b.Write([]byte("last words")); err != nil {
			return err
		}
		if err := b.CloseWrite(); err != nil {
			return err
		}
		const size = 1 << 20
		writer := asyncio.Go(ctx, func(context.Context) error {
			_, err := a.Write(make([]byte, size)) // more than there is room for
			return err
		})
		if got, err := io.ReadAll(a); string(got) != "last words" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		reader := asyncio.CreateTask(ctx, func(context.Context) (int64, error) { return io.Copy(io.Discard, b) })
		if _, err := writer.Await(ctx); err != nil {
			t.Errorf("Write = %v", err)
		}
		a.Close()
		if n, err := reader.Await(ctx); n != size || err != nil {
			t.Errorf("the peer read %d bytes, %v", n, err)
		}
		return nil
	})
}
