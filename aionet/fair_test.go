package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/fairtest"
)

// letsOthersRun reports whether somebody else has a turn while call, which never has to wait, is repeated.
func letsOthersRun(ctx context.Context, call func()) bool {
	_, ran := fairtest.Repeat(ctx, 100, func(int) { call() })
	return ran
}

// instant is a call that never has to wait, however often it is repeated.
type instant struct {
	name string
	call func()
}

func TestCalls_thatNeverWait_letOthersRun(t *testing.T) {
	groups := map[string]func(t *testing.T, ctx context.Context) []instant{
		"connections with data and room":   callsThatSucceed,
		"closed connections":               callsOfTheClosed,
		"connections past their deadlines": callsThatAreLate,
		"streams":                          callsOfStreams,
		"datagrams":                        callsOfPackets,
		"opening":                          callsThatOpen,
	}
	for name, calls := range groups {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				for _, c := range calls(t, ctx) {
					if !letsOthersRun(ctx, c.call) {
						t.Errorf("%s: the loop was held", c.name)
					}
				}
				return nil
			})
		})
	}
}

func callsThatSucceed(t *testing.T, ctx context.Context) []instant {
	a, b := pipe(t, ctx, "tcp")
	client, server := tlsPipe(t, ctx)
	for _, c := range []net.Conn{b, server} {
		_, err := c.Write(make([]byte, 10_000))
		must(t, err)
	}
	p := make([]byte, 1)
	return []instant{
		{"Conn.Read", func() { a.Read(p) }},
		{"Conn.Read of nothing", func() { a.Read(nil) }},
		{"Conn.Write", func() { a.Write(p) }},
		{"Conn.Write of nothing", func() { a.Write(nil) }},
		{"Conn.Writev", func() { a.Writev(p, p) }},
		{"Conn.ReadFrom", func() { a.ReadFrom(strings.NewReader("x")) }},
		{"Conn.ReadFrom of nothing", func() { a.ReadFrom(strings.NewReader("")) }},
		{"TLSConn.Read", func() { client.Read(p) }},
		{"TLSConn.Read of nothing", func() { client.Read(nil) }},
		{"TLSConn.Write", func() { client.Write(p) }},
		{"TLSConn.Writev", func() { client.Writev(p, p) }},
		{"TLSConn.Handshake", func() { client.Handshake() }},
		{"io.Copy to a TLSConn", func() { io.Copy(client, strings.NewReader("x")) }},
	}
}

func callsOfTheClosed(t *testing.T, ctx context.Context) []instant {
	a, _ := pipe(t, ctx, "tcp")
	client, _ := tlsPipe(t, ctx)
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	a.Close()
	client.Close()
	ln.Close()
	p := make([]byte, 1)
	unshaken := aionet.TLSClient(a, clientConfig())
	return []instant{
		{"Conn.Read", func() { a.Read(p) }},
		{"Conn.Read of nothing", func() { a.Read(nil) }},
		{"Conn.Write", func() { a.Write(p) }},
		{"Conn.Writev", func() { a.Writev(p, p) }},
		{"Conn.WriteTo", func() { a.WriteTo(io.Discard) }},
		{"TLSConn.Read", func() { client.Read(p) }},
		{"TLSConn.Write", func() { client.Write(p) }},
		{"TLSConn.Handshake", func() { unshaken.Handshake() }},
		{"TLSConn.Write without a handshake", func() { unshaken.Write(p) }},
		{"Listener.Accept", func() { ln.Accept() }},
		{"Listener.Clone", func() { ln.Clone(ctx) }},
		{"NewTransport", func() { aionet.NewTransport(ctx, a, aionet.BaseProtocol{}) }},
		{"StartTLS", func() { aionet.StartTLS(ctx, a, clientConfig(), aionet.ClientSide) }},
	}
}

func callsThatAreLate(t *testing.T, ctx context.Context) []instant {
	a, _ := pipe(t, ctx, "tcp")
	client, _ := tlsPipe(t, ctx)
	packets, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	must(t, err)
	past := time.Unix(1, 0)
	a.SetDeadline(past)
	client.SetDeadline(past)
	packets.SetDeadline(past)
	p := make([]byte, 1)
	return []instant{
		{"Conn.Read", func() { a.Read(p) }},
		{"Conn.Write", func() { a.Write(p) }},
		{"TLSConn.Read", func() { client.Read(p) }},
		{"TLSConn.Write", func() { client.Write(p) }},
		{"PacketConn.Read", func() { packets.Read(p) }},
		{"PacketConn.WriteTo", func() { packets.WriteTo(p, packets.LocalAddr()) }},
	}
}

