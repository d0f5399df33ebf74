package aionet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A PacketConn sends and receives datagrams, by UDP or a Unix socket. It is a net.PacketConn, and if it is connected
// ([DialPacket]) a net.Conn, for everybody: on the loop's running coroutine a call that has to wait suspends that
// coroutine, on other goroutines it blocks the goroutine. In a callback of the loop calls that would have to wait fail
// with [ErrWouldWait]. Its methods may be called by several coroutines and goroutines at once.
//
// A datagram that is larger than the buffer is cut off, as in package net; only [PacketConn.ReadMsg] and its kind say
// so. A buffer of one byte more than the largest datagram that is expected shows it, too: a full one was too small.
//
// On a connected socket the system tells that nobody listens at the other end ([syscall.ECONNREFUSED]); that is the
// error of the next call, and does not end the connection.
//
// A call that waits is ended by the context of the running block, the deadline and Close. A read has taken nothing
// then, and a write has sent nothing. On systems without epoll and kqueue a write hands its datagram to a goroutine,
// and the next one returns its error instead of sending.
type PacketConn struct {
	conn *Conn // its waiting, its deadlines and its end; reads and writes are here
	sock poller.PacketSocket
	to   poller.Dest // where Write sends to, if that is not the socket's peer
}

// It does not compile unless both are the same.
const _ = uint(Truncated-poller.MsgTrunc) + uint(poller.MsgTrunc-Truncated)

// newPacketConn takes s over, and closes it on error.
func newPacketConn(l *engine.Loop, s poller.PacketSocket) (*PacketConn, error) {
	conn, err := newConn(l, s.LocalAddr().Network(), s)
	if err != nil {
		return nil, err
	}
	return &PacketConn{conn: conn, sock: s}, nil
}

// ReadFrom receives a datagram, and says where from: a *net.UDPAddr or *net.UnixAddr. Where each allocation counts,
// see [PacketConn.ReadFromUDPAddrPort].
func (c *PacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	r, err := c.recv(p, nil)
	if err != nil {
		return 0, nil, err
	}
	return r.N, c.sender(r), nil
}

// ReadFromUDPAddrPort is ReadFrom for UDP. It does not allocate. An IPv4 address is one also on a socket of both
// families, where package net would wrap it in an IPv6 one.
func (c *PacketConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	r, err := c.recv(p, nil)
	return r.N, r.From, err
}

// Read receives a datagram; an empty one is no end. With an empty p it returns 0 and nil at once, and takes none.
func (c *PacketConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.conn.Read(p)
	}
	r, err := c.recv(p, nil)
	return r.N, err
}

// WriteTo sends a datagram, in one piece or not at all. A connected socket sends to its peer only.
func (c *PacketConn) WriteTo(p []byte, to net.Addr) (int, error) {
	d, err := c.dest(to)
	if err != nil {
		return 0, c.refuse(to, err)
	}
	return c.send(p, nil, d)
}

// WriteToUDPAddrPort is WriteTo for UDP. It does not allocate.
func (c *PacketConn) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	d, err := c.destUDP(to)
	if err != nil {
		return 0, c.refuse(net.UDPAddrFromAddrPort(to), err)
	}
	return c.send(p, nil, d)
}

// Write sends a datagram to the address that was dialled.
func (c *PacketConn) Write(p []byte) (int, error) {
	if c.RemoteAddr() == nil {
		return 0, c.refuse(nil, errNoPeer)
	}
	return c.send(p, nil, c.to)
}

// refuse is the end of a call that has not come to trying. It takes the call's step.
func (c *PacketConn) refuse(to net.Addr, err error) error {
	c.conn.step()
	return c.failTo("write", to, err)
}

var errNoPeer = errors.New("the socket is not connected; use WriteTo, or open it by DialPacket")

