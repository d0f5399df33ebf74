package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// packets opens a socket for datagrams on the running loop.
func packets(t testing.TB, ctx context.Context, network string, opts ...aionet.Option) *aionet.PacketConn {
	t.Helper()
	at := "127.0.0.1:0"
	switch network {
	case "udp6":
		at = "[::1]:0"
	case "unixgram":
		at = address(t, "unix")
	}
	c, err := aionet.ListenPacket(ctx, network, at, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dialled connects a socket to another one, with a name to which that can answer.
func dialled(t testing.TB, ctx context.Context, network string, to net.Addr) *aionet.PacketConn {
	t.Helper()
	var opts []aionet.Option
	if network == "unixgram" {
		opts = []aionet.Option{aionet.WithLocalAddr(&net.UnixAddr{Name: address(t, "unix"), Net: network})}
	}
	c, err := aionet.DialPacket(ctx, network, to.String(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func onEachPacket(t *testing.T, test func(t *testing.T, network string)) {
	for _, n := range []string{"udp", "udp6", "unixgram"} {
		if n == "unixgram" && runtime.GOOS == "windows" {
			continue
		}
		t.Run(n, func(t *testing.T) { test(t, n) })
	}
}

// conformance: datagram-10 datagram-13 datagram-17 sock-05
func TestPacketConn_datagramsGoBothWays(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			server := packets(t, ctx, network)
			client := dialled(t, ctx, network, server.LocalAddr())
			if client.RemoteAddr().String() != server.LocalAddr().String() {
				t.Errorf("connected to %v", client.RemoteAddr())
			}
			buf := make([]byte, 100)
			for _, text := range []string{"one", "", "three"} {
				if n, err := client.Write([]byte(text)); n != len(text) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", text, n, err)
				}
				n, from, err := server.ReadFrom(buf)
				if err != nil || string(buf[:n]) != text || from.String() != client.LocalAddr().String() {
					t.Fatalf("ReadFrom: %q of %v, %v; want %q of %v", buf[:n], from, err, text, client.LocalAddr())
				}
				if _, err := server.WriteTo([]byte(text+"!"), from); err != nil {
					t.Fatal(err)
				}
				if n, err := client.Read(buf); err != nil || string(buf[:n]) != text+"!" {
					t.Fatalf("Read: %q, %v", buf[:n], err)
				}
			}
			return nil
		})
	})
}

// Reads wait in one world, writes come from the other.
func TestPacketConn_worksInBothWorlds(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		l := background(t)
		type two struct{ a, b *aionet.PacketConn }
		c, err := on(l, func(ctx context.Context) (two, error) {
			a := packets(t, ctx, network)
			return two{a, dialled(t, ctx, network, a.LocalAddr())}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.a.Close()
		defer c.b.Close()
		read := func() (string, net.Addr, error) {
			buf := make([]byte, 100)
			n, from, err := c.a.ReadFrom(buf)
			return string(buf[:n]), from, err
		}
		type result struct {
			text string
			from net.Addr
		}
		for i, inCoroutine := range []bool{false, true, false, true} {
			results := make(chan result, 1)
			text := fmt.Sprint("number ", i)
			if inCoroutine {
				reading := asyncio.RunThreadsafe(l, func(context.Context) (result, error) {
					text, from, err := read()
					return result{text, from}, err
				})
				_, _ = c.b.Write([]byte(text))
				r, err := reading.Wait(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				results <- r
			} else {
				go func() {
					text, from, err := read()
					if err != nil {
						t.Error(err)
					}
					results <- result{text, from}
				}()
				_, _ = on(l, func(context.Context) (int, error) { return c.b.Write([]byte(text)) })
			}
			if r := <-results; r.text != text || r.from.String() != c.b.LocalAddr().String() {
				t.Errorf("read %q from %v", r.text, r.from)
			}
		}
	})
}

// eachWorld calls fn as a coroutine of l, and here.
func eachWorld(t *testing.T, l *asyncio.Loop, fn func() error) {
	t.Helper()
	_, err := on(l, func(context.Context) (asyncio.None, error) { return asyncio.None{}, fn() })
	if err != nil {
		t.Errorf("in a coroutine: %v", err)
	}
	if err := fn(); err != nil {
		t.Errorf("on a goroutine: %v", err)
	}
}

func TestPacketConn_deadline_endsReadsAndIsATimeout(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		l := background(t)
		c, err := on(l, func(ctx context.Context) (*aionet.PacketConn, error) { return packets(t, ctx, network), nil })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, after := range []time.Duration{-time.Second, 5 * time.Millisecond} {
			eachWorld(t, l, func() error {
				if err := c.SetReadDeadline(time.Now().Add(after)); err != nil {
					return err
				}
				_, _, err := c.ReadFrom(make([]byte, 1))
				var timeout net.Error
				if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
					return fmt.Errorf("ReadFrom = %v", err)
				}
				return nil
			})
		}
		eachWorld(t, l, func() error { // as good as new
			if err := c.SetDeadline(time.Time{}); err != nil {
				return err
			}
			if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
				return err
			}
			_, _, err := c.ReadFrom(make([]byte, 1))
			return err
		})
	})
}

