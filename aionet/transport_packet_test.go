package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// datagrams is a datagram protocol that writes down what it is told.
type datagrams struct {
	recorder
	d      aionet.DatagramTransport
	from   net.Addr
	errors []error
}

func (p *datagrams) ConnectionMade(t aionet.DatagramTransport) {
	p.d = t
	p.note("made", p.onMade)
}

func (p *datagrams) DatagramReceived(data []byte, from net.Addr) {
	p.from = from
	p.data = append(p.data, data...)
	p.note(fmt.Sprintf("%q", data), p.onData)
}

func (p *datagrams) ErrorReceived(err error) {
	p.errors = append(p.errors, err)
	p.note("error", nil)
}

// listening connects p to a socket on which it takes datagrams from anybody.
func listening(t testing.TB, ctx context.Context, p aionet.DatagramProtocol) aionet.DatagramTransport {
	t.Helper()
	c, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
	must(t, err)
	d, err := aionet.NewDatagramTransport(ctx, c, p)
	must(t, err)
	return d
}

func dialling(t testing.TB, ctx context.Context, addr string, p aionet.DatagramProtocol) aionet.DatagramTransport {
	t.Helper()
	c, err := aionet.DialPacket(ctx, "udp", addr)
	must(t, err)
	d, err := aionet.NewDatagramTransport(ctx, c, p)
	must(t, err)
	return d
}

// conformance: datagram-10 datagram-11 datagram-13 datagram-17 datagram-22 datagram-23
func TestDatagramTransport_bothWays(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		server, client := &datagrams{}, &datagrams{}
		server.onData = func() { server.d.WriteTo([]byte("answer"), server.from) }
		at := listening(t, ctx, server).LocalAddr()
		d := dialling(t, ctx, at.String(), client)
		if n, err := d.WriteTo([]byte("question"), nil); n != 8 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		must(t, client.wait(ctx, `"answer"`))
		if server.from.String() != d.LocalAddr().String() || d.RemoteAddr().String() != at.String() {
			t.Errorf("%v, %v", server.from, d.RemoteAddr())
		}
		d.WriteTo(nil, nil)
		must(t, server.wait(ctx, `""`))
		if _, err := d.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}); !errors.Is(err, net.ErrWriteToConnected) {
			t.Error(err)
		}
		if _, err := server.d.WriteTo([]byte("x"), nil); err == nil {
			t.Error("sent to nobody")
		}
		d.Close()
		for range 6 {
			if n, err := d.WriteTo([]byte("late"), nil); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%d, %v", n, err)
			}
		}
		if client.has("lost") || !d.IsClosing() || len(*reported) != 1 {
			t.Errorf("after Close: told %v, reported %q", client, *reported)
		}
		must(t, client.wait(ctx, "lost"))
		server.d.Abort()
		must(t, server.wait(ctx, "lost"))
		if client.err != nil || server.err != nil || server.String() != `made "question" "" lost` {
			t.Errorf("%v, %v, %v", client.err, server.err, server)
		}
		return nil
	})
}

// conformance: datagram-12 datagram-16 datagram-20 datagram-26
func TestDatagramTransport_nobodyListens(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		gone := &datagrams{}
		at := listening(t, ctx, gone).LocalAddr()
		gone.d.Close()
		must(t, gone.wait(ctx, "lost"))

		connected, open := &datagrams{}, &datagrams{}
		dialling(t, ctx, at.String(), connected).WriteTo([]byte("x"), nil)
		must(t, connected.wait(ctx, "error"))
		if !errors.Is(connected.errors[0], syscall.ECONNREFUSED) || connected.d.IsClosing() {
			t.Error(connected.errors)
		}
		listening(t, ctx, open).WriteTo([]byte("x"), at)
		open.d.WriteTo([]byte("to myself"), open.d.LocalAddr())
		must(t, open.wait(ctx, `"to myself"`))
		if open.has("error") || len(*reported) != 0 {
			t.Errorf("told %v, reported %q", open, *reported)
		}
		_, err := open.d.WriteTo(make([]byte, 1<<17), open.d.LocalAddr())
		for err == nil && !open.has("error") { // the portable poller finds out later
			_, err = open.d.WriteTo([]byte("x"), open.d.LocalAddr())
			must(t, asyncio.Yield(ctx))
		}
		if err == nil {
			err = open.errors[0]
		}
		if !errors.Is(err, syscall.EMSGSIZE) || open.d.IsClosing() {
			t.Errorf("too large: %v", err)
		}
		return nil
	})
}

// conformance: datagram-19
func TestDatagramTransport_panic_isFatal(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		p := &datagrams{}
		p.onData = func() { panic("boom") }
		d := listening(t, ctx, p)
		d.WriteTo([]byte("x"), d.LocalAddr())
		must(t, p.wait(ctx, "lost"))
		var panicked *asyncio.PanicError
		if !errors.As(p.err, &panicked) || len(*reported) != 1 {
			t.Errorf("told %v, reported %q", p.err, *reported)
		}
		for range 5 {
			d.WriteTo([]byte("x"), d.LocalAddr())
		}
		if len(*reported) != 2 || !strings.Contains((*reported)[1], "5 datagrams") {
			t.Errorf("reported %q", *reported)
		}
		return nil
	})
}

