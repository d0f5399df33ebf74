//go:build unix

package cancelwalk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/testcert"
)

func TestNames(t *testing.T) { testAll(t, names) }

// names are dialled, listened at, and looked up.
var names = []walk{
	{"Dial", 1, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
		return aionet.Dial(ctx, "tcp", "127.0.0.1:"+port)
	})},
	{"Dial: by name", 2, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
		return aionet.Dial(ctx, "tcp", "name:"+port, aionet.WithResolver(slowly{}))
	})},
	{"Dial: one of two does not answer", 2, races},
	{"Dial: a full Unix socket", 1, dialsFullUnix},
	{"DialTLS", 2, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
		return aionet.DialTLS(ctx, "tcp", "127.0.0.1:"+port, testcert.Client())
	})},
	{"OpenConnection", 1, dials(listener, func(ctx context.Context, port string) (io.Closer, error) {
		_, w, err := aionet.OpenConnection(ctx, "tcp", "127.0.0.1:"+port, aionet.WithTLS(testcert.Client()))
		return w, err
	})},
	{"DialProtocol", 1, dials(listener, func(ctx context.Context, port string) (io.Closer, error) {
		p := &recorder{}
		_, err := aionet.DialProtocol(ctx, "tcp", "127.0.0.1:"+port, p)
		return p, err
	})},
	{"DialProtocolTLS", 2, dials(listener, func(ctx context.Context, port string) (io.Closer, error) {
		p := &recorder{}
		_, err := aionet.DialProtocolTLS(ctx, "tcp", "127.0.0.1:"+port, testcert.Client(), p)
		return p, err
	})},
	{"Listen", 1, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		return aionet.Listen(ctx, "tcp", "name:0", aionet.WithResolver(slowly{}))
	})},
	{"Listen: where a socket was left behind", 1, opens(func(ctx context.Context, s *stage) (io.Closer, error) {
		return aionet.Listen(ctx, "unix", leftBehind(s, "unix"))
	})},
	{"ListenAll", 1, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		lns, err := aionet.ListenAll(ctx, "tcp", []string{"name:0", "127.0.0.1:0"}, aionet.WithResolver(slowly{}))
		return closerFunc(func() (err error) {
			for _, ln := range lns {
				err = errors.Join(err, ln.Close())
			}
			return err
		}), err
	})},
	{"ListenTLS", 1, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		return aionet.ListenTLS(ctx, "tcp", "name:0", testcert.Server(), aionet.WithResolver(slowly{}))
	})},
	{"ListenPacket", 1, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		return aionet.ListenPacket(ctx, "udp", "name:0", aionet.WithResolver(slowly{}))
	})},
	{"ListenPacket: where a socket was left behind", 1, opens(func(ctx context.Context, s *stage) (io.Closer, error) {
		return aionet.ListenPacket(ctx, "unixgram", leftBehind(s, "unixgram"))
	})},
	{"DialPacket", 2, opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		return aionet.DialPacket(ctx, "udp", "name:domain", aionet.WithResolver(slowly{}))
	})},
	{"Listener.Accept", 1, accepts},
	{"LookupNetIP", 1, asks(func(ctx context.Context) error {
		_, err := aionet.LookupNetIP(ctx, "ip", "name", aionet.WithResolver(slowly{}))
		return err
	})},
	{"LookupNetIP: in a thread", 1, asks(func(ctx context.Context) error {
		_, err := aionet.LookupNetIP(ctx, "ip", "name", aionet.WithResolver(aionet.ThreadResolver(blocking{})))
		return err
	})},
	{"LookupAddr", 1, asks(func(ctx context.Context) error {
		_, err := aionet.LookupAddr(ctx, netip.MustParseAddr("127.0.0.1"), aionet.WithResolver(blocking{}))
		return err
	})},
	{"CachingResolver.LookupNetIP", 1, sharesLookup(false)},
	{"CachingResolver.LookupNetIP: asked by another one first", 1, sharesLookup(true)},
}

// A cancelled Accept leaves the connection to the next one.
func accepts(ctx context.Context, s *stage) error {
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	const all = 3
	dialled, accepted := 0, 0
	s.nudge = func() {
		if dialled == all {
			return
		}
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			panic(err)
		}
		dialled++
		s.cleanup(func() { c.Close() })
	}
	acceptAll := func(context.Context) error {
		for accepted < all {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			accepted++
			c.Close()
		}
		return nil
	}
	s.do = acceptAll
	s.check = func(ctx context.Context, _ error) error { return errors.Join(acceptAll(ctx), ln.Close()) }
	return nil
}

// A cancelled Dial leaves nothing, which the harness sees.
func dials(listen func(*stage) (net.Listener, error), dial func(ctx context.Context, port string) (io.Closer, error)) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		var serving sync.WaitGroup
		s.cleanup(serving.Wait)
		ln, err := listen(s)
		if err != nil {
			return err
		}
		s.cleanup(func() { ln.Close() })
		shake := make(chan struct{})
		nudges := 0
		s.nudge = func() {
			switch nudges++; nudges {
			case 1:
				serving.Go(func() { serveTLS(ln, shake) })
			case 2:
				close(shake)
			}
		}
		s.cleanup(func() {
			if nudges < 2 {
				close(shake)
			}
		})
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		var c io.Closer
		s.do = func(ctx context.Context) (err error) {
			c, err = dial(ctx, port)
			return err
		}
		s.check = func(_ context.Context, err error) error {
			if err != nil {
				return nil
			}
			return c.Close()
		}
		return nil
	}
}