// conformance: datagram-23
func TestPacketConn_close_endsReadsInBothWorlds(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		for _, closeOnLoop := range []bool{true, false} {
			l := background(t)
			c, err := on(l, func(ctx context.Context) (*aionet.PacketConn, error) { return packets(t, ctx, network), nil })
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, _, err := c.ReadFrom(make([]byte, 1))
				ended <- err
			}()
			reading := asyncio.RunThreadsafe(l, func(context.Context) (int, error) { return c.Read(make([]byte, 1)) })
			if closeOnLoop {
				_, err = on(l, func(context.Context) (int, error) { return 0, c.Close() })
			} else {
				err = c.Close()
			}
			if err != nil {
				t.Error(err)
			}
			_, inCoroutine := reading.Wait(context.Background())
			_, write := c.WriteTo([]byte("x"), c.LocalAddr())
			for what, err := range map[string]error{"goroutine": <-ended, "coroutine": inCoroutine, "write": write, "close": c.Close()} {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if u, ok := c.LocalAddr().(*net.UnixAddr); ok {
				_, _ = on(l, func(ctx context.Context) (int, error) { return 0, asyncio.Yield(ctx) }) // the loop has closed it then
				if _, err := os.Lstat(u.Name); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's file is still there: %v", err)
				}
			}
		}
	})
}

func TestPacketConn_cancelledRead_hasTakenNothing(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			c := packets(t, ctx, network)
			err := asyncio.Timeout(ctx, time.Millisecond, func(context.Context) error {
				_, _, err := c.ReadFrom(make([]byte, 9))
				return err
			})
			var timeout *asyncio.TimeoutError
			if !errors.As(err, &timeout) {
				t.Errorf("ReadFrom = %v", err)
			}
			if _, err := c.WriteTo([]byte("for the next"), c.LocalAddr()); err != nil {
				return err
			}
			cancelled, cancel := asyncio.WithCancel(ctx)
			cancel(nil)
			_ = asyncio.Enter(cancelled, func() error {
				if n, err := c.Read(make([]byte, 99)); n != 0 || !errors.Is(err, context.Canceled) {
					t.Errorf("under a cancelled context: %d, %v", n, err)
				}
				return nil
			})
			buf := make([]byte, 99)
			n, err := c.Read(buf)
			if string(buf[:n]) != "for the next" {
				t.Errorf("read %q, %v", buf[:n], err)
			}
			return nil
		})
	})
}

func TestPacketConn_datagramTooLarge_isCutOffAndSaidSo(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			c := packets(t, ctx, network)
			for _, size := range []int{4, 5, 6} {
				if _, err := c.WriteTo(bytes.Repeat([]byte("x"), size), c.LocalAddr()); err != nil {
					return err
				}
				n, _, flags, from, err := c.ReadMsg(make([]byte, 5), nil)
				if err != nil || n != min(size, 5) || (flags&aionet.Truncated != 0) != (size > 5) || from == nil {
					t.Errorf("%d bytes: %d, flags %x, from %v, %v", size, n, flags, from, err)
				}
			}
			return nil
		})
	})
}

func TestPacketConn_callbacks_neverWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		c := packets(t, ctx, "udp")
		inCallback := func(fn func()) {
			var done asyncio.Event
			l.CallSoon(func() { fn(); done.Set() })
			_ = done.Wait(ctx)
		}
		inCallback(func() {
			if _, _, err := c.ReadFrom(make([]byte, 1)); !errors.Is(err, aionet.ErrWouldWait) {
				t.Errorf("ReadFrom = %v", err)
			}
			if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
				t.Error(err)
			}
		})
		_, err := c.Read(make([]byte, 1))
		return err
	})
}

// conformance: datagram-22
func TestPacketConn_connected_sendsToItsPeerOnly(t *testing.T) {
	onEachPacket(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := packets(t, ctx, network), packets(t, ctx, network)
			c := dialled(t, ctx, network, a.LocalAddr())
			if _, err := c.WriteTo([]byte("x"), b.LocalAddr()); !errors.Is(err, net.ErrWriteToConnected) {
				t.Errorf("to another one: %v", err)
			}
			if network != "unixgram" {
				if _, err := c.WriteTo([]byte("y"), a.LocalAddr()); err != nil {
					t.Errorf("to the peer: %v", err)
				}
				_, _ = b.WriteTo([]byte("of somebody else"), c.LocalAddr())
				_, _ = a.WriteTo([]byte("z"), c.LocalAddr())
				buf := make([]byte, 99)
				if n, err := c.Read(buf); string(buf[:n]) != "z" {
					t.Errorf("read %q, %v", buf[:n], err)
				}
			}
			if _, err := b.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "not connected") {
				t.Errorf("Write without a peer: %v", err)
			}
			if _, err := b.WriteTo([]byte("x"), nil); err == nil {
				t.Error("WriteTo without an address went through")
			}
			return nil
		})
	})
}