// conformance: datagram-18 datagram-25
func TestDatagramTransport_withoutRoom_keepsTheOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		dir := t.TempDir()
		c, err := aionet.ListenPacket(ctx, "unixgram", filepath.Join(dir, "server"))
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		must(t, err)
		mine, err := aionet.ListenPacket(ctx, "unixgram", filepath.Join(dir, "client"))
		must(t, err)
		p := &datagrams{}
		d, err := aionet.NewDatagramTransport(ctx, mine, p)
		must(t, err)
		must(t, d.SetWriteBufferLimits(0, 1000))
		sent := 0
		message := make([]byte, 100)
		for !p.has("pause") {
			copy(message, fmt.Sprintf("%08d", sent)) // the slice is used again
			_, err := d.WriteTo(message, c.LocalAddr())
			must(t, err)
			sent++
		}
		if d.WriteBufferSize() <= 1000 {
			t.Errorf("paused with %d bytes", d.WriteBufferSize())
		}
		d.Close()
		must(t, asyncio.Yield(ctx))
		if p.has("lost") {
			t.Error("lost before all was sent")
		}
		for i := range sent {
			n, err := c.Read(message)
			if err != nil || n != 100 || string(message[:8]) != fmt.Sprintf("%08d", i) {
				t.Fatalf("%d: %q, %v", i, message[:8], err)
			}
		}
		must(t, p.wait(ctx, "lost"))
		p.want(t, "made pause resume lost")
		return p.err
	})
}

func TestDatagramTransport_atTheLoopsEnd_isLost(t *testing.T) {
	p := &datagrams{}
	run(t, func(ctx context.Context) error {
		listening(t, ctx, p)
		return nil
	})
	p.want(t, "made lost")
}

func TestDatagramTransport_onAnotherGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		d := listening(t, ctx, &datagrams{})
		message, err := asyncio.ToThread(ctx, func() (message string, _ error) {
			defer func() { message = fmt.Sprint(recover()) }()
			d.WriteTo(nil, nil)
			return
		})
		if err != nil || !strings.Contains(message, "DatagramTransport.WriteTo:") {
			t.Errorf("%q, %v", message, err)
		}
		return nil
	})
}

func TestNewDatagramTransport_cancelled_leavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
		must(t, err)
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		p := &datagrams{}
		if _, err := aionet.NewDatagramTransport(done, c, p); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		must(t, asyncio.Sleep(ctx, time.Millisecond))
		if p.has("made") != p.has("lost") {
			t.Errorf("told %v", p)
		}
		return nil
	})
}

// A peer chooses the address that an answer goes to. Port 0 is one that the system refuses with EINVAL.
func TestDatagramTransport_unanswerableAddress_isToldAndTheServiceGoesOn(t *testing.T) {
	unanswerable := map[string]string{
		"port 0":              "127.0.0.1:0",
		"a broadcast address": "255.255.255.255:9",
		"the other family":    "[::1]:9",
	}
	for what, to := range unanswerable {
		t.Run(what, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				server, client := &datagrams{}, &datagrams{}
				d := listening(t, ctx, server)
				at := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
				_, err := d.WriteTo([]byte("answer"), at)
				for err == nil && !server.has("error") { // the portable poller finds out later
					_, err = d.WriteTo([]byte("x"), d.LocalAddr())
					must(t, asyncio.Yield(ctx))
				}
				must(t, server.wait(ctx, "error"))
				server.onData = func() { server.d.WriteTo([]byte("pong"), server.from) }
				dialling(t, ctx, d.LocalAddr().String(), client).WriteTo([]byte("ping"), nil)
				must(t, client.wait(ctx, `"pong"`))
				if d.IsClosing() || server.has("lost") || len(*reported) != 0 {
					t.Errorf("told %v, reported %q", server, *reported)
				}
				return nil
			})
		})
	}
}

// While ErrorReceived goes on sending what fails, the others have their turns.
func TestDatagramTransport_errorReceivedFailsAgain_othersRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		p := &sendsAgain{}
		d := listening(t, ctx, p)
		for p.errors < 100 {
			if p.errors%2 == 0 {
				d.WriteTo([]byte("x"), nowhere)
			}
			must(t, asyncio.Yield(ctx))
		}
		d.Abort()
		return nil
	})
}

var nowhere = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 0}

// sendsAgain answers each error with another datagram that cannot be sent.
type sendsAgain struct {
	aionet.BaseDatagramProtocol
	d      aionet.DatagramTransport
	errors int
}

func (p *sendsAgain) ConnectionMade(t aionet.DatagramTransport) { p.d = t }
func (p *sendsAgain) ErrorReceived(error) {
	p.errors++
	p.d.WriteTo([]byte("x"), nowhere)
}
