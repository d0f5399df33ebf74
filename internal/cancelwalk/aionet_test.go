//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func TestAionet(t *testing.T) {
	testAll(t, []walk{
		{"Conn.Read", 1, reads(plain, func(c net.Conn) source { return c })},
		{"TLSConn.Read", 1, reads(secret, func(c net.Conn) source { return c })},
		{"Reader.Read", 1, reads(plain, func(c net.Conn) source { return aionet.NewReader(c) })},
		{"Reader.ReadExactly", 1, reads(plain, exactly)},
		{"Reader.ReadLine", 1, reads(secret, lines)},
		{"Conn.Write", 1, writes(plain)},
		{"TLSConn.Write", 1, writes(secret)},
		{"Writer.Drain", 1, drains(plain)},
		{"Writer.Drain over TLS", 1, drains(secret)},
		{"Writer.WaitClosed", 1, waitsClosed},
		{"Conn.ReadFrom of a file", 1, sendsFile},
		{"Conn.WriteTo", 1, copies},
		{"Listener.Accept", 1, accepts},
		{"Dial", 1, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
			return aionet.Dial(ctx, "tcp", "127.0.0.1:"+port)
		})},
		{"Dial by name", 2, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
			return aionet.Dial(ctx, "tcp", "name:"+port, aionet.WithResolver(slowly{}))
		})},
		{"DialTLS", 2, dials(busyListener, func(ctx context.Context, port string) (io.Closer, error) {
			return aionet.DialTLS(ctx, "tcp", "127.0.0.1:"+port, clientConfig())
		})},
		{"OpenConnection", 1, dials(listener, func(ctx context.Context, port string) (io.Closer, error) {
			_, w, err := aionet.OpenConnection(ctx, "tcp", "127.0.0.1:"+port, aionet.WithTLS(clientConfig()))
			return w, err
		})},
		{"StartTLS", 1, startsTLS},
		{"TLSConn.HandshakeContext", 1, shakesHands},
		{"Serve", 2, serves(nil)},
		{"Serve with TLS", 2, serves(serverConfig())},
		{"LookupNetIP", 1, looksUp},
	})
}

// plain and secret return both ends of a connection: ours, and one of package net on the other side.
func plain(ctx context.Context, s *stage) (ours, theirs net.Conn, err error) {
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	theirs, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	s.cleanup(func() { theirs.Close() })
	ours, err = ln.Accept()
	return ours, theirs, err
}

func secret(ctx context.Context, s *stage) (ours, theirs net.Conn, err error) {
	below, raw, err := plain(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	peer := tls.Client(raw, clientConfig())
	c := aionet.TLSServer(below.(*aionet.Conn), serverConfig())
	_, _, err = asyncio.Gather2(ctx,
		func(ctx context.Context) (struct{}, error) { return struct{}{}, c.HandshakeContext(ctx) },
		func(ctx context.Context) (struct{}, error) {
			return asyncio.ToThread(ctx, func() (struct{}, error) { return struct{}{}, peer.Handshake() })
		})
	return c, peer, err
}

type opener = func(ctx context.Context, s *stage) (ours, theirs net.Conn, err error)

// source is what a Reader and a Conn have in common.
type source interface{ Read([]byte) (int, error) }

type sourceFunc func([]byte) (int, error)

func (f sourceFunc) Read(p []byte) (int, error) { return f(p) }

func exactly(c net.Conn) source {
	r := aionet.NewReader(c)
	return sourceFunc(func(p []byte) (int, error) {
		b, err := r.ReadExactly(3)
		return copy(p, b), err
	})
}

func lines(c net.Conn) source {
	r := aionet.NewReader(c)
	return sourceFunc(func(p []byte) (int, error) {
		b, err := r.ReadLine()
		return copy(p, b), err
	})
}

// A cancelled read takes nothing: it goes on where it was.
func reads(open opener, from func(net.Conn) source) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		sent := []byte("ab\ncd\nef\n")
		left := sent
		s.nudge = func() {
			if len(left) > 0 {
				theirs.Write(left[:1])
				left = left[1:]
			}
		}
		var got []byte
		r := from(ours)
		readAll := func(context.Context) error {
			buf := make([]byte, 8)
			for len(got) < len(sent) {
				n, err := r.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					return err
				}
			}
			return nil
		}
		s.do = readAll
		s.check = func(ctx context.Context, _ error) error {
			if err := readAll(ctx); err != nil {
				return fmt.Errorf("reading on: %w", err)
			}
			if !bytes.Equal(got, sent) {
				return fmt.Errorf("read %q of %q", got, sent)
			}
			return ours.Close()
		}
		return nil
	}
}

const much = 8 << 20 // bytes: more than the system's buffers take