// conformance: datagram-09
func TestListenPacket_literalAddress_isNotLookedUp(t *testing.T) {
	nobody := aionet.WithResolver(resolverFunc(func(_ context.Context, _, host string) ([]netip.Addr, error) {
		t.Errorf("%q was looked up", host)
		return nil, errors.New("no")
	}))
	run(t, func(ctx context.Context) error {
		for network, at := range map[string]string{"udp": "127.0.0.1:0", "udp4": ":0", "udp6": "[::1]:0"} {
			c, err := aionet.ListenPacket(ctx, network, at, nobody)
			if err != nil {
				return err
			}
			if _, err = aionet.DialPacket(ctx, network, c.LocalAddr().String(), nobody); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestListenPacket_name_isLookedUp(t *testing.T) {
	r := aionet.WithResolver(names(t, func(string) []string { return []string{"::1", "127.0.0.1"} }))
	run(t, func(ctx context.Context) error {
		c, err := aionet.ListenPacket(ctx, "udp", "host.test:0", r)
		if err != nil {
			return err
		}
		if ip := c.LocalAddr().(*net.UDPAddr).IP; !ip.Equal(net.IPv4(127, 0, 0, 1)) {
			t.Errorf("listens at %v", ip)
		}
		d, err := aionet.DialPacket(ctx, "udp6", "host.test:9", r)
		if err != nil {
			return err
		}
		if ip := d.RemoteAddr().(*net.UDPAddr).IP; !ip.Equal(net.IPv6loopback) {
			t.Errorf("connected to %v", ip)
		}
		return nil
	})
}

// conformance: datagram-02 datagram-04 datagram-05
func TestListenPacket_whatCannotBe_saysWhyAndLeavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		taken := packets(t, ctx, "udp")
		open := func(network, at string, opts ...aionet.Option) func() error {
			return func() error { _, err := aionet.ListenPacket(ctx, network, at, opts...); return err }
		}
		dial := func(network, to string, opts ...aionet.Option) func() error {
			return func() error { _, err := aionet.DialPacket(ctx, network, to, opts...); return err }
		}
		six := aionet.WithLocalAddr(&net.UDPAddr{IP: net.IPv6loopback})
		for want, fn := range map[string]func() error{
			"aionet: listen udp " + taken.LocalAddr().String():   open("udp", taken.LocalAddr().String()),
			"aionet: listen udp 192.0.2.1:0":                     open("udp", "192.0.2.1:0"),
			"missing port":                                       open("udp", ""),
			"for datagrams; Listen and Dial":                     open("tcp", "127.0.0.1:0"),
			"WithLocalAddr is for":                               open("udp", "127.0.0.1:0", six),
			"WithReusePort is for":                               dial("udp", "127.0.0.1:9", aionet.WithReusePort()),
			"aionet: dial udp 127.0.0.1:9: it has no address of": dial("udp", "127.0.0.1:9", six),
			"in use":  dial("udp", "127.0.0.1:9", aionet.WithLocalAddr(taken.LocalAddr())),
			"no IPv6": dial("udp6", "127.0.0.1:9"),
		} {
			if err := fn(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		return nil
	})
}

// conformance: net-connect-12 datagram-07 datagram-11
func TestNewPacketConn_takesOverASocketForDatagrams(t *testing.T) {
	run(t, func(ctx context.Context) error {
		given, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := aionet.NewPacketConn(ctx, given)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo([]byte("to myself"), c.LocalAddr()); err != nil {
			return err
		}
		buf := make([]byte, 99)
		if n, from, err := c.ReadFromUDPAddrPort(buf); string(buf[:n]) != "to myself" || from.String() != c.LocalAddr().String() {
			t.Errorf("%q from %v, %v", buf[:n], from, err)
		}
		stream, err := net.Listen("unix", address(t, "unix"))
		if err != nil {
			return err
		}
		defer stream.Close()
		conn, err := asyncio.ToThread(ctx, func() (net.Conn, error) { return net.Dial("unix", stream.Addr().String()) })
		if err != nil {
			return err
		}
		for _, wrong := range []net.PacketConn{conn.(*net.UnixConn), struct{ net.PacketConn }{c}} {
			if _, err := aionet.NewPacketConn(ctx, wrong); err == nil || !strings.HasPrefix(err.Error(), "aionet: NewPacketConn: ") {
				t.Errorf("%T: %v", wrong, err)
			}
		}
		return nil
	})
}

// conformance: sendfile-08
func TestPacketConn_isNoStreamToSendAFileOn(t *testing.T) {
	if _, ok := any(new(aionet.PacketConn)).(io.ReaderFrom); ok {
		t.Error("a file would be cut into datagrams as it comes")
	}
}
