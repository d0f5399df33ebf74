//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/testcert"
)

func TestStreams(t *testing.T) { testAll(t, streams) }

var streams = []walk{
	{"Conn.Read", 1, reads(plain, func(c net.Conn) source { return c })},
	{"TLSConn.Read", 1, reads(secret, func(c net.Conn) source { return c })},
	{"Reader.Read", 1, reads(plain, func(c net.Conn) source { return aionet.NewReader(c) })},
	{"Reader.ReadExactly", 1, reads(plain, reader(func(r *aionet.Reader) ([]byte, error) { return r.ReadExactly(3) }))},
	{"Reader.ReadLine", 1, reads(secret, reader((*aionet.Reader).ReadLine))},
	{"Reader.ReadUntil", 1, reads(plain, reader(func(r *aionet.Reader) ([]byte, error) { return r.ReadUntil([]byte("\n")) }))},
	{"Reader.ReadAll", 1, reads(plain, reader((*aionet.Reader).ReadAll))},
	{"Reader.Lines", 1, reads(plain, reader(firstLine))},
	{"Reader.Peek, Reader.Discard", 1, reads(plain, reader(peek))},
	{"Reader.Discard", 1, discards},
	{"Conn.Write", 1, writes(plain)},
	{"TLSConn.Write", 1, writes(secret)},
	{"Writer.Drain", 1, drains(plain)},
	{"Writer.Drain: over TLS", 1, drains(secret)},
	{"Writer.WaitClosed", 1, waitsClosed},
	{"Conn.ReadFrom: a file", 1, sendsFile},
	{"Conn.WriteTo", 1, copies},
	{"StartTLS", 1, startsTLS(plain)},
	{"StartTLS: over TLS", 1, startsTLS(secret)},
	{"Writer.StartTLS", 2, upgrades},
	{"TLSConn.Handshake", 1, shakesHands(func(_ context.Context, c *aionet.TLSConn) error { return c.Handshake() })},
	{"TLSConn.HandshakeContext", 1, shakesHands(func(ctx context.Context, c *aionet.TLSConn) error { return c.HandshakeContext(ctx) })},
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
	if err == nil {
		err = errors.Join(small(ours), small(theirs))
	}
	return ours, theirs, err
}

// small gives a socket small buffers, so that little fills them.
func small(c net.Conn) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for _, buffer := range []int{syscall.SO_SNDBUF, syscall.SO_RCVBUF} {
			failed = errors.Join(failed, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, buffer, 32<<10))
		}
	})
	return errors.Join(err, failed)
}

