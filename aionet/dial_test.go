package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"golang.org/x/net/dns/dnsmessage"
)

// unused returns an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// conformance: sock-07
func TestDial_nobodyListens_saysWhoAndWhy(t *testing.T) {
	run(t, func(ctx context.Context) error {
		addr := unused(t)
		_, err := aionet.Dial(ctx, "tcp", addr)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || !strings.HasPrefix(err.Error(), "aionet: dial tcp "+addr) {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}

func TestDial_badAddress_saysWhatIsWrong(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, address := range []string{"127.0.0.1", "127.0.0.1:http:80", "127.0.0.1:70000", "[::1:80"} {
			_, err := aionet.Dial(ctx, "tcp", address)
			if err == nil || !strings.Contains(err.Error(), address) {
				t.Errorf("%q: %v", address, err)
			}
		}
		if _, err := aionet.Dial(ctx, "tcp6", "127.0.0.1:80"); err == nil {
			t.Error("an IPv4 address on tcp6 went through")
		}
		if _, err := aionet.Dial(ctx, "unix", "/does/not/exist"); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("missing socket file: %v", err)
		}
		return nil
	})
}

func TestDial_fullUnixQueue_waitsForRoom(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "unix", address(t, "unix"))
		if err != nil {
			return err
		}
		const most = 6000 // more than any queue here is long
		dialled := 0
		dialler := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; dialled < most; dialled++ {
				c, err := aionet.Dial(ctx, "unix", ln.Addr().String())
				if err != nil {
					return err
				}
				c.Close()
			}
			return nil
		})
		for range most {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			c.Close()
		}
		_, err = dialler.Await(ctx)
		return err
	})
}

// conformance: net-connect-21
func TestDial_withLocalAddr_comesFromThere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return serving2(t, ctx, func(addr string) error {
			c, err := aionet.Dial(ctx, "tcp", addr, aionet.WithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}))
			if err != nil {
				return err
			}
			if !strings.HasPrefix(c.LocalAddr().String(), "127.0.0.5:") {
				t.Errorf("local address %v", c.LocalAddr())
			}
			return nil
		})
	})
}

func serving2(t *testing.T, ctx context.Context, body func(addr string) error) error {
	if err := serving(t, ctx, "tcp", echo, nil, body); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// names is a name server on this machine that answers questions for A and AAAA with those addresses that fit, and
// others with answer's texts as names.
func names(t *testing.T, answer func(name string) []string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			q := m.Questions[0]
			texts := answer(q.Name.String())
			m.Response, m.Additionals = true, nil
			for _, text := range texts {
				if body := record(q.Type, text); body != nil {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: body,
					})
				}
			}
			if len(texts) == 0 {
				m.RCode = dnsmessage.RCodeNameError
			}
			reply, err := m.Pack()
			if err == nil {
				_, _ = pc.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func record(of dnsmessage.Type, text string) dnsmessage.ResourceBody {
	ip, err := netip.ParseAddr(text)
	switch {
	case of == dnsmessage.TypeA && err == nil && ip.Is4():
		return &dnsmessage.AResource{A: ip.As4()}
	case of == dnsmessage.TypeAAAA && err == nil && ip.Is6():
		return &dnsmessage.AAAAResource{AAAA: ip.As16()}
	case of == dnsmessage.TypePTR && err != nil:
		return &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(text)}
	}
	return nil
}

func TestDial_nameWithSeveralAddresses_triesThemUntilOneAnswers(t *testing.T) {
	r := names(t, func(string) []string { return []string{"127.0.0.2", "127.0.0.3", "127.0.0.1"} })
	run(t, func(ctx context.Context) error {
		return serving2(t, ctx, func(addr string) error { // listens at 127.0.0.1 only
			_, port, _ := net.SplitHostPort(addr)
			c, err := aionet.Dial(ctx, "tcp", "several.test:"+port, aionet.WithResolver(r))
			if err != nil {
				return err
			}
			return roundTrip(ctx, c, "found")
		})
	})
}

// conformance: net-connect-03
func TestDial_noAddressAnswers_namesEachAndItsError(t *testing.T) {
	r := names(t, func(string) []string { return []string{"127.0.0.2", "127.0.0.3"} })
	run(t, func(ctx context.Context) error {
		_, port, _ := net.SplitHostPort(unused(t))
		_, err := aionet.Dial(ctx, "tcp", "nobody.test:"+port, aionet.WithResolver(r))
		var op *net.OpError
		if !errors.As(err, &op) {
			t.Errorf("no *net.OpError in %v", err)
		}
		for _, want := range []string{"nobody.test", "127.0.0.2:" + port, "127.0.0.3:" + port, "none of its 2 addresses"} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
		return nil
	})
}

func TestDial_unknownName_saysSo(t *testing.T) {
	r := names(t, func(string) []string { return nil })
	run(t, func(ctx context.Context) error {
		_, err := aionet.Dial(ctx, "tcp", "missing.test:80", aionet.WithResolver(r))
		var dns *net.DNSError
		if !errors.As(err, &dns) || !dns.IsNotFound || !strings.HasPrefix(err.Error(), "aionet: dial tcp missing.test:80: ") {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}

// A name server that is silent holds one thread, and not the loop or the one who waits.
func TestDial_silentNameServer_isLeftAtOnceWhenCancelled(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		<-over
		return nil, errors.New("the test is over")
	}}
	run(t, func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, 5*time.Millisecond, func(ctx context.Context) error {
			_, err := aionet.Dial(ctx, "tcp", "silent.test:80", aionet.WithResolver(r))
			return err
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) {
			t.Errorf("Dial = %v", err)
		}
		return nil
	})
}