func data(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// A sipper reads what the other end sends, a part at each nudge.
type sipper struct {
	c     net.Conn
	got   []byte
	ended chan struct{} // closed when the part has been read
}

func (p *sipper) sip() {
	if p.ended != nil {
		select {
		case <-p.ended:
		default:
			return // it still reads
		}
	}
	ended := make(chan struct{})
	p.ended = ended
	go func() {
		defer close(ended)
		part := make([]byte, much/4)
		n, _ := io.ReadFull(p.c, part)
		p.got = append(p.got, part[:n]...)
	}()
}

// all reads to the end, and returns all that came.
func (p *sipper) all(ctx context.Context) ([]byte, error) {
	return asyncio.ToThread(ctx, func() ([]byte, error) {
		if p.ended != nil {
			p.c.SetReadDeadline(time.Unix(1, 0))
			<-p.ended
			p.c.SetReadDeadline(time.Time{})
		}
		rest, err := io.ReadAll(p.c)
		return append(p.got, rest...), err
	})
}

// A cancelled Write says how much it has taken; the stream is good up to there, and goes on.
func writes(open opener) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		peer := &sipper{c: theirs}
		s.nudge = peer.sip
		taken := 0
		s.do = func(context.Context) (err error) {
			taken, err = ours.Write(data(much))
			return err
		}
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			all := asyncio.CreateTask(ctx, peer.all)
			if _, err := ours.Write([]byte("the end")); err != nil {
				return fmt.Errorf("writing on: %w", err)
			}
			if err := ours.Close(); err != nil {
				return err
			}
			got, err := all.Await(ctx)
			if want := append(data(much)[:taken], "the end"...); !bytes.Equal(got, want) {
				return fmt.Errorf("%d bytes arrived, want the %d that Write reported and 7 (%v)", len(got), taken, err)
			}
			return nil
		}
		return nil
	}
}

// A cancelled Drain leaves what was written to be sent.
func drains(open opener) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		w := aionet.NewWriter(ctx, ours)
		peer := &sipper{c: theirs}
		s.nudge = peer.sip
		s.do = func(ctx context.Context) error {
			if _, err := w.Write(data(much)); err != nil {
				return err
			}
			return w.Drain(ctx)
		}
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			all := asyncio.CreateTask(ctx, peer.all)
			if err := errors.Join(w.Close(), w.WaitClosed(ctx)); err != nil {
				return err
			}
			got, err := all.Await(ctx)
			if !bytes.Equal(got, data(much)) {
				return fmt.Errorf("%d of %d bytes arrived: %v", len(got), much, err)
			}
			return nil
		}
		return nil
	}
}

// A cancelled WaitClosed cuts off the connection that is being closed.
func waitsClosed(ctx context.Context, s *stage) error {
	ours, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	w := aionet.NewWriter(ctx, ours)
	peer := &sipper{c: theirs}
	s.nudge = peer.sip
	s.do = func(ctx context.Context) error {
		if _, err := w.Write(data(much)); err != nil {
			return err
		}
		return errors.Join(w.Close(), w.WaitClosed(ctx))
	}
	s.check = func(ctx context.Context, ended error) error {
		s.nudge = nil
		got, _ := peer.all(ctx)
		if !bytes.HasPrefix(data(much), got) || ended == nil && len(got) < much {
			return fmt.Errorf("%d of %d bytes arrived", len(got), much)
		}
		if err := w.WaitClosed(ctx); (err != nil) != (ended != nil) {
			return fmt.Errorf("WaitClosed again = %v", err)
		}
		return nil
	}
	return nil
}

// A cancelled sendfile says how much was sent.
func sendsFile(ctx context.Context, s *stage) error {
	ours, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	name := filepath.Join(s.dir, "file")
	if err := os.WriteFile(name, data(much), 0o600); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	s.cleanup(func() { f.Close() })
	read := sync.OnceValue(func() chan []byte { // beside the loop, as the thread that sends is
		all := make(chan []byte, 1)
		go func() {
			got, _ := io.ReadAll(theirs)
			all <- got
		}()
		return all
	})
	s.nudge = func() { read() }
	var sent int64
	s.do = func(context.Context) (err error) {
		sent, err = io.Copy(ours, f)
		return err
	}
	s.check = func(ctx context.Context, _ error) error {
		read()
		if _, err := ours.Write([]byte("the end")); err != nil {
			return fmt.Errorf("writing on: %w", err)
		}
		if err := ours.Close(); err != nil {
			return err
		}
		got, _, err := asyncio.Recv(ctx, read())
		if want := append(data(much)[:sent], "the end"...); !bytes.Equal(got, want) {
			return fmt.Errorf("%d bytes arrived, want the %d that were reported and 7 (%v)", len(got), sent, err)
		}
		return nil
	}
	return nil
}