func callsOfStreams(t *testing.T, ctx context.Context) []instant {
	a, b := pipe(t, ctx, "tcp")
	_, err := b.Write([]byte(strings.Repeat("x\n", 500)))
	must(t, err)
	buffered, ended := aionet.NewReader(a), aionet.NewReader(a)
	_, err = buffered.Peek(1000)
	must(t, err)
	b.Close()
	_, err = ended.ReadAll()
	must(t, err)
	w := aionet.NewWriter(ctx, a)
	secure, _ := tlsPipe(t, ctx)
	overTLS := aionet.NewWriter(ctx, secure)
	closed, _ := pipe(t, ctx, "tcp")
	gone := aionet.NewWriter(ctx, closed)
	gone.Close()
	must(t, gone.WaitClosed(ctx))
	return []instant{
		{"Reader.ReadLine of what is buffered", func() { buffered.ReadLine() }},
		{"Reader.Read of what is buffered", func() { buffered.Read(make([]byte, 1)) }},
		{"Reader.ReadLine at the end", func() { ended.ReadLine() }},
		{"Reader.ReadUntil at the end", func() { ended.ReadUntil([]byte("x")) }},
		{"Reader.ReadExactly at the end", func() { ended.ReadExactly(1) }},
		{"Reader.ReadAll at the end", func() { ended.ReadAll() }},
		{"Reader.Peek at the end", func() { ended.Peek(1) }},
		{"Reader.Discard at the end", func() { ended.Discard(1) }},
		{"Reader.Read at the end", func() { ended.Read(make([]byte, 1)) }},
		{"Writer.Drain", func() { w.Drain(ctx) }},
		{"Writer.Drain over TLS", func() { overTLS.WriteString("x"); overTLS.Drain(ctx) }},
		{"Writer.Drain of a closed one", func() { gone.Drain(ctx) }},
		{"Writer.WaitClosed of a closed one", func() { gone.WaitClosed(ctx) }},
		{"Writer.StartTLS with another's Reader", func() { gone.StartTLS(ctx, ended, nil, aionet.ClientSide) }},
	}
}

func callsOfPackets(t *testing.T, ctx context.Context) []instant {
	packets, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	must(t, err)
	closed, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	must(t, err)
	closed.Close()
	at := packets.LocalAddr()
	p := make([]byte, 1)
	for range 100 {
		_, err := packets.WriteTo(p, at)
		must(t, err)
	}
	return []instant{
		{"PacketConn.ReadFrom", func() { packets.ReadFrom(p) }},
		{"PacketConn.WriteTo", func() { packets.WriteTo(p, at) }},
		{"PacketConn.WriteTo of nobody", func() { packets.WriteTo(p, nil) }},
		{"PacketConn.WriteToUDPAddrPort of nobody", func() { packets.WriteToUDPAddrPort(p, netip.AddrPort{}) }},
		{"PacketConn.Write without a peer", func() { packets.Write(p) }},
		{"PacketConn.WriteMsg of nobody", func() { packets.WriteMsg(p, nil, nil) }},
		{"PacketConn.Read of a closed one", func() { closed.Read(p) }},
		{"PacketConn.WriteTo of a closed one", func() { closed.WriteTo(p, at) }},
		{"NewDatagramTransport of a closed one", func() { aionet.NewDatagramTransport(ctx, closed, aionet.BaseDatagramProtocol{}) }},
	}
}

func callsThatOpen(t *testing.T, ctx context.Context) []instant {
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	taken := ln.Addr().String()
	cache := aionet.NewCachingResolver(instantly{}, time.Hour, 0, 10)
	_, err = cache.LookupNetIP(ctx, "ip", "name")
	must(t, err)
	tr, _ := attach(t, ctx, "tcp", &recorder{})
	tr.Close()
	return []instant{
		{"Dial on an unknown network", func() { aionet.Dial(ctx, "carrier pigeon", "here") }},
		{"DialTLS with a bad option", func() { aionet.DialTLS(ctx, "tcp", taken, nil, aionet.WithHandshakeTimeout(0)) }},
		{"OpenConnection without a port", func() { aionet.OpenConnection(ctx, "tcp", "127.0.0.1") }},
		{"Listen at an address that is taken", func() { aionet.Listen(ctx, "tcp", taken) }},
		{"ListenAll of none", func() { aionet.ListenAll(ctx, "tcp", nil) }},
		{"ListenTLS without a certificate", func() { aionet.ListenTLS(ctx, "tcp", taken, nil) }},
		{"ListenPacket on an unknown network", func() { aionet.ListenPacket(ctx, "tcp", taken) }},
		{"DialPacket on an unknown network", func() { aionet.DialPacket(ctx, "tcp", taken) }},
		{"LookupNetIP of an address", func() { aionet.LookupNetIP(ctx, "ip", "127.0.0.1") }},
		{"CachingResolver.LookupNetIP of what it knows", func() { cache.LookupNetIP(ctx, "ip", "name") }},
		{"Adopt of nothing that can be", func() { aionet.Adopt(ctx, ln) }},
		{"DialProtocol", func() { aionet.DialProtocol(ctx, "tcp", "127.0.0.1", aionet.BaseProtocol{}) }},
		{"Transport.SendFile of a closed one", func() { tr.SendFile(ctx, nil, 0, 0) }},
		{"Transport.StartTLS of a closed one", func() { tr.StartTLS(ctx, clientConfig(), aionet.ClientSide) }},
	}
}

