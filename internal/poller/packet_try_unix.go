//go:build (linux || darwin || freebsd || dragonfly) && !(linux && !race && !386 && !s390x)

package poller

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// These tell the race detector what they touch.

func (s *fdPacket) sysRecv(fd int, p, oob []byte) (r Received, err error) {
	n, oobn, flags, sa, err := unix.Recvmsg(fd, p, oob, 0)
	if err != nil {
		return r, err
	}
	r.N, r.OOBN, r.Flags = n, oobn, flags
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		r.From = s.from(netip.AddrFrom4(a.Addr), a.Port, 0)
	case *unix.SockaddrInet6:
		r.From = s.from(netip.AddrFrom16(a.Addr), a.Port, a.ZoneId)
	case *unix.SockaddrUnix:
		r.Name = a.Name
	}
	return r, nil
}

func (s *fdPacket) sysSend(fd int, p, oob []byte, to Dest) error {
	var sa unix.Sockaddr // nil: the peer
	switch {
	case to.Name != "":
		sa = &unix.SockaddrUnix{Name: to.Name}
	case !to.Addr.IsValid():
	case s.family == unix.AF_INET:
		sa = &unix.SockaddrInet4{Port: int(to.Addr.Port()), Addr: to.Addr.Addr().As4()}
	default:
		zone, err := s.zoneID(to.Addr.Addr().Zone())
		if err != nil {
			return err
		}
		sa = &unix.SockaddrInet6{Port: int(to.Addr.Port()), Addr: to.Addr.Addr().As16(), ZoneId: zone}
	}
	_, err := unix.SendmsgN(fd, p, oob, sa, 0)
	return err
}