// A cancelled copy has handed on what it has taken.
func copies(ctx context.Context, s *stage) error {
	ours, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	left := []byte("some words that come in pieces")
	want := string(left)
	s.nudge = func() {
		if n := min(len(left), 10); n > 0 {
			theirs.Write(left[:n])
			left = left[n:]
		} else {
			theirs.(*net.TCPConn).CloseWrite()
		}
	}
	var got bytes.Buffer
	s.do = func(context.Context) error {
		_, err := ours.(io.WriterTo).WriteTo(&got)
		return err
	}
	s.check = func(ctx context.Context, _ error) error {
		if _, err := ours.(io.WriterTo).WriteTo(&got); err != nil || got.String() != want {
			return fmt.Errorf("copied %q, %w", &got, err)
		}
		return ours.Close()
	}
	return nil
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

func listener(*stage) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// busyListener returns a listener with so many connections in its queue that nobody can connect until it accepts. (Then
// it takes up to a second, until the client's system tries again.)
func busyListener(s *stage) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }); err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, err
	}
	s.cleanup(func() { c.Close() })
	return ln, nil
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
			if t := tls.Server(c, serverConfig()); t.Handshake() == nil {
				io.Copy(io.Discard, t)
			}
		})
	}
}

// slowly is a resolver that waits. It knows one name, with an address first at which nobody listens.
type slowly struct{}

func (slowly) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	for range 2 {
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
}

func looksUp(_ context.Context, s *stage) error {
	cache := aionet.NewCachingResolver(slowly{}, time.Minute, time.Minute, 10)
	s.do = func(ctx context.Context) error {
		_, err := aionet.LookupNetIP(ctx, "ip", "name", aionet.WithResolver(cache))
		return err
	}
	s.check = func(ctx context.Context, _ error) error { return s.do(ctx) }
	return nil
}

// A connection whose handshake was cancelled can only be closed.
func shakesHands(ctx context.Context, s *stage) error {
	below, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	c := aionet.TLSServer(below.(*aionet.Conn), serverConfig())
	s.nudge = shaking(s, theirs)
	s.do = c.HandshakeContext
	s.check = func(context.Context, error) error { return c.Close() }
	return nil
}

func startsTLS(ctx context.Context, s *stage) error {
	below, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	var c *aionet.TLSConn
	s.nudge = shaking(s, theirs)
	s.do = func(ctx context.Context) (err error) {
		c, err = aionet.StartTLS(ctx, below, serverConfig(), aionet.ServerSide)
		return err
	}
	s.check = func(_ context.Context, err error) error {
		if err == nil {
			return c.Close()
		}
		if err := below.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	return nil
}

// shaking returns a nudge that lets a client shake hands.
func shaking(s *stage, theirs net.Conn) func() {
	var shaken sync.WaitGroup
	s.cleanup(shaken.Wait)
	s.cleanup(func() { theirs.Close() })
	return sync.OnceFunc(func() {
		shaken.Go(func() { _ = tls.Client(theirs, clientConfig()).Handshake() })
	})
}

// Serve ends when its handlers have, and has closed its listener and all connections.
func serves(config *tls.Config) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		listen := func() (*aionet.Listener, error) { return aionet.Listen(ctx, "tcp", "127.0.0.1:0") }
		if config != nil {
			listen = func() (*aionet.Listener, error) { return aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", config) }
		}
		ln, err := listen()
		if err != nil {
			return err
		}
		address := ln.Addr().String()
		var clients sync.WaitGroup
		s.cleanup(clients.Wait)
		nudges := 0
		var staying net.Conn
		s.cleanup(func() {
			if staying != nil {
				staying.Close()
			}
		})
		s.nudge = func() {
			switch nudges++; nudges {
			case 1, 2, 3:
				c, err := net.Dial("tcp", address)
				if err != nil {
					return // it has ended
				}
				if nudges == 2 {
					staying = c
				} else {
					clients.Go(func() { call(c, config != nil) })
				}
			case 4:
				ln.Close()
			}
		}
		live := 0
		s.do = func(ctx context.Context) error {
			return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
				live++
				defer func() { live-- }()
				_, err := io.Copy(c, c)
				if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) { // TLS clients that do not say goodbye
					return nil
				}
				return err
			})
		}
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			if live > 0 {
				return fmt.Errorf("%d handlers go on", live)
			}
			if c, err := aionet.Dial(ctx, "tcp", address); err == nil {
				return errors.Join(errors.New("it still listens"), c.Close())
			}
			return nil
		}
		return nil
	}
}

// call is a client that has something echoed.
func call(c net.Conn, secret bool) {
	defer c.Close()
	if secret {
		t := tls.Client(c, clientConfig())
		defer t.Close()
		c = t
	}
	c.Write([]byte("hello"))
	io.ReadFull(c, make([]byte, 5))
}

// certificate is one for 127.0.0.1, and the pool that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

func serverConfig() *tls.Config {
	cert, _ := certificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func clientConfig() *tls.Config {
	_, pool := certificate()
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}
