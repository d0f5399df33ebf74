package poller

import (
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

type packeter interface {
	packet(c PacketConn) (PacketSocket, error)
}

// Packet makes a socket of p of one that package net has opened, which is closed with it or now. On error it stays.
func Packet(p Poller, c PacketConn) (PacketSocket, error) {
	switch a := c.LocalAddr().(type) {
	case *net.UDPAddr:
	case *net.UnixAddr:
		if a.Net != "unixgram" {
			return nil, errors.New("it is no socket for datagrams")
		}
	default:
		return nil, fmt.Errorf("%T is not an address of UDP or of Unix datagrams", a)
	}
	k, ok := p.(packeter)
	if !ok {
		return nil, fmt.Errorf("datagrams: %w by the poller %s", errors.ErrUnsupported, p.Name())
	}
	return k.packet(c)
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
