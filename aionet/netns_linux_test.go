package aionet_test

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// alone runs the rest of the calling test in a network namespace of its own, which has these devices: lo, and "wire",
// with 10.9.0.1, fe80::1 and 2001:db8:9::1, whose far end says nothing: 10.9.0.2 and 2001:db8:9::2 swallow what is sent to them.
// There is no other route. alone returns false in the parent process, which has nothing left to do.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("AIONET_TEST_ALONE") == t.Name() {
		for _, command := range []string{
			"link set lo up",
			"link add wire type veth peer name far", "link set far up", "link set wire up",
			"addr add 10.9.0.1/24 dev wire", "addr add fe80::1/64 dev wire nodad", "addr add 2001:db8:9::1/64 dev wire nodad",
			"neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev wire", "neigh add 2001:db8:9::2 lladdr 02:00:00:00:00:02 dev wire",
			"route add multicast 239.0.0.0/8 dev wire",
		} {
			if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", command, err, out)
			}
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip command (Debian: iproute2)")
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	again.Env = append(os.Environ(), "AIONET_TEST_ALONE="+t.Name())
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := again.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this system lets nobody make a network namespace")
	}
	if err != nil {
		t.Fatalf("in its own network: %v\n%s", err, out)
	}
	return false
}

// servingAt echoes at addr while body runs.
func servingAt(ctx context.Context, addr string, body func(ctx context.Context, port string) error) error {
	ln, err := aionet.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		g.Go(func(ctx context.Context) error { return aionet.Serve(ctx, ln, echo) })
		defer ln.Close()
		return body(ctx, port)
	})
}

// conformance: net-connect-01
func TestDial_IPv6IsSwallowed_IPv4AnswersAfterTheHeadStart(t *testing.T) {
	if !alone(t) {
		return
	}
	r := names(t, func(string) []string { return []string{"10.9.0.1", "2001:db8:9::2"} })
	run(t, func(ctx context.Context) error {
		return servingAt(ctx, "10.9.0.1:0", func(ctx context.Context, port string) error {
			start := time.Now()
			c, err := aionet.Dial(ctx, "tcp", "both.test:"+port, aionet.WithResolver(r))
			if err != nil {
				return err
			}
			if after := time.Since(start); after < 250*time.Millisecond {
				t.Errorf("IPv6 had no head start: %v", after)
			}
			return roundTrip(ctx, c, "found")
		})
	})
}

func TestDial_IPv6IsUnreachable_IPv4IsTriedAtOnce(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		return servingAt(ctx, "10.9.0.1:0", func(ctx context.Context, port string) error {
			c, err := aionet.Dial(ctx, "tcp", "both.test:"+port, aionet.WithHappyEyeballs(time.Hour),
				aionet.WithResolver(known{"2001:db8::1", "10.9.0.1"}))
			if err != nil {
				return err
			}
			return roundTrip(ctx, c, "found")
		})
	})
}

// Each of them is right about what it knows, and the error says so of all.
func TestDial_nobodyAnswers_eachErrorIsTold(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		_, err := aionet.Dial(ctx, "tcp", "all.test:9", aionet.WithResolver(known{"2001:db8::1", "10.9.0.1"}))
		for _, want := range []error{syscall.ENETUNREACH, syscall.ECONNREFUSED} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not in %v", want, err)
			}
		}
		return asyncio.Timeout(ctx, 400*time.Millisecond, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", "swallowed.test:9", aionet.WithResolver(known{"2001:db8:9::2", "10.9.0.2"}))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("both swallow: %v", err)
			}
			return nil
		})
	})
}

// conformance: net-connect-15
func TestDial_zone_isTheDeviceToDialOn(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		return servingAt(ctx, "[fe80::1%wire]:0", func(ctx context.Context, port string) error {
			c, err := aionet.Dial(ctx, "tcp", "[fe80::1%wire]:"+port)
			if err != nil {
				return err
			}
			if zone := c.RemoteAddr().(*net.TCPAddr).Zone; zone != "wire" {
				t.Errorf("zone %q", zone)
			}
			if _, err := aionet.Dial(ctx, "tcp", "[fe80::1]:"+port); err == nil {
				t.Error("a link-local address without a zone was dialled")
			}
			return roundTrip(ctx, c, "found")
		})
	})
}

func TestPacketConn_multicast(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		wire, err := net.InterfaceByName("wire")
		if err != nil {
			return err
		}
		for network, group := range map[string]netip.AddrPort{
			"udp4": netip.MustParseAddrPort("239.1.2.3:9999"), "udp6": netip.MustParseAddrPort("[ff02::1234%wire]:9999"),
		} {
			receiver, err := aionet.ListenPacket(ctx, network, group.String())
			if err != nil {
				return err
			}
			if _, err := aionet.ListenPacket(ctx, network, group.String()); err != nil {
				t.Errorf("%s: a second listener: %v", network, err)
			}
			sender, err := aionet.ListenPacket(ctx, network, ":0")
			if err != nil {
				return err
			}
			received := func(text string) bool {
				if _, err := sender.WriteToUDPAddrPort([]byte(text), group); err != nil {
					t.Fatal(err)
				}
				_ = receiver.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				buf := make([]byte, 99)
				n, _, err := receiver.ReadFrom(buf)
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				return err == nil && string(buf[:n]) == text
			}
			check := func(want bool, when string, errs ...error) {
				t.Helper()
				if err := errors.Join(errs...); err != nil {
					t.Errorf("%s: %s: %v", network, when, err)
				}
				got := received(when)
				for i := 0; want && !got && i < 100; i++ { // a device that has just come up may lose some
					got = received(when)
				}
				if got != want {
					t.Errorf("%s: %s: received: %v", network, when, !want)
				}
			}
			check(false, "before joining", sender.SetMulticastInterface(wire), sender.SetMulticastTTL(2))
			check(true, "joined", receiver.JoinGroup(wire, group.Addr()))
			check(false, "without loopback", sender.SetMulticastLoopback(false))
			check(true, "with loopback", sender.SetMulticastLoopback(true))
			check(false, "left", receiver.LeaveGroup(wire, group.Addr()))
			receiver.Close()
		}
		return nil
	})
}