// serveTLS accepts connections, and shakes hands with them once it may.
func serveTLS(ln net.Listener, shake chan struct{}) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		serving.Go(func() {
			defer c.Close()
			<-shake
			if t := tls.Server(c, testcert.Server()); t.Handshake() == nil {
				io.Copy(io.Discard, t)
			}
		})
	}
}

// busyListenerAt returns a listener with so many connections in its queue that nobody can connect until it accepts. (Then
// it takes up to a second, until the client's system tries again.)
func busyListenerAt(s *stage, network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }); err != nil {
		return nil, err
	}
	c, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		return nil, err
	}
	s.cleanup(func() { c.Close() })
	return ln, nil
}

func busyListener(s *stage) (net.Listener, error) { return busyListenerAt(s, "tcp", "127.0.0.1:0") }

func listener(*stage) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// The first of the two addresses does not answer, so that the second wins; the loser is given up.
func races(_ context.Context, s *stage) error {
	loser, err := busyListenerAt(s, "tcp", "127.0.0.2:0")
	if err != nil {
		return err
	}
	s.cleanup(func() { loser.Close() })
	_, port, _ := net.SplitHostPort(loser.Addr().String())
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	s.cleanup(func() { ln.Close() })
	var c *aionet.Conn
	s.do = func(ctx context.Context) (err error) {
		c, err = aionet.Dial(ctx, "tcp", "name:"+port, aionet.WithResolver(slowly{}), aionet.WithHappyEyeballs(time.Millisecond))
		return err
	}
	s.check = func(_ context.Context, err error) error {
		if err != nil {
			return nil
		}
		if got := c.RemoteAddr().String(); got != ln.Addr().String() {
			err = fmt.Errorf("connected to %s", got)
		}
		return errors.Join(err, c.Close())
	}
	return nil
}

// The queue of a Unix socket is full, and nobody tells when it is not.
func dialsFullUnix(ctx context.Context, s *stage) error {
	ln, err := busyListenerAt(s, "unix", filepath.Join(s.dir, "socket"))
	if err != nil {
		return err
	}
	s.cleanup(func() { ln.Close() })
	s.nudge = func() {
		ln.(*net.UnixListener).SetDeadline(time.Now().Add(time.Millisecond))
		if c, err := ln.Accept(); err == nil {
			s.cleanup(func() { c.Close() })
		}
	}
	return opens(func(ctx context.Context, _ *stage) (io.Closer, error) {
		return aionet.Dial(ctx, "unix", ln.Addr().String())
	})(ctx, s)
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// opens walks what opens something. When it is cancelled nothing is open, which the harness sees; it can be done again.
func opens(open func(ctx context.Context, s *stage) (io.Closer, error)) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		var c io.Closer
		s.do = func(ctx context.Context) (err error) {
			c, err = open(ctx, s)
			return err
		}
		s.check = func(ctx context.Context, err error) error {
			if err != nil {
				if c, err = open(ctx, s); err != nil {
					return fmt.Errorf("again: %w", err)
				}
			}
			return c.Close()
		}
		return nil
	}
}

// leftBehind returns the name of a socket at which nobody listens any more.
func leftBehind(s *stage, network string) string {
	name := filepath.Join(s.dir, network)
	fd, err := syscall.Socket(syscall.AF_UNIX, map[string]int{"unix": syscall.SOCK_STREAM, "unixgram": syscall.SOCK_DGRAM}[network], 0)
	if err != nil {
		panic(err)
	}
	_ = syscall.Bind(fd, &syscall.SockaddrUnix{Name: name}) // which fails if it is there
	syscall.Close(fd)
	return name
}

// slowly is a resolver that takes some time. Nobody listens at the first address.
type slowly struct{}

func (slowly) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	for range 2 {
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
}

// blocking is a resolver for threads.
type blocking struct{}

func (blocking) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func (blocking) LookupAddr(context.Context, string) ([]string, error) { return []string{"name"}, nil }

// asks walks what only asks, and can be asked again.
func asks(ask func(ctx context.Context) error) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		s.do = ask
		s.check = func(ctx context.Context, _ error) error { return ask(ctx) }
		return nil
	}
}

// Two share a lookup. The one who is cancelled does not end it for the other.
func sharesLookup(otherFirst bool) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		asked := 0
		cache := aionet.NewCachingResolver(resolverFunc(func(ctx context.Context, network, host string) ([]netip.Addr, error) {
			asked++
			return slowly{}.LookupNetIP(ctx, network, host)
		}), time.Minute, time.Minute, 10)
		ask := func(ctx context.Context) error {
			_, err := cache.LookupNetIP(ctx, "ip", "name")
			return err
		}
		var other *asyncio.Task[asyncio.None]
		s.do = func(ctx context.Context) error {
			other = asyncio.Go(context.WithoutCancel(ctx), ask)
			if otherFirst {
				_ = asyncio.Yield(context.WithoutCancel(ctx))
			}
			return ask(ctx)
		}
		s.check = func(ctx context.Context, _ error) error {
			if _, err := other.Await(ctx); err != nil {
				return fmt.Errorf("the other one: %w", err)
			}
			err := ask(ctx)
			if err == nil && asked != 1 {
				err = fmt.Errorf("the resolver was asked %d times", asked)
			}
			return err
		}
		return nil
	}
}

type resolverFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}
