//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func TestPackets(t *testing.T) { testAll(t, packets) }

var packets = []walk{
	{"PacketConn.ReadFrom", 1, receives("udp", readFrom)},
	{"PacketConn.ReadFrom: unixgram", 1, receives("unixgram", readFrom)},
	{"PacketConn.Read", 1, receives("udp", (*aionet.PacketConn).Read)},
	{"PacketConn.ReadFromUDPAddrPort", 1, receives("udp", func(c *aionet.PacketConn, p []byte) (int, error) {
		n, _, err := c.ReadFromUDPAddrPort(p)
		return n, err
	})},
	{"PacketConn.ReadMsg", 1, receives("unixgram", func(c *aionet.PacketConn, p []byte) (int, error) {
		n, _, _, _, err := c.ReadMsg(p, nil)
		return n, err
	})},
	{"PacketConn.ReadMsgUDP", 1, receives("udp", func(c *aionet.PacketConn, p []byte) (int, error) {
		n, _, _, _, err := c.ReadMsgUDP(p, nil)
		return n, err
	})},
	{"PacketConn.ReadMsgUDPAddrPort", 1, receives("udp", func(c *aionet.PacketConn, p []byte) (int, error) {
		n, _, _, _, err := c.ReadMsgUDPAddrPort(p, nil)
		return n, err
	})},
	{"PacketConn.Write", 1, sends(func(ctx context.Context, to net.Addr) (*aionet.PacketConn, error) {
		return aionet.DialPacket(ctx, "unixgram", to.String())
	}, func(c *aionet.PacketConn, p []byte, _ net.Addr) (int, error) { return c.Write(p) })},
	{"PacketConn.WriteTo", 1, sends(beside, (*aionet.PacketConn).WriteTo)},
	{"PacketConn.WriteMsg", 1, sends(beside, func(c *aionet.PacketConn, p []byte, to net.Addr) (int, error) {
		n, _, err := c.WriteMsg(p, nil, to)
		return n, err
	})},
	{"NewDatagramTransport", 1, opensDatagramTransport},
}

func readFrom(c *aionet.PacketConn, p []byte) (int, error) {
	n, _, err := c.ReadFrom(p)
	return n, err
}

// at returns an address for a socket.
func at(s *stage, network string) string {
	if network == "udp" {
		return "127.0.0.1:0"
	}
	return filepath.Join(s.dir, "ours")
}

// A cancelled read leaves the datagram to the next one.
func receives(network string, read func(c *aionet.PacketConn, p []byte) (int, error)) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, err := aionet.ListenPacket(ctx, network, at(s, network))
		if err != nil {
			return err
		}
		theirs, err := net.Dial(network, ours.LocalAddr().String())
		if err != nil {
			return err
		}
		s.cleanup(func() { theirs.Close() })
		sent := []string{"one", "", "three", "four"}
		left := sent
		s.nudge = func() {
			if len(left) > 0 {
				theirs.Write([]byte(left[0]))
				left = left[1:]
			}
		}
		var got []string
		readAll := func(context.Context) error {
			buf := make([]byte, 10)
			for len(got) < len(sent) {
				n, err := read(ours, buf)
				if err != nil {
					return err
				}
				got = append(got, string(buf[:n]))
			}
			return nil
		}
		s.do = readAll
		s.check = func(ctx context.Context, _ error) error {
			if err := readAll(ctx); err != nil || !slices.Equal(got, sent) {
				return fmt.Errorf("read %q, %w", got, err)
			}
			return ours.Close()
		}
		return nil
	}
}

func beside(ctx context.Context, to net.Addr) (*aionet.PacketConn, error) {
	return aionet.ListenPacket(ctx, "unixgram", filepath.Join(filepath.Dir(to.String()), "ours"))
}

// A cancelled write has sent nothing. The receiver's queue is full most of the time.
func sends(open func(ctx context.Context, to net.Addr) (*aionet.PacketConn, error),
	write func(c *aionet.PacketConn, p []byte, to net.Addr) (int, error)) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		theirs, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(s.dir, "theirs"), Net: "unixgram"})
		if err != nil {
			return err
		}
		s.cleanup(func() { theirs.Close() })
		ours, err := open(ctx, theirs.LocalAddr())
		if err == nil {
			err = ours.SetWriteBuffer(10_000)
		}
		if err != nil {
			return err
		}
		const all, size = 20, 2000
		sent, arrived := 0, 0
		buf := make([]byte, size+1)
		receive := func(patience time.Duration) error {
			theirs.SetReadDeadline(time.Now().Add(patience))
			n, err := theirs.Read(buf)
			if err == nil && !bytes.Equal(buf[:n], data(size + arrived)[arrived:]) {
				panic(fmt.Sprintf("datagram %d has %d bytes, or is another one", arrived, n))
			}
			if err == nil {
				arrived++
			}
			return err
		}
		s.nudge = func() {
			for range 3 {
				_ = receive(time.Millisecond)
			}
		}
		s.do = func(context.Context) error {
			for sent < all {
				if _, err := write(ours, data(size + sent)[sent:], theirs.LocalAddr()); err != nil {
					return err
				}
				sent++
			}
			return nil
		}
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
				for arrived < sent {
					if err := receive(5 * time.Second); err != nil {
						return asyncio.None{}, fmt.Errorf("%d of %d datagrams arrived: %w", arrived, sent, err)
					}
				}
				return asyncio.None{}, nil
			})
			if err := errors.Join(err, ours.Close()); err != nil {
				return err
			}
			if receive(time.Millisecond) == nil {
				return fmt.Errorf("more than the %d datagrams arrived that were sent", sent)
			}
			return nil
		}
		return nil
	}
}

// When it is cancelled nothing is open, which the harness sees.
func opensDatagramTransport(ctx context.Context, s *stage) error {
	c, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var t aionet.DatagramTransport
	s.do = func(ctx context.Context) (err error) {
		t, err = aionet.NewDatagramTransport(ctx, c, aionet.BaseDatagramProtocol{})
		return err
	}
	s.check = func(_ context.Context, err error) error {
		if err == nil {
			t.Abort()
		}
		return nil
	}
	return nil
}
