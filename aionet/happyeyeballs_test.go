//go:build !windows

package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// known is a resolver that knows these addresses of each name.
type known []string

func (k known) LookupNetIP(context.Context, string, string) (ips []netip.Addr, _ error) {
	for _, a := range k {
		ips = append(ips, netip.MustParseAddr(a))
	}
	return ips, nil
}

// conformance: net-resolve-03
func TestInterleave_familiesTakeTurns(t *testing.T) {
	six := func(n ...int) (s []string) {
		for _, i := range n {
			s = append(s, fmt.Sprintf("2001:db8::%d", i))
		}
		return s
	}
	four := func(n ...int) (s []string) {
		for _, i := range n {
			s = append(s, fmt.Sprintf("192.0.2.%d", i))
		}
		return s
	}
	mixed := slices.Concat(six(1, 2, 3), four(1, 2, 3, 4), six(4))
	for _, test := range []struct {
		first       int
		given, want []string
	}{
		{1, mixed, slices.Concat(six(1), four(1), six(2), four(2), six(3), four(3), six(4), four(4))},
		{2, mixed, slices.Concat(six(1, 2), four(1), six(3), four(2), six(4), four(3, 4))},
		{9, mixed, slices.Concat(six(1, 2, 3, 4), four(1, 2, 3, 4))},
		{1, slices.Concat(four(1), six(1, 2, 3)), slices.Concat(four(1), six(1, 2, 3))},
		{1, four(2, 1, 3), four(2, 1, 3)},
		{1, []string{"::ffff:192.0.2.1", "2001:db8::1", "192.0.2.2"}, []string{"::ffff:192.0.2.1", "2001:db8::1", "192.0.2.2"}},
		{1, nil, nil},
	} {
		given, _ := known(test.given).LookupNetIP(t.Context(), "", "")
		want, _ := known(test.want).LookupNetIP(t.Context(), "", "")
		if got := aionet.Interleave(given, test.first); !slices.Equal(got, want) {
			t.Errorf("%v with %d first: %v, want %v", test.given, test.first, got, want)
		}
	}
}

// hangsAnd returns a port where dialling 127.0.0.1 hangs, and a listener at it on 127.0.0.2.
func hangsAnd(t *testing.T, ctx context.Context) (port string, ln *aionet.Listener) {
	t.Helper()
	_, port, _ = net.SplitHostPort(silent(t, ctx))
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	return port, ln
}

// sockets counts what the poller watches.
func sockets(ctx context.Context) int { return engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Len() }

// conformance: net-connect-01
func TestDial_firstAddressHangs_theNextIsTriedAfterItsHeadStart(t *testing.T) {
	virtually(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		port, ln := hangsAnd(t, ctx)
		start := l.Time()
		c, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.2"}))
		if err != nil {
			return err
		}
		if waited := l.Time() - start; waited < 250*time.Millisecond {
			t.Errorf("the second was tried after %v", waited)
		}
		if c.RemoteAddr().String() != ln.Addr().String() {
			t.Errorf("connected to %v", c.RemoteAddr())
		}
		return nil
	})
}

func TestDial_firstAddressHangs_theLoserIsClosed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		port, ln := hangsAnd(t, ctx)
		before := descriptors(t)
		c, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.2"}),
			aionet.WithHappyEyeballs(time.Millisecond))
		if err != nil {
			return err
		}
		peer, err := ln.Accept()
		if err != nil {
			return err
		}
		c.Close()
		peer.Close()
		for range 100 { // the portable poller closes in goroutines
			if descriptors(t) <= before {
				return nil
			}
			if err := asyncio.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
		t.Errorf("%d descriptors, before %d", descriptors(t), before)
		return nil
	})
}

func TestDial_firstAddressFails_theNextIsTriedAtOnce(t *testing.T) {
	for _, delay := range []time.Duration{time.Hour, asyncio.Forever} {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.2:0")
			if err != nil {
				return err
			}
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			_, err = aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.2"}),
				aionet.WithHappyEyeballs(delay))
			return err
		})
	}
}

// With no limit to the head start, an address that hangs is all that is tried, though a virtual clock could go on.
func TestDial_headStartForever_triesOneAtATime(t *testing.T) {
	virtually(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		port, _ := hangsAnd(t, ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.2"}),
				aionet.WithHappyEyeballs(asyncio.Forever))
			return err
		})
		time.AfterFunc(20*time.Millisecond, func() { _ = l.CallSoonThreadsafe(func() { task.Cancel() }) })
		if _, err := task.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}

