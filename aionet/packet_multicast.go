package aionet

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// JoinGroup lets the socket receive what is sent to a multicast group on the interface; nil is the system's choice.
// Linux hands a socket that is bound to no address of its own the datagrams of all groups that any program has joined;
// [PacketConn.ReadMsg] with the control messages of golang.org/x/net/ipv4 tells them apart.
func (c *PacketConn) JoinGroup(on *net.Interface, group netip.Addr) error {
	addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(group.Unmap(), 0))
	if group.Unmap().Is4() {
		return c.conn.fail("join", ipv4.NewPacketConn(c).JoinGroup(on, addr))
	}
	return c.conn.fail("join", ipv6.NewPacketConn(c).JoinGroup(on, addr))
}

// LeaveGroup takes [PacketConn.JoinGroup] back.
func (c *PacketConn) LeaveGroup(on *net.Interface, group netip.Addr) error {
	addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(group.Unmap(), 0))
	if group.Unmap().Is4() {
		return c.conn.fail("leave", ipv4.NewPacketConn(c).LeaveGroup(on, addr))
	}
	return c.conn.fail("leave", ipv6.NewPacketConn(c).LeaveGroup(on, addr))
}

// SetMulticastInterface says on which interface datagrams to groups are sent.
func (c *PacketConn) SetMulticastInterface(on *net.Interface) error {
	return c.setMulticast(
		func(p *ipv4.PacketConn) error { return p.SetMulticastInterface(on) },
		func(p *ipv6.PacketConn) error { return p.SetMulticastInterface(on) })
}

// SetMulticastTTL says how many networks datagrams to groups may cross; by default 1, which is none but this one.
func (c *PacketConn) SetMulticastTTL(hops int) error {
	return c.setMulticast(
		func(p *ipv4.PacketConn) error { return p.SetMulticastTTL(hops) },
		func(p *ipv6.PacketConn) error { return p.SetMulticastHopLimit(hops) })
}

// SetMulticastLoopback says whether this machine receives what it sends to groups that it has joined itself.
func (c *PacketConn) SetMulticastLoopback(on bool) error {
	return c.setMulticast(
		func(p *ipv4.PacketConn) error { return p.SetMulticastLoopback(on) },
		func(p *ipv6.PacketConn) error { return p.SetMulticastLoopback(on) })
}

// setMulticast sets an option of the socket's family, and of both if it has both.
func (c *PacketConn) setMulticast(four func(*ipv4.PacketConn) error, six func(*ipv6.PacketConn) error) error {
	if isIPv4(c.LocalAddr()) {
		return c.conn.fail("set", four(ipv4.NewPacketConn(c)))
	}
	_ = four(ipv4.NewPacketConn(c)) // some systems do not have it on such a socket
	return c.conn.fail("set", six(ipv6.NewPacketConn(c)))
}