// instantly is a resolver that answers at once.
type instantly struct{}

func (instantly) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// A retry loop without a pause is a mistake, but must not be out of its own timeout's reach.
func TestCalls_failAtOnce_theTimeoutAroundThemEndsThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c, _ := pipe(t, ctx, "tcp")
		c.Close()
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		nobody := ln.Addr().String()
		ln.Close()
		for name, call := range map[string]func(ctx context.Context) error{
			"Read": func(context.Context) error { _, err := c.Read(make([]byte, 1)); return err },
			"Dial": func(ctx context.Context) error { _, err := aionet.Dial(ctx, "tcp", nobody); return err },
		} {
			err := asyncio.Timeout(ctx, 5*time.Millisecond, func(ctx context.Context) error {
				for ctx.Err() == nil {
					if call(ctx) == nil {
						t.Errorf("%s succeeds", name)
					}
				}
				return context.Cause(ctx)
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

// A copy to a peer that takes everything lets others run every few parts.
func TestWrite_fastPeer_boundsWhatIsMovedInATurn(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				var c, peer net.Conn = pipe(t, ctx, "tcp")
				if secure {
					c, peer = tlsPipe(t, ctx)
				}
				go io.Copy(io.Discard, peer) // a goroutine, so that it takes data while the loop is held
				src := &counted{left: 16 << 20}
				copying := asyncio.Go(ctx, func(ctx context.Context) error {
					_, err := io.Copy(c, src)
					return errors.Join(err, c.Close())
				})
				most := 0
				for !copying.Done() {
					most = max(most, src.sinceLook)
					src.sinceLook = 0
					must(t, asyncio.Yield(ctx))
				}
				if most > 256<<10 {
					t.Errorf("%d KiB were moved in one turn", most>>10)
				}
				_, err := copying.Await(ctx)
				return err
			})
		})
	}
}

// counted is a source that never waits, and notes what was read since somebody looked.
type counted struct{ left, sinceLook int }

func (s *counted) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.left)
	s.left -= n
	s.sinceLook += n
	return n, nil
}

// A call that is made off the loop says so, as waits do.
func TestCalls_offTheLoop_sayWhatIsMissing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		calls := callsWithAContext(t, ctx)
		for name, call := range calls {
			if err := call(context.Background()); !errors.Is(err, asyncio.ErrNotOnLoop) {
				t.Errorf("%s with a context of nobody's: %v", name, err)
			}
		}
		_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
			for name, call := range calls {
				if err := call(context.Background()); !errors.Is(err, asyncio.ErrNotOnLoop) {
					t.Errorf("%s on a goroutine: %v", name, err)
				}
				if err := call(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
					t.Errorf("%s on a goroutine, with the loop's context: %v", name, err)
				}
			}
			return asyncio.None{}, nil
		})
		return err
	})
}

