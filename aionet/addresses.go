package aionet

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"net/netip"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// An addressKey stands for what counts as one peer: an IPv4 address, or a network of IPv6 with its first 64 bits. The
// IPv4 ones are where IPv6 has no networks. 0 is none.
type addressKey uint64

func keyOf(ip netip.Addr) addressKey {
	if ip.Is4() {
		b := ip.As4()
		return 0xffff<<32 | addressKey(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	return addressKey(binary.BigEndian.Uint64(b[:8]))
}

// addressOf returns who counts for a connection from a, and how many connections that may have. 0: nobody.
func (l *limits) addressOf(a net.Addr) (k addressKey, most int) {
	tcp, ok := a.(*net.TCPAddr)
	most = l.perAddress
	if !ok || most == math.MaxInt || most == 0 && l.connections == math.MaxInt {
		return 0, 0
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if most == 0 {
		if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
			return 0, 0
		}
		most = max(1, l.connections/2)
	}
	return keyOf(ip), most
}

var errOfAddress = errors.New("there are as many connections with its address as there may be (WithMaxPerAddress)")

// admits says whether a connection may become a client, and resets it if not.
func (s *Server) admits(sock poller.Socket) bool {
	k, most := s.limits.addressOf(sock.RemoteAddr())
	if k == 0 || int(s.addresses[k]) < most {
		return true
	}
	s.note(limitReached, sock.RemoteAddr(), errOfAddress)
	sock.Discard()
	sock.Close()
	return false
}

// count notes that an address has more or fewer clients.
func (s *Server) count(k addressKey, by int32) {
	if k == 0 {
		return
	}
	if s.addresses == nil {
		s.addresses = map[addressKey]int32{}
	}
	if s.addresses[k] += by; s.addresses[k] == 0 {
		delete(s.addresses, k)
	}
}