// recv is every read.
func (c *PacketConn) recv(p, oob []byte) (poller.Received, error) {
	ctx := c.conn.loop.CurrentContext()
	if ctx == nil {
		return c.recvForeign(p, oob)
	}
	for {
		r, err := poller.Received{}, c.conn.may(ctx, &c.conn.readers, &c.conn.in)
		if err == nil {
			r, err = c.sock.Recv(p, oob)
		}
		if err == poller.ErrAgain {
			if err = c.conn.wait(ctx, poller.Read, &c.conn.readers, (*packetRead)(c)); err == nil {
				continue
			}
		}
		c.conn.loop.Moved(r.N)
		worlds.Step(ctx, c.conn.loop)
		if err != nil {
			return poller.Received{}, c.failTo("read", c.RemoteAddr(), c.orClosed(err))
		}
		return r, nil
	}
}

// send is every write.
func (c *PacketConn) send(p, oob []byte, to poller.Dest) (int, error) {
	ctx := c.conn.loop.CurrentContext()
	if ctx == nil {
		return c.sendForeign(p, oob, to)
	}
	for pause := time.Millisecond; ; pause = nextPause(pause) {
		err := c.conn.may(ctx, &c.conn.writers, &c.conn.out)
		if err == nil {
			err = c.sock.Send(p, oob, to)
		}
		if err == poller.ErrAgain {
			if to.Name != "" { // the system does not say when that one has room again
				err = asyncio.Sleep(ctx, pause)
			} else {
				err = c.conn.wait(ctx, poller.Write, &c.conn.writers, (*packetWrite)(c))
			}
			if err == nil {
				continue
			}
		}
		c.conn.loop.Moved(len(p))
		worlds.Step(ctx, c.conn.loop)
		if err != nil {
			return 0, c.failTo("write", c.addrOf(to), c.orClosed(err))
		}
		return len(p), nil
	}
}

// orClosed is the error of a try during which another goroutine may have closed the socket.
func (c *PacketConn) orClosed(err error) error {
	if c.conn.closed.Load() {
		return errClosed
	}
	return err
}

func nextPause(d time.Duration) time.Duration { return min(2*d, 20*time.Millisecond) }

// recvForeign is recv where no coroutine runs: it blocks the goroutine, in Go's netpoller, or tries once in a callback.
func (c *PacketConn) recvForeign(p, oob []byte) (r poller.Received, err error) {
	switch {
	case c.conn.closed.Load():
		err = errClosed
	case !c.conn.loop.On():
		blocked := c.sock.BlockPacket(poller.Read, func(t poller.PacketTryer) bool {
			r, err = t.Recv(p, oob)
			return err != poller.ErrAgain
		})
		if blocked != nil {
			err = blocked
		}
	case c.conn.in.Expired():
		err = errDeadline
	default:
		r, err = c.sock.Recv(p, oob)
	}
	if err == nil {
		return r, nil
	}
	return poller.Received{}, c.failTo("read", c.RemoteAddr(), orWouldWait(err))
}

func (c *PacketConn) sendForeign(p, oob []byte, to poller.Dest) (int, error) {
	err := c.trySendForeign(p, oob, to)
	for pause := time.Millisecond; err == poller.ErrAgain && to.Name != "" && !c.conn.loop.On(); pause = nextPause(pause) {
		time.Sleep(pause)
		err = c.trySendForeign(p, oob, to)
	}
	if err != nil {
		return 0, c.failTo("write", c.addrOf(to), orWouldWait(err))
	}
	return len(p), nil
}

func (c *PacketConn) trySendForeign(p, oob []byte, to poller.Dest) (err error) {
	switch {
	case c.conn.closed.Load():
		return errClosed
	case !c.conn.loop.On():
		blocked := c.sock.BlockPacket(poller.Write, func(t poller.PacketTryer) bool {
			err = t.Send(p, oob, to)
			return err != poller.ErrAgain || to.Name != ""
		})
		if blocked != nil {
			return blocked
		}
		return err
	case c.conn.out.Expired():
		return errDeadline
	}
	return c.sock.Send(p, oob, to)
}

// dest checks that a datagram may go there.
func (c *PacketConn) dest(to net.Addr) (poller.Dest, error) {
	switch to := to.(type) {
	case *net.UDPAddr:
		if to != nil {
			return c.destUDP(to.AddrPort())
		}
	case *net.UnixAddr:
		if to != nil && to.Name != "" && c.conn.network == "unixgram" && c.sock.RemoteAddr() == nil {
			return poller.Dest{Name: to.Name}, nil
		}
	}
	if c.sock.RemoteAddr() != nil {
		return poller.Dest{}, net.ErrWriteToConnected
	}
	return poller.Dest{}, &net.AddrError{Err: fmt.Sprintf("no address for a %s socket to send to", c.conn.network), Addr: addrString(to)}
}