func TestDial_firstFamily_isTriedSoManyTimes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, port, _ := net.SplitHostPort(unused(t))
		_, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithFirstFamily(2),
			aionet.WithResolver(known{"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}))
		text := fmt.Sprint(err)
		if !(strings.Index(text, "127.0.0.2") < strings.Index(text, "[::1]") && strings.Index(text, "[::1]") < strings.Index(text, "127.0.0.3")) {
			t.Error(err)
		}
		return nil
	})
}

// conformance: net-connect-04 net-connect-05
func TestDial_allHang_theTimeoutIsTheError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		port, ln := hangsAnd(t, ctx)
		ln.Close()
		before := sockets(ctx)
		err := asyncio.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.1"}),
				aionet.WithHappyEyeballs(time.Millisecond))
			return err
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) || !strings.HasPrefix(err.Error(), "aionet: dial tcp name.test:") {
			t.Errorf("Dial = %v", err)
		}
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() != "portable" && sockets(ctx) != before {
			t.Errorf("%d sockets are left, %d were there before", sockets(ctx), before)
		}
		return nil
	})
}

// conformance: net-connect-06
func TestDial_cancelledWithAnotherError_returnsThat(t *testing.T) {
	mine := errors.New("mine")
	run(t, func(ctx context.Context) error {
		addr := silent(t, ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", addr)
			return err
		})
		_ = asyncio.Yield(ctx)
		task.Cancel(mine)
		if _, err := task.Await(ctx); !errors.Is(err, mine) {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}

func TestDial_addressGivenTwice_isNamedOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		addr := unused(t)
		_, port, _ := net.SplitHostPort(addr)
		_, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithResolver(known{"127.0.0.1", "127.0.0.1"}))
		if !errors.Is(err, syscall.ECONNREFUSED) || strings.Count(err.Error(), addr) != 1 {
			t.Error(err)
		}
		return nil
	})
}

// conformance: net-connect-22
func TestDial_withLocalAddr_leavesOutOtherFamilies(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return serving2(t, ctx, func(addr string) error {
			_, port, _ := net.SplitHostPort(addr)
			six, four := &net.TCPAddr{IP: net.IPv6loopback}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}
			both := aionet.WithResolver(known{"::1", "127.0.0.1"})
			for _, locals := range [][]net.Addr{{four}, {six, four}} {
				c, err := aionet.Dial(ctx, "tcp", "name.test:"+port, both, aionet.WithLocalAddr(locals...))
				if err != nil {
					return err
				}
				if !strings.HasPrefix(c.LocalAddr().String(), "127.0.0.5:") {
					t.Errorf("from %v", c.LocalAddr())
				}
			}
			_, err := aionet.Dial(ctx, "tcp", addr, aionet.WithLocalAddr(six))
			if err == nil || !strings.Contains(err.Error(), "no address of the family of [[::1]:0]") {
				t.Errorf("no local address fits: %v", err)
			}
			return nil
		})
	})
}

// conformance: net-connect-14 net-connect-23
func TestDial_localAddrInUse_isAmongTheErrors(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return serving2(t, ctx, func(addr string) error {
			_, port, _ := net.SplitHostPort(addr)
			local, _ := net.ResolveTCPAddr("tcp", addr)
			_, err := aionet.Dial(ctx, "tcp", "name.test:"+port, aionet.WithLocalAddr(local),
				aionet.WithResolver(known{"127.0.0.2", "127.0.0.3"}))
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr+"->127.0.0.2") ||
				!strings.Contains(err.Error(), addr+"->127.0.0.3") {
				t.Errorf("Dial = %v", err)
			}
			c, err := aionet.Dial(ctx, "tcp", addr, aionet.WithLocalAddr(local, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 6)}))
			if err != nil {
				return err
			}
			if !strings.HasPrefix(c.LocalAddr().String(), "127.0.0.6:") {
				t.Errorf("from %v, not the next local address", c.LocalAddr())
			}
			return nil
		})
	})
}

// conformance: net-connect-19
func TestConn_sendsSmallWritesAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for name, opts := range map[string][]aionet.Option{"yes": nil, "no": {aionet.WithDelay()}} {
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0", opts...)
			if err != nil {
				return err
			}
			client, err := aionet.Dial(ctx, "tcp", ln.Addr().String(), opts...)
			if err != nil {
				return err
			}
			server, err := ln.Accept()
			if err != nil {
				return err
			}
			for _, c := range []syscall.Conn{client, server.(syscall.Conn)} {
				rc, err := c.SyscallConn()
				if err != nil {
					return err
				}
				_ = rc.Control(func(fd uintptr) {
					on, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
					if err != nil || (on != 0) != (opts == nil) {
						t.Errorf("%s: TCP_NODELAY is %d, %v", name, on, err)
					}
				})
			}
		}
		return nil
	})
}
