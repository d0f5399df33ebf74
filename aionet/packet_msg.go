package aionet

import (
	"net"
	"net/netip"
)

// ReadMsg receives a datagram with its control messages, whose meaning is the system's (golang.org/x/net/ipv4 and ipv6
// read them), and flags, of which [Truncated] is one.
func (c *PacketConn) ReadMsg(p, oob []byte) (n, oobn, flags int, from net.Addr, err error) {
	r, err := c.recv(p, oob)
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return r.N, r.OOBN, r.Flags, c.sender(r), nil
}

// ReadMsgUDPAddrPort is ReadMsg for UDP. It does not allocate.
func (c *PacketConn) ReadMsgUDPAddrPort(p, oob []byte) (n, oobn, flags int, from netip.AddrPort, err error) {
	r, err := c.recv(p, oob)
	return r.N, r.OOBN, r.Flags, r.From, err
}

// ReadMsgUDP is ReadMsg for UDP, as net.UDPConn has it.
func (c *PacketConn) ReadMsgUDP(p, oob []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	r, err := c.recv(p, oob)
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return r.N, r.OOBN, r.Flags, net.UDPAddrFromAddrPort(r.From), nil
}

// WriteMsg sends a datagram with control messages. to is nil on a connected socket.
func (c *PacketConn) WriteMsg(p, oob []byte, to net.Addr) (n, oobn int, err error) {
	d := c.to
	if to != nil || c.RemoteAddr() == nil {
		if d, err = c.dest(to); err != nil {
			return 0, 0, c.refuse(to, err)
		}
	}
	if n, err = c.send(p, oob, d); err != nil {
		return 0, 0, err
	}
	return n, len(oob), nil
}

// WriteMsgUDPAddrPort is WriteMsg for UDP, with the zero to on a connected socket. It does not allocate.
func (c *PacketConn) WriteMsgUDPAddrPort(p, oob []byte, to netip.AddrPort) (n, oobn int, err error) {
	d := c.to
	if to.IsValid() || c.RemoteAddr() == nil {
		if d, err = c.destUDP(to); err != nil {
			return 0, 0, c.refuse(nil, err)
		}
	}
	if n, err = c.send(p, oob, d); err != nil {
		return 0, 0, err
	}
	return n, len(oob), nil
}

// WriteMsgUDP is WriteMsg for UDP, as net.UDPConn has it.
func (c *PacketConn) WriteMsgUDP(p, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	if to == nil {
		return c.WriteMsg(p, oob, nil)
	}
	return c.WriteMsg(p, oob, to)
}
