//go:build !windows

package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// conformance: datagram-16 datagram-20
func TestPacketConn_nobodyAtThePeer_isToldAndTheConnectionLivesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		peer := packets(t, ctx, "udp")
		c := dialled(t, ctx, "udp", peer.LocalAddr())
		peer.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if _, err := c.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Read = %v", err)
		}
		again, err := aionet.ListenPacket(ctx, "udp", peer.LocalAddr().String())
		if err != nil {
			return err
		}
		if _, err := c.Write([]byte("y")); err != nil {
			return err
		}
		buf := make([]byte, 9)
		n, from, err := again.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "y" {
			t.Errorf("received %q, %v", buf[:n], err)
		}
		if _, err := again.WriteTo([]byte("z"), from); err != nil {
			return err
		}
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "z" {
			t.Errorf("answered %q, %v", buf[:n], err)
		}
		return nil
	})
}

// conformance: datagram-12
func TestPacketConn_sendingToNobody_doesNotStopReceiving(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := packets(t, ctx, "udp")
		gone := packets(t, ctx, "udp")
		gone.Close()
		for range 3 {
			if _, err := c.WriteTo([]byte("x"), gone.LocalAddr()); err != nil {
				return err
			}
			if _, err := c.WriteTo([]byte("y"), c.LocalAddr()); err != nil {
				return err
			}
			if _, err := c.Read(make([]byte, 9)); err != nil {
				return err
			}
		}
		return nil
	})
}

// conformance: datagram-06
func TestListenPacket_staleSocketFile_isReplaced(t *testing.T) {
	run(t, func(ctx context.Context) error {
		at := address(t, "unix")
		stale, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
		if err != nil {
			return err
		}
		if _, err := aionet.ListenPacket(ctx, "unixgram", at); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("somebody listens there: %v", err)
		}
		stale.Close() // leaves the file
		c, err := aionet.ListenPacket(ctx, "unixgram", at)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
			return err
		}
		if _, err = c.Read(make([]byte, 1)); err != nil {
			return err
		}
		c.Close()
		if err := os.WriteFile(at, []byte("precious"), 0o600); err != nil {
			return err
		}
		if _, err := aionet.ListenPacket(ctx, "unixgram", at); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("a file that is no socket: %v", err)
		}
		return nil
	})
}

func TestListenPacket_abstractName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	run(t, func(ctx context.Context) error {
		name := fmt.Sprintf("@%s-%d", t.Name(), os.Getpid()) // the system's own space of names, which other runs share
		c, err := aionet.ListenPacket(ctx, "unixgram", name)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
			return err
		}
		_, from, err := c.ReadFrom(make([]byte, 1))
		if err != nil || from.String() != name {
			t.Errorf("from %v, %v", from, err)
		}
		return nil
	})
}

// conformance: sock-06 datagram-18
func TestPacketConn_receiverIsFull_writesWaitAndKeepTheirOrder(t *testing.T) {
	const many = 2000 // more than any queue here holds
	for _, connected := range []bool{true, false} {
		run(t, func(ctx context.Context) error {
			receiver := packets(t, ctx, "unixgram")
			sender := packets(t, ctx, "unixgram")
			if connected {
				sender = dialled(t, ctx, "unixgram", receiver.LocalAddr())
			}
			writer := asyncio.Go(ctx, func(context.Context) (err error) {
				for i := 0; i < many && err == nil; i++ {
					text := []byte{byte(i >> 8), byte(i)}
					if connected {
						_, err = sender.Write(text)
					} else {
						_, err = sender.WriteTo(text, receiver.LocalAddr())
					}
					text[0], text[1] = 0xff, 0xff // the socket has a copy
				}
				return err
			})
			buf := make([]byte, 9)
			for i := range many {
				n, err := receiver.Read(buf)
				if err != nil {
					return err
				}
				if n != 2 || int(buf[0])<<8|int(buf[1]) != i {
					t.Fatalf("number %d is % x", i, buf[:n])
				}
			}
			_, err := writer.Await(ctx)
			return err
		})
	}
}

func TestPacketConn_tooLargeToSend_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := packets(t, ctx, "udp")
		_, err := c.WriteTo(make([]byte, 70000), c.LocalAddr())
		if err == nil { // the portable poller tells with the next one
			for err == nil {
				_, err = c.WriteTo(nil, c.LocalAddr())
			}
		}
		if !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("WriteTo = %v", err)
		}
		_, err = c.WriteTo([]byte("x"), c.LocalAddr())
		return err
	})
}

// conformance: datagram-08
func TestListenPacket_options_areSetOnlyWhenAskedFor(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, asked := range []bool{false, true} {
			var opts []aionet.Option
			if asked {
				opts = []aionet.Option{aionet.WithReusePort(), aionet.WithBroadcast()}
			}
			c := packets(t, ctx, "udp", opts...)
			rc, err := c.SyscallConn()
			if err != nil {
				return err
			}
			_ = rc.Control(func(fd uintptr) {
				for name, option := range map[string]int{"broadcast": syscall.SO_BROADCAST, "reuse address": syscall.SO_REUSEADDR} {
					on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, option)
					if err != nil || (on != 0) != (asked && option == syscall.SO_BROADCAST) {
						t.Errorf("asked: %v, %s: %d, %v", asked, name, on, err)
					}
				}
			})
			_, err = aionet.ListenPacket(ctx, "udp", c.LocalAddr().String(), opts...)
			if (err == nil) != asked {
				t.Errorf("asked: %v, a second one at the port: %v", asked, err)
			}
		}
		return nil
	})
}

func TestPacketConn_buffers_canBeSet(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := packets(t, ctx, "udp")
		if err := errors.Join(c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16)); err != nil {
			return err
		}
		c.Close()
		if err := c.SetReadBuffer(1 << 16); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		return nil
	})
}

// A virtual clock that jumps does not get in the way of datagrams.
func TestPacketConn_deadline_isTheLoopsClocks(t *testing.T) {
	virtually(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		c := packets(t, ctx, "udp")
		if err := c.SetReadDeadline(l.Now().Add(time.Hour)); err != nil {
			return err
		}
		start := l.Time()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || l.Time()-start != time.Hour {
			t.Errorf("after %v: %v", l.Time()-start, err)
		}
		return nil
	})
}