func callsWithAContext(t *testing.T, ctx context.Context) map[string]func(ctx context.Context) error {
	c, theirs := pipe(t, ctx, "tcp")
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	packets, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	must(t, err)
	w := aionet.NewWriter(ctx, theirs)
	tr, _ := attach(t, ctx, "tcp", &recorder{})
	at := ln.Addr().String()
	file := func() *os.File {
		f, err := c.File()
		if err != nil {
			t.Error(err)
		}
		return f
	}
	cache := aionet.NewCachingResolver(instantly{}, time.Hour, 0, 1)
	proto := aionet.BaseProtocol{}
	handler := func(context.Context, *aionet.Reader, *aionet.Writer) error { return nil }
	return map[string]func(ctx context.Context) error{
		"Dial":                     func(ctx context.Context) error { return second(aionet.Dial(ctx, "tcp", at)) },
		"DialTLS":                  func(ctx context.Context) error { return second(aionet.DialTLS(ctx, "tcp", at, nil)) },
		"Listen":                   func(ctx context.Context) error { return second(aionet.Listen(ctx, "tcp", "127.0.0.1:0")) },
		"ListenTLS":                func(ctx context.Context) error { return second(aionet.ListenTLS(ctx, "tcp", at, serverConfig())) },
		"ListenAll":                func(ctx context.Context) error { return second(aionet.ListenAll(ctx, "tcp", []string{at})) },
		"ListenersFromEnvironment": func(ctx context.Context) error { return second(aionet.ListenersFromEnvironment(ctx)) },
		"ListenPacket":             func(ctx context.Context) error { return second(aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")) },
		"DialPacket":               func(ctx context.Context) error { return second(aionet.DialPacket(ctx, "udp", at)) },
		"NewPacketConn":            func(ctx context.Context) error { return second(aionet.NewPacketConn(ctx, udpSocket(t))) },
		"LookupNetIP":              func(ctx context.Context) error { return second(aionet.LookupNetIP(ctx, "ip", "127.0.0.1")) },
		"LookupAddr":               func(ctx context.Context) error { return second(aionet.LookupAddr(ctx, netip.IPv4Unspecified())) },
		"CachingResolver":          func(ctx context.Context) error { return second(cache.LookupNetIP(ctx, "ip", "name")) },
		"ThreadResolver": func(ctx context.Context) error {
			return second(aionet.ThreadResolver(instantly{}).LookupNetIP(ctx, "ip", "x"))
		},
		"Listener.Clone": func(ctx context.Context) error { return second(ln.Clone(ctx)) },
		"Adopt":          func(ctx context.Context) error { f := file(); defer f.Close(); return second(aionet.Adopt(ctx, f)) },
		"AdoptListener": func(ctx context.Context) error {
			f := file()
			defer f.Close()
			return second(aionet.AdoptListener(ctx, f))
		},
		"StartTLS": func(ctx context.Context) error {
			a, _ := net.Pipe()
			return second(aionet.StartTLS(ctx, a, nil, aionet.ClientSide))
		},
		"OpenConnection":  func(ctx context.Context) error { _, _, err := aionet.OpenConnection(ctx, "tcp", at); return err },
		"StartServer":     func(ctx context.Context) error { return second(aionet.StartServer(ctx, "tcp", "127.0.0.1:0", handler)) },
		"DialProtocol":    func(ctx context.Context) error { return second(aionet.DialProtocol(ctx, "tcp", at, proto)) },
		"DialProtocolTLS": func(ctx context.Context) error { return second(aionet.DialProtocolTLS(ctx, "tcp", at, nil, proto)) },
		"NewTransport":    func(ctx context.Context) error { return second(aionet.NewTransport(ctx, c, proto)) },
		"NewTransportTLS": func(ctx context.Context) error {
			return second(aionet.NewTransportTLS(ctx, c, nil, aionet.ClientSide, proto))
		},
		"NewDatagramTransport": func(ctx context.Context) error {
			return second(aionet.NewDatagramTransport(ctx, packets, aionet.BaseDatagramProtocol{}))
		},
		"ReadPipe":          func(ctx context.Context) error { return second(aionet.ReadPipe(ctx, os.Stdin, proto)) },
		"WritePipe":         func(ctx context.Context) error { return second(aionet.WritePipe(ctx, os.Stdout, proto)) },
		"Writer.Drain":      func(ctx context.Context) error { return w.Drain(ctx) },
		"Writer.WaitClosed": func(ctx context.Context) error { return w.WaitClosed(ctx) },
		"Writer.StartTLS": func(ctx context.Context) error {
			return w.StartTLS(ctx, aionet.NewReader(theirs), nil, aionet.ClientSide)
		},
		"Transport.SendFile": func(ctx context.Context) error { return second(tr.SendFile(ctx, nil, 0, 0)) },
		"Transport.StartTLS": func(ctx context.Context) error { return tr.StartTLS(ctx, nil, aionet.ClientSide) },
	}
}

func second[T any](_ T, err error) error { return err }

func udpSocket(t *testing.T) net.PacketConn {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
	}
	return c
}

// What a transport has kept goes out in parts, with turns for others in between, when its peer takes all at once.
func TestTransport_fastPeer_boundsWhatIsSentInATurn(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		jam(t, tr)
		_, err := tr.Write(make([]byte, 8<<20))
		must(t, err)
		go io.Copy(io.Discard, peer) // a goroutine, so that it takes data while the loop is held
		most := 0
		for left := tr.WriteBufferSize(); left > 0; {
			must(t, asyncio.Yield(ctx))
			now := tr.WriteBufferSize()
			most = max(most, left-now)
			left = now
		}
		if most > 256<<10 {
			t.Errorf("%d KiB were sent in one turn", most>>10)
		}
		tr.Abort()
		must(t, r.wait(ctx, "lost"))
	})
}