func (c *PacketConn) destUDP(to netip.AddrPort) (poller.Dest, error) {
	peer, connected := c.sock.RemoteAddr().(*net.UDPAddr)
	switch {
	case !to.IsValid() || c.conn.network != "udp":
		return poller.Dest{}, &net.AddrError{Err: fmt.Sprintf("no address for a %s socket to send to", c.conn.network), Addr: to.String()}
	case !connected:
		return poller.Dest{Addr: to}, nil
	case to.Port() == peer.AddrPort().Port() && to.Addr().Unmap() == peer.AddrPort().Addr().Unmap():
		return poller.Dest{}, nil
	}
	return poller.Dest{}, net.ErrWriteToConnected
}

func (c *PacketConn) addrOf(to poller.Dest) net.Addr {
	switch {
	case to.Name != "":
		return &net.UnixAddr{Name: to.Name, Net: "unixgram"}
	case to.Addr.IsValid():
		return net.UDPAddrFromAddrPort(to.Addr)
	}
	return c.RemoteAddr()
}

func (c *PacketConn) sender(r poller.Received) net.Addr {
	if c.conn.network == "unixgram" {
		return &net.UnixAddr{Name: r.Name, Net: "unixgram"}
	}
	return net.UDPAddrFromAddrPort(r.From)
}

func (c *PacketConn) failTo(op string, to net.Addr, err error) error {
	switch {
	case errors.Is(err, syscall.EACCES) && op == "write":
		err = fmt.Errorf("%w (a broadcast address? that needs WithBroadcast)", err)
	case errors.Is(err, errMessageSize):
		err = fmt.Errorf("%w (a datagram has room for less)", err)
	}
	return &net.OpError{Op: op, Net: c.conn.network, Source: c.LocalAddr(), Addr: to, Err: err}
}

// Close closes the socket, ends every call on it with net.ErrClosed, and removes a Unix socket's file. Any goroutine
// may call it; it does not wait. When it has returned, the address is free.
func (c *PacketConn) Close() error { return c.conn.Close() }

// LocalAddr returns this end's address, a *net.UDPAddr or *net.UnixAddr.
func (c *PacketConn) LocalAddr() net.Addr { return c.sock.LocalAddr() }

// RemoteAddr returns the address that was dialled, or nil.
func (c *PacketConn) RemoteAddr() net.Addr {
	if c.to.Addr.IsValid() {
		return net.UDPAddrFromAddrPort(c.to.Addr)
	}
	return c.sock.RemoteAddr()
}

// SetDeadline is [Conn.SetDeadline].
func (c *PacketConn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline is [Conn.SetReadDeadline].
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline is [Conn.SetWriteDeadline].
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// SetReadBuffer sets how many bytes of datagrams the system keeps until they are read; what does not fit is lost.
func (c *PacketConn) SetReadBuffer(bytes int) error { return c.setBuffer(poller.Read, bytes) }

// SetWriteBuffer sets how many bytes of datagrams may wait to be sent.
func (c *PacketConn) SetWriteBuffer(bytes int) error { return c.setBuffer(poller.Write, bytes) }

func (c *PacketConn) setBuffer(m poller.Mode, bytes int) error {
	rc, err := c.SyscallConn()
	if err == nil {
		err = poller.SetBuffer(rc, m, bytes)
	}
	return c.conn.fail("set", err)
}

// SyscallConn is [Conn.SyscallConn]. The packages golang.org/x/net/ipv4 and ipv6 set their options by it.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.sock.SyscallConn() }

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
)

// packetRead and packetWrite say what a task waits for, should anybody ask.
type (
	packetRead  PacketConn
	packetWrite PacketConn
)

func (c *packetRead) WaitName() string {
	return "a datagram on " + c.conn.network + " " + addrString(c.sock.LocalAddr())
}

func (c *packetWrite) WaitName() string {
	return "room to send a datagram on " + c.conn.network + " " + addrString(c.sock.LocalAddr())
}
