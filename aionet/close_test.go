package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// A goroutine needs no help from the loop, which is held here, to close a socket and to use its address again.
func TestClose_onAGoroutine_freesTheAddressAndEndsTheCalls(t *testing.T) {
	addresses := []struct{ network, address string }{
		{"udp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"}, {"unix", filepath.Join(t.TempDir(), "socket")},
	}
	if runtime.GOOS != "windows" {
		addresses = append(addresses, struct{ network, address string }{"unixgram", filepath.Join(t.TempDir(), "packets")})
	}
	if runtime.GOOS == "linux" {
		addresses = append(addresses, struct{ network, address string }{"unix", "@aionet-close"},
			struct{ network, address string }{"unixgram", "@aionet-close"})
	}
	for _, a := range addresses {
		t.Run(a.network+" "+a.address[:1], func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				packets := a.network == "udp" || a.network == "unixgram"
				for range 20 {
					c, at, wait := open(t, ctx, packets, a.network, a.address)
					waiting := asyncio.Go(ctx, func(context.Context) error { return wait() })
					must(t, asyncio.Yield(ctx)) // it waits
					again := make(chan error)
					go func() { again <- errors.Join(c.Close(), openAgain(packets, at)) }()
					if err := <-again; err != nil {
						t.Errorf("after Close: %v", err)
					}
					if _, err := waiting.Await(ctx); !errors.Is(err, net.ErrClosed) {
						t.Errorf("the call that waited: %v", err)
					}
				}
				return nil
			})
		})
	}
}

// open returns a socket, its address, and a call on it that waits.
func open(t *testing.T, ctx context.Context, packets bool, network, address string) (io.Closer, net.Addr, func() error) {
	t.Helper()
	if packets {
		c, err := aionet.ListenPacket(ctx, network, address)
		must(t, err)
		return c, c.LocalAddr(), func() error { return second(c.Read(make([]byte, 1))) }
	}
	ln, err := aionet.Listen(ctx, network, address)
	must(t, err)
	return ln, ln.Addr(), func() error { return second(ln.Accept()) }
}

// openAgain opens a socket of package net at the address, and closes it.
func openAgain(packets bool, at net.Addr) error {
	if packets {
		c, err := net.ListenPacket(at.Network(), at.String())
		if err != nil {
			return err
		}
		return c.Close()
	}
	ln, err := net.Listen(at.Network(), at.String())
	if err != nil {
		return err
	}
	return ln.Close()
}

// A Read of no bytes returns at once, as in package net: data or not, deadline or not, in either world.
func TestRead_ofNothing_returnsAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		plain, _ := pipe(t, ctx, "tcp")
		secure, _ := tlsPipe(t, ctx)
		packets, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
		must(t, err)
		for name, c := range map[string]net.Conn{"Conn": plain, "TLSConn": secure, "PacketConn": packets} {
			read := func(where string) {
				if n, err := c.Read(nil); n != 0 || err != nil {
					t.Errorf("%s.Read %s: %d, %v", name, where, n, err)
				}
			}
			read("in a coroutine")
			must(t, inThread(ctx, func() { read("on a goroutine") }))
			called := make(chan struct{})
			asyncio.RunningLoop(ctx).CallSoon(func() { read("in a callback"); close(called) })
			must(t, asyncio.Yield(ctx))
			<-called
			c.SetReadDeadline(time.Unix(1, 0))
			read("past the deadline")
		}
		plain.Close()
		packets.Close()
		for name, c := range map[string]net.Conn{"Conn": plain, "PacketConn": packets} {
			if _, err := c.Read(nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s.Read after Close: %v", name, err)
			}
		}
		return nil
	})
}

func inThread(ctx context.Context, fn func()) error {
	return second(asyncio.ToThread(ctx, func() (asyncio.None, error) {
		fn()
		return asyncio.None{}, nil
	}))
}
