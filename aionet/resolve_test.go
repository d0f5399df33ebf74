package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// virtually is run on a virtual clock.
func virtually(t *testing.T, main func(ctx context.Context) error) {
	t.Helper()
	if err := asyncio.Run(context.Background(), main, asyncio.WithVirtualClock()); err != nil {
		t.Fatal(err)
	}
}

// resolverFunc is a resolver that is called on the loop.
type resolverFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

var localhost = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}

// conformance: net-resolve-01 net-connect-16
func TestDial_literalAddress_isNotLookedUp(t *testing.T) {
	nobody := aionet.WithResolver(resolverFunc(func(_ context.Context, _, host string) ([]netip.Addr, error) {
		t.Errorf("%q was looked up", host)
		return nil, errors.New("no")
	}))
	run(t, func(ctx context.Context) error {
		for _, test := range []struct{ network, host string }{
			{"tcp", "127.0.0.1"}, {"tcp4", "127.0.0.1"}, {"tcp", "::1"}, {"tcp6", "::1"}, {"tcp", "::ffff:127.0.0.1"},
		} {
			ln, err := aionet.Listen(ctx, test.network, net.JoinHostPort(test.host, "0"), nobody)
			if err != nil {
				return err
			}
			c, err := aionet.Dial(ctx, test.network, ln.Addr().String(), nobody)
			if err != nil {
				return err
			}
			got := netip.MustParseAddrPort(c.RemoteAddr().String()).Addr()
			if got != netip.MustParseAddr(test.host).Unmap() {
				t.Errorf("%v is connected to %v", test, got)
			}
		}
		for network, address := range map[string]string{"tcp4": "[::1]:80", "tcp6": "127.0.0.1:80"} {
			if _, err := aionet.Dial(ctx, network, address, nobody); err == nil || !strings.Contains(err.Error(), "no "+ipVersion(network)) {
				t.Errorf("%s on %s: %v", address, network, err)
			}
		}
		ips, err := aionet.LookupNetIP(ctx, "ip", "fe80::1%3", nobody)
		if err != nil || len(ips) != 1 || ips[0].Zone() != "3" {
			t.Errorf("with a zone: %v, %v", ips, err)
		}
		return nil
	})
}

func ipVersion(network string) string { return "IPv" + network[len("tcp"):] }

// conformance: net-resolve-02 net-connect-17
func TestDial_port_isANumberOrAService(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:") // any
		if err != nil {
			return err
		}
		if _, port, _ := net.SplitHostPort(ln.Addr().String()); port == "0" {
			t.Error("no port was chosen")
		}
		_, err = aionet.Dial(ctx, "tcp", "127.0.0.77:http")
		if err == nil || !strings.Contains(err.Error(), "127.0.0.77:80: ") {
			t.Errorf("http: %v", err)
		}
		_, err = aionet.Dial(ctx, "tcp", "127.0.0.1:no-such-service")
		var unknown *net.DNSError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "no-such-service") {
			t.Errorf("unknown service: %v", err)
		}
		return nil
	})
}

// conformance: net-connect-13
func TestDial_emptyAnswer_isAnError(t *testing.T) {
	empty := aionet.WithResolver(resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }))
	run(t, func(ctx context.Context) error {
		_, dialled := aionet.Dial(ctx, "tcp", "empty.test:80", empty)
		_, listened := aionet.Listen(ctx, "tcp", "empty.test:80", empty)
		_, packets := aionet.ListenPacket(ctx, "udp", "empty.test:80", empty)
		for call, err := range map[string]error{"Dial": dialled, "Listen": listened, "ListenPacket": packets} {
			var op *net.OpError
			var dns *net.DNSError
			if !errors.As(err, &op) || !errors.As(err, &dns) || !dns.IsNotFound || !strings.Contains(err.Error(), "empty.test") {
				t.Errorf("%s: %v", call, err)
			}
		}
		return nil
	})
}