// conformance: datagram-03
func TestPacketConn_broadcast(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		server, err := aionet.ListenPacket(ctx, "udp4", ":9999")
		if err != nil {
			return err
		}
		c, err := aionet.DialPacket(ctx, "udp", "10.9.0.255:9999")
		if err == nil {
			_, err = c.Write([]byte("x"))
		}
		if !errors.Is(err, syscall.EACCES) {
			t.Errorf("nobody asked for broadcasting: %v", err)
		}
		if c, err = aionet.DialPacket(ctx, "udp", "127.255.255.255:9999", aionet.WithBroadcast()); err != nil {
			return err
		}
		if _, err := c.Write([]byte("who is there?")); err != nil {
			return err
		}
		buf := make([]byte, 99)
		_, from, err := server.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := server.WriteTo([]byte("I am"), from); err != nil {
			return err
		}
		n, whom, err := c.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "I am" || strings.HasPrefix(whom.String(), "127.255") {
			t.Errorf("%q of %v, %v", buf[:n], whom, err)
		}
		return c.Close()
	})
}

func TestPacketConn_zone_isWhereItCameFrom(t *testing.T) {
	if !alone(t) {
		return
	}
	run(t, func(ctx context.Context) error {
		c, err := aionet.ListenPacket(ctx, "udp", "[fe80::1%wire]:0")
		if err != nil {
			return err
		}
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		for range 100 { // a device that has just come up may lose some
			if _, err := c.WriteToUDPAddrPort([]byte("x"), to); err != nil {
				return err
			}
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, from, err := c.ReadFromUDPAddrPort(make([]byte, 1))
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if from != to || from.Addr().Zone() != "wire" {
				t.Errorf("from %v, %v", from, err)
			}
			return nil
		}
		return errors.New("nothing arrives")
	})
}

func isReachable(addr string) error {
	ln, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		return err
	}
	defer ln.Close()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	c, err := d.Dial("tcp", ln.Addr().String())
	if err == nil {
		c.Close()
	}
	return err
}

func TestWithMaxPerAddress_publicAddresses(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, addr := range []string{"198.51.100.1", "198.51.100.2", "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:1::1"} {
		add := []string{"addr", "add", addr, "dev", "lo"}
		if strings.Contains(addr, ":") {
			add = append(add, "nodad") // else it cannot be used at once
		}
		if out, err := exec.Command("ip", add...).CombinedOutput(); err != nil {
			t.Fatalf("ip: %v: %s", err, out)
		}
		for isReachable(addr) != nil { // the kernel makes the route to it in the background
			time.Sleep(time.Millisecond)
		}
	}
	served := func(ctx context.Context, s *aionet.Server, from string) bool {
		_, port, _ := net.SplitHostPort(s.Addrs()[0].String())
		return isServed(ctx, func(ctx context.Context) (net.Conn, error) {
			return aionet.Dial(ctx, "tcp", net.JoinHostPort(from, port), aionet.WithLocalAddr(&net.TCPAddr{IP: net.ParseIP(from)}))
		})
	}
	_, quiet := newRecording()
	test := func(name string, opts []aionet.ServeOption, from []string, want []bool) {
		run(t, func(ctx context.Context) error {
			ln, err := aionet.Listen(ctx, "tcp", ":0")
			must(t, err)
			s := aionet.NewServer(ctx, echo, append(opts, quiet)...)
			must(t, errors.Join(s.AddListener(ln), s.Start()))
			for i, from := range from {
				if got := served(ctx, s, from); got != want[i] {
					t.Errorf("%s: %d, from %s, is served: %v", name, i, from, got)
				}
			}
			_ = s.Shutdown(ctx)
			return nil
		})
	}
	test("half of all, by default", []aionet.ServeOption{aionet.WithMaxConnections(4)},
		[]string{"198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.2"}, []bool{true, true, false, true})
	test("but not for private addresses", []aionet.ServeOption{aionet.WithMaxConnections(6)},
		[]string{"10.9.0.1", "10.9.0.1", "10.9.0.1", "10.9.0.1", "127.0.0.1", "::1"}, []bool{true, true, true, true, true, true})
	test("a network of IPv6 is one address", []aionet.ServeOption{aionet.WithMaxPerAddress(1)},
		[]string{"2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:1::1", "198.51.100.1"}, []bool{true, false, true, true})
	test("switched off", []aionet.ServeOption{aionet.WithMaxConnections(4), aionet.WithMaxPerAddress(math.MaxInt)},
		[]string{"198.51.100.1", "198.51.100.1", "198.51.100.1"}, []bool{true, true, true})
}