func secret(ctx context.Context, s *stage) (ours, theirs net.Conn, err error) {
	below, raw, err := plain(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	peer := tls.Client(raw, testcert.Client())
	c := aionet.TLSServer(below.(*aionet.Conn), testcert.Server())
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

// reader makes a source of a Reader's method.
func reader(read func(*aionet.Reader) ([]byte, error)) func(net.Conn) source {
	return func(c net.Conn) source {
		r := aionet.NewReader(c)
		return sourceFunc(func(p []byte) (int, error) {
			b, err := read(r)
			return copy(p, b), err
		})
	}
}

func firstLine(r *aionet.Reader) ([]byte, error) {
	for line, err := range r.Lines() {
		return line, err
	}
	return nil, io.EOF
}

func peek(r *aionet.Reader) ([]byte, error) {
	view, err := r.Peek(3)
	if err != nil {
		return nil, err
	}
	b := bytes.Clone(view)
	_, err = r.Discard(len(b))
	return b, err
}

const words = "ab\ncd\nef\n"

// A cancelled read takes nothing: it goes on where it was.
func reads(open opener, from func(net.Conn) source) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		sent := []byte(words)
		left := sent
		s.nudge = func() {
			if len(left) > 0 {
				theirs.Write(left[:1])
				left = left[1:]
			} else {
				theirs.(interface{ CloseWrite() error }).CloseWrite()
			}
		}
		var got []byte
		r := from(ours)
		readAll := func(context.Context) error {
			buf := make([]byte, len(sent))
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

// A cancelled Discard says how much it has dropped.
func discards(ctx context.Context, s *stage) error {
	left := []byte(words)
	return reads(plain, func(c net.Conn) source {
		r := aionet.NewReader(c)
		return sourceFunc(func(p []byte) (int, error) {
			n, err := r.Discard(min(3, len(left)))
			copy(p, left[:n])
			left = left[n:]
			return n, err
		})
	})(ctx, s)
}

const much = 512 << 10 // bytes: more than small buffers take

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

// want returns an error unless the bytes of data(n), and then end, were sent and have arrived.
func (p *sipper) want(ctx context.Context, n int, end string) error {
	got, err := p.all(ctx)
	if want := append(data(n), end...); !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes arrived, want the %d that were reported and %q (%v)", len(got), n, end, err)
	}
	return nil
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
			arrived := asyncio.Go(ctx, func(ctx context.Context) error { return peer.want(ctx, taken, "the end") })
			if _, err := ours.Write([]byte("the end")); err != nil {
				return fmt.Errorf("writing on: %w", err)
			}
			if err := ours.Close(); err != nil {
				return err
			}
			_, err := arrived.Await(ctx)
			return err
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
			arrived := asyncio.Go(ctx, func(ctx context.Context) error { return peer.want(ctx, much, "") })
			if err := errors.Join(w.Close(), w.WaitClosed(ctx)); err != nil {
				return err
			}
			_, err := arrived.Await(ctx)
			return err
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
	f, err := openFile(s)
	if err != nil {
		return err
	}
	peer := &sipper{c: theirs}
	s.nudge = peer.sip
	var sent int64
	s.do = func(context.Context) (err error) {
		sent, err = io.Copy(ours, f)
		return err
	}
	s.check = func(ctx context.Context, _ error) error {
		s.nudge = nil
		arrived := asyncio.Go(ctx, func(ctx context.Context) error { return peer.want(ctx, int(sent), "the end") })
		if _, err := ours.Write([]byte("the end")); err != nil {
			return fmt.Errorf("writing on: %w", err)
		}
		if err := ours.Close(); err != nil {
			return err
		}
		_, err := arrived.Await(ctx)
		return err
	}
	return nil
}

// openFile opens a file of much data.
func openFile(s *stage) (*os.File, error) {
	name := filepath.Join(s.dir, "file")
	if err := os.WriteFile(name, data(much), 0o600); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err == nil {
		s.cleanup(func() { f.Close() })
	}
	return f, err
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

// A connection whose handshake was cancelled can only be closed.
func shakesHands(shake func(context.Context, *aionet.TLSConn) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		below, theirs, err := plain(ctx, s)
		if err != nil {
			return err
		}
		c := aionet.TLSServer(below.(*aionet.Conn), testcert.Server())
		s.nudge = shaking(s, theirs, "")
		s.do = func(ctx context.Context) error { return shake(ctx, c) }
		s.check = func(context.Context, error) error { return c.Close() }
		return nil
	}
}

// After a StartTLS that was cancelled the connection is closed.
func startsTLS(open opener) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		below, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		var c *aionet.TLSConn
		s.nudge = shaking(s, theirs, "")
		s.do = func(ctx context.Context) (err error) {
			c, err = aionet.StartTLS(ctx, below, testcert.Server(), aionet.ServerSide)
			return err
		}
		s.check = func(_ context.Context, err error) error {
			if err == nil {
				return c.Close()
			}
			if _, err := below.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("writing below gives %w", err)
			}
			return nil
		}
		return nil
	}
}

// The same goes for a stream.
func upgrades(ctx context.Context, s *stage) error {
	ours, theirs, err := plain(ctx, s)
	if err != nil {
		return err
	}
	r, w := aionet.NewReader(ours), aionet.NewWriter(ctx, ours)
	s.nudge = shaking(s, theirs, string(data(much)))
	s.do = func(ctx context.Context) error {
		if _, err := w.Write(data(much)); err != nil {
			return err
		}
		return w.StartTLS(ctx, r, testcert.Server(), aionet.ServerSide)
	}
	s.check = func(ctx context.Context, err error) error {
		_, failed := w.WriteString("hello")
		if (failed != nil) != (err != nil) {
			return fmt.Errorf("after StartTLS: %w; writing on gives %v", err, failed)
		}
		w.Close()
		if failed := w.WaitClosed(ctx); err == nil {
			return failed
		}
		return nil
	}
	return nil
}

// shaking returns a nudge that lets a client read greeting and shake hands.
func shaking(s *stage, theirs net.Conn, greeting string) func() {
	var shaken sync.WaitGroup
	s.cleanup(shaken.Wait)
	s.cleanup(func() { theirs.Close() })
	return sync.OnceFunc(func() {
		shaken.Go(func() {
			io.ReadFull(theirs, make([]byte, len(greeting)))
			t := tls.Client(theirs, testcert.Client())
			if t.Handshake() == nil {
				io.Copy(io.Discard, t)
			}
		})
	})
}