// conformance: net-connect-07 net-connect-08 net-connect-09
func TestOptions_whereTheyMeanNothing_areRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		timeout := aionet.WithHandshakeTimeout(time.Second)
		_, dialled1 := aionet.Dial(ctx, "tcp", "127.0.0.1:80", timeout)
		_, listened1 := aionet.Listen(ctx, "tcp", "127.0.0.1:0", timeout)
		if dialled1 == nil || listened1 == nil {
			t.Errorf("a handshake timeout without TLS: Dial: %v; Listen: %v", dialled1, listened1)
		}
		_, packets := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0", timeout)
		if packets == nil {
			t.Error("ListenPacket took a handshake timeout")
		}
		_, dialled := aionet.Dial(ctx, "tcp", "127.0.0.1:80", aionet.WithReusePort())
		_, listened := aionet.Listen(ctx, "tcp", "127.0.0.1:0", aionet.WithLocalAddr(&net.TCPAddr{}))
		if dialled == nil || listened == nil {
			t.Errorf("Dial: %v; Listen: %v", dialled, listened)
		}
		return nil
	})
}

// conformance: net-connect-11
func TestListen_onIPv6(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "[::1]:0")
		if err != nil {
			return err
		}
		go func() {
			c, err := net.Dial("tcp6", ln.Addr().String())
			if err == nil {
				fmt.Fprint(c, "six")
				c.Close()
			}
		}()
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		var word string
		if _, err := fmt.Fscan(c, &word); word != "six" {
			t.Errorf("read %q, %v", word, err)
		}
		return nil
	})
}

// conformance: net-connect-02
func TestLookup_asksTheNameServer(t *testing.T) {
	r := names(t, func(name string) []string {
		switch name {
		case "host.test.":
			return []string{"192.0.2.7", "2001:db8::7"}
		case "7.2.0.192.in-addr.arpa.":
			return []string{"host.test."}
		}
		return nil
	})
	run(t, func(ctx context.Context) error {
		for network, want := range map[string]string{"ip4": "192.0.2.7", "ip6": "2001:db8::7"} {
			ips, err := aionet.LookupNetIP(ctx, network, "host.test", aionet.WithResolver(r))
			if err != nil || fmt.Sprint(ips) != "["+want+"]" {
				t.Errorf("%s: %v, %v", network, ips, err)
			}
		}
		hosts, err := aionet.LookupAddr(ctx, netip.MustParseAddr("192.0.2.7"), aionet.WithResolver(r))
		if err != nil || !slices.Equal(hosts, []string{"host.test."}) {
			t.Errorf("LookupAddr: %v, %v", hosts, err)
		}
		if _, err := aionet.LookupNetIP(ctx, "tcp", "host.test"); err == nil {
			t.Error("tcp is no network of LookupNetIP")
		}
		return nil
	})
}

// A resolver of one's own is called on the loop and may wait there; one that blocks goes to a thread.
func TestWithResolver_customResolver_runsWhereItShould(t *testing.T) {
	virtually(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		waits := resolverFunc(func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			return localhost, asyncio.Sleep(ctx, time.Hour)
		})
		blocks := resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) {
			if l.OnLoop() {
				t.Error("a resolver that blocks was called on the loop")
			}
			return localhost, nil
		})
		for _, r := range []aionet.Resolver{waits, aionet.ThreadResolver(blocks)} {
			ips, err := aionet.LookupNetIP(ctx, "ip", "name.test", aionet.WithResolver(r))
			if err != nil || !slices.Equal(ips, localhost) {
				t.Errorf("%v, %v", ips, err)
			}
		}
		return nil
	})
}

func TestOptions_misuse_panics(t *testing.T) {
	some := resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil })
	for name, call := range map[string]func(){
		"WithResolver":        func() { aionet.WithResolver(nil) },
		"ThreadResolver":      func() { aionet.ThreadResolver(nil) },
		"WithHappyEyeballs":   func() { aionet.WithHappyEyeballs(0) },
		"WithFirstFamily":     func() { aionet.WithFirstFamily(0) },
		"Interleave":          func() { aionet.Interleave(localhost, 0) },
		"NewCachingResolver":  func() { aionet.NewCachingResolver(nil, 1, 1, 1) },
		"NewCachingResolver(": func() { aionet.NewCachingResolver(some, 1, -1, 1) },
	} {
		func() {
			defer func() {
				if v := recover(); !strings.HasPrefix(fmt.Sprint(v), "aionet: "+name) {
					t.Errorf("%s: panic %v", name, v)
				}
			}()
			call()
		}()
	}
}
