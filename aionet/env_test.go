package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// runIn runs main in the system's environment, with what change replaces.
func runIn(t *testing.T, change func(e *env.Env), main func(ctx context.Context) error) {
	t.Helper()
	e := env.Real()
	change(e)
	if err := asyncio.Run(t.Context(), main, engine.WithEnv(e).(asyncio.Option)); err != nil {
		t.Error(err)
	}
}

// hosts are the names of an environment: the one that there is has the loopback address.
type hosts struct {
	name, service string
	port          int
	onLoop        func() bool
}

var errElsewhere = errors.New("asked in a thread, and not on the loop")

func (h *hosts) check(ok bool) error {
	switch {
	case !h.onLoop():
		return errElsewhere
	case !ok:
		return &net.DNSError{Err: "no such name", IsNotFound: true}
	}
	return nil
}

func (h *hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, h.check(host == h.name)
}

func (h *hosts) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return []string{h.name + "."}, h.check(addr == "127.0.0.1")
}

func (h *hosts) LookupPort(_ context.Context, _, service string) (int, error) {
	return h.port, h.check(service == h.service)
}

func TestEnvironment_looksNamesUpOnTheLoop(t *testing.T) {
	own := &hosts{name: "shop.invalid", service: "greetings"}
	runIn(t, func(e *env.Env) { e.Names = func() env.Names { return own } }, func(ctx context.Context) error {
		own.onLoop = asyncio.RunningLoop(ctx).OnLoop
		ln, err := aionet.Listen(ctx, "tcp", own.name+":0")
		if err != nil {
			return err
		}
		own.port = ln.Addr().(*net.TCPAddr).Port
		c, err := aionet.Dial(ctx, "tcp", own.name+":"+own.service)
		if err != nil {
			return err
		}
		if got := c.RemoteAddr().String(); got != fmt.Sprint("127.0.0.1:", own.port) {
			t.Errorf("it is connected to %s", got)
		}
		if p, err := aionet.DialPacket(ctx, "udp", own.name+":"+own.service); err != nil {
			t.Errorf("datagrams: %v", err)
		} else {
			p.Close()
		}
		ips, err := aionet.LookupNetIP(ctx, "ip", own.name)
		if len(ips) != 1 || err != nil {
			t.Errorf("LookupNetIP: %v, %v", ips, err)
		}
		names, err := aionet.LookupAddr(ctx, ips[0])
		if !slices.Equal(names, []string{own.name + "."}) || err != nil {
			t.Errorf("LookupAddr: %v, %v", names, err)
		}
		if _, err := aionet.Dial(ctx, "tcp", "localhost:1"); err == nil || errors.Is(err, errElsewhere) {
			t.Errorf("a name that the environment does not have: %v", err)
		}
		if _, err := aionet.LookupNetIP(ctx, "ip", "any", aionet.WithResolver(fixed("192.0.2.1"))); err != nil {
			t.Errorf("WithResolver comes before the environment: %v", err)
		}
		return errors.Join(c.Close(), ln.Close())
	})
}

type fixed string

func (f fixed) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(string(f))}, nil
}

// noting is a poller that notes which sockets for datagrams it is asked for.
type noting struct {
	poller.Poller
	asked *[]string
}

func (p noting) note(format string, args ...any) {
	*p.asked = append(*p.asked, fmt.Sprintf(format, args...))
}

func (p noting) ListenPacket(network, address string, o *poller.Options) (poller.PacketSocket, error) {
	p.note("listen %s, broadcast %v, shared %v", network, o.Broadcast, o.ReusePort)
	return p.Poller.ListenPacket(network, address, o)
}

func (p noting) DialPacket(network string, remote net.Addr, o *poller.Options) (poller.PacketSocket, error) {
	p.note("dial %s from %v", network, o.Local)
	return p.Poller.DialPacket(network, remote, o)
}

func (p noting) RemoveDead(network, path string) error {
	p.note("remove dead %s", network)
	return p.Poller.RemoveDead(network, path)
}

func TestEnvironment_opensSocketsForDatagrams(t *testing.T) {
	var asked []string
	noted := func(e *env.Env) {
		e.Poller = func(name string) (poller.Poller, error) {
			p, err := poller.New(name)
			return noting{p, &asked}, err
		}
	}
	runIn(t, noted, func(ctx context.Context) error {
		a, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0", aionet.WithBroadcast())
		if err != nil {
			return err
		}
		b, err := aionet.DialPacket(ctx, "udp", a.LocalAddr().String(), aionet.WithLocalAddr(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
		if err != nil {
			return err
		}
		if _, err := b.Write([]byte("hello")); err != nil {
			return err
		}
		p := make([]byte, 8)
		n, _, err := a.ReadFrom(p)
		if string(p[:n]) != "hello" {
			t.Errorf("%q came, %v", p[:n], err)
		}
		return errors.Join(a.Close(), b.Close())
	})
	want := []string{"listen udp, broadcast true, shared false", "dial udp from 127.0.0.1:0"}
	if !slices.Equal(asked, want) {
		t.Errorf("the environment was asked to %q, want %q", asked, want)
	}
}

func TestEnvironment_removesFilesOfDeadUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	var asked []string
	noted := func(e *env.Env) {
		e.Poller = func(name string) (poller.Poller, error) {
			p, err := poller.New(name)
			return noting{p, &asked}, err
		}
	}
	runIn(t, noted, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "unix", path)
		if err != nil {
			return err
		}
		return ln.Close()
	})
	if !slices.Equal(asked, []string{"remove dead unix"}) {
		t.Errorf("the environment was asked to %q", asked)
	}
}

func TestEnvironment_handsListenersIn(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	f, err := open.(*net.TCPListener).File()
	if err != nil {
		t.Skip(err)
	}
	handed := func(e *env.Env) { e.Inherited = func() ([]env.Inherited, error) { return []env.Inherited{f}, nil } }
	runIn(t, handed, func(ctx context.Context) error {
		lns, err := aionet.ListenersFromEnvironment(ctx)
		if err != nil || len(lns) != 1 {
			return fmt.Errorf("%d listeners, %w", len(lns), err)
		}
		if got, want := lns[0].Addr().String(), open.Addr().String(); got != want {
			t.Errorf("it listens at %s, want %s", got, want)
		}
		return lns[0].Close()
	})
}

// hellos returns a listener whose connections are sent to a channel with what has come first.
func hellos(t *testing.T) (net.Listener, <-chan []byte) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	came := make(chan []byte, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			hello := make([]byte, 43)
			_, _ = io.ReadFull(c, hello)
			c.Close()
			came <- hello
		}
	}()
	return ln, came
}

func TestEnvironment_withAClock_hasTheRandomNumbersOfTLS(t *testing.T) {
	ln, came := hellos(t)
	// random is the 32 bytes of a client's hello that follow its version (RFC 8446, 4.1.2).
	random := func(seed uint64) []byte {
		seeded := func(e *env.Env) { e.Clock, e.Rand = env.NewClock(time.Unix(1e9, 0)), env.Seeded(seed) }
		runIn(t, seeded, func(ctx context.Context) error {
			_, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			if err == nil {
				t.Error("the peer has shaken hands")
			}
			return nil
		})
		return (<-came)[11:]
	}
	first, again, other := random(1), random(1), random(2)
	if !bytes.Equal(first, again) || bytes.Equal(first, other) {
		t.Errorf("the numbers with seed 1 are %x and %x, with seed 2 %x", first, again, other)
	}
}
