package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// PacketTryer is a datagram socket as one try sees it. No method waits.
type PacketTryer interface {
	// Recv takes one datagram, and cuts off what p has no room for. An error that a datagram sent earlier has met
	// (ICMP) takes a datagram's place.
	Recv(p, oob []byte) (Received, error)
	// Send sends one datagram, to the peer of a connected socket if to is the zero Dest.
	Send(p, oob []byte, to Dest) error
}

// Received tells of a datagram. IPv4 addresses are such on sockets of both families, too.
type Received struct {
	N, OOBN int // bytes of data and of control messages
	Flags   int // the system's, of which MsgTrunc is one
	From    netip.AddrPort
	Name    string // Unix sockets: where from, "" if that has no name
}

// Dest is where a datagram goes to: an address or the name of a Unix socket.
type Dest struct {
	Addr netip.AddrPort
	Name string
}

// PacketSocket is a socket for datagrams. Of a Socket's methods those for streams mean nothing on it.
type PacketSocket interface {
	Socket
	PacketTryer
	// BlockPacket is Block.
	BlockPacket(m Mode, try func(PacketTryer) bool) error
}

// PacketConn is a *net.UDPConn or a *net.UnixConn.
type PacketConn interface {
	net.Conn
	net.PacketConn
	syscall.Conn
}

func checkPacket(c PacketConn) error {
	switch a := c.LocalAddr().(type) {
	case *net.UDPAddr:
		return nil
	case *net.UnixAddr:
		if a.Net == "unixgram" {
			return nil
		}
		return errors.New("it is no socket for datagrams")
	default:
		return fmt.Errorf("%T is not an address of UDP or of Unix datagrams", a)
	}
}

// listenPacket lets package net open the socket, so that addresses mean what they mean there.
func listenPacket(p Poller, network, address string, o *Options) (PacketSocket, error) {
	lc := net.ListenConfig{Control: packetControl(network, o)}
	c, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return openedPacket(p, c.(PacketConn))
}

func dialPacket(p Poller, network string, remote net.Addr, o *Options) (PacketSocket, error) {
	d := net.Dialer{LocalAddr: o.Local, Control: packetControl(network, o)}
	c, err := d.Dial(network, remote.String())
	if err != nil {
		return nil, err
	}
	return openedPacket(p, c.(PacketConn))
}

func openedPacket(p Poller, c PacketConn) (PacketSocket, error) {
	s, err := p.AdoptPacket(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func packetControl(network string, o *Options) func(_, _ string, rc syscall.RawConn) error {
	if network == "unixgram" {
		return nil
	}
	return func(_, _ string, rc syscall.RawConn) error { return setPacket(rc, o.ReusePort, o.Broadcast) }
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
