//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// fdPacket is a datagram socket of a poller that reports readiness.
type fdPacket struct {
	*fdSocket
	family int
	zone   atomic.Pointer[zone]
}

// zone is the one met last: the system takes long to tell its name.
type zone struct {
	id   uint32
	name string
}

func packetFD(reg registry, c PacketConn) (PacketSocket, error) {
	if err := checkPacket(c); err != nil {
		return nil, err
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var sa unix.Sockaddr
	e := rc.Control(func(old uintptr) {
		if sa, err = unix.Getsockname(int(old)); err == nil {
			fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if e != nil {
		return nil, e
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &fdPacket{fdSocket: newFDSocket(reg, fd)}
	switch sa.(type) {
	case *unix.SockaddrInet4:
		s.family = unix.AF_INET
	case *unix.SockaddrInet6:
		s.family = unix.AF_INET6
	default:
		s.family = unix.AF_UNIX
	}
	s.local, s.remote, s.datagrams = c.LocalAddr(), c.RemoteAddr(), true
	s.file = socketFileAt(s.local)
	c.Close()
	return s, nil
}

func (s *fdPacket) Recv(p, oob []byte) (Received, error) {
	if !s.readable {
		return Received{}, ErrAgain
	}
	r, err := packetFDTry{s, s.fd}.Recv(p, oob)
	if err == ErrAgain && !s.hangup {
		s.readable = false
	}
	return r, err
}

func (s *fdPacket) Send(p, oob []byte, to Dest) error {
	if !s.writable {
		return ErrAgain
	}
	err := packetFDTry{s, s.fd}.Send(p, oob, to)
	// That the queue of another Unix socket is full says nothing about this one.
	if err == ErrAgain && !s.hangup && (s.family != unix.AF_UNIX || s.remote != nil) {
		s.writable = false
	}
	return err
}

func (s *fdPacket) BlockPacket(m Mode, try func(PacketTryer) bool) error {
	return s.blockRaw(m, func(fd uintptr) bool { return try(packetFDTry{s, int(fd)}) })
}

// packetFDTry is one socket on one of its descriptors, the loop's or the duplicate.
type packetFDTry struct {
	s  *fdPacket
	fd int
}

func (t packetFDTry) Recv(p, oob []byte) (Received, error) {
	for {
		r, err := t.s.sysRecv(t.fd, p, oob)
		switch err {
		case nil:
			return r, nil
		case unix.EAGAIN:
			return Received{}, ErrAgain
		case unix.EINTR:
		default:
			return Received{}, os.NewSyscallError("recvmsg", err)
		}
	}
}

func (t packetFDTry) Send(p, oob []byte, to Dest) error {
	if to.Addr.IsValid() && t.s.family == unix.AF_INET && !to.Addr.Addr().Unmap().Is4() {
		return &net.AddrError{Err: "an IPv6 address on an IPv4 socket", Addr: to.Addr.String()}
	}
	for {
		switch err := t.s.sysSend(t.fd, p, oob, to); err {
		case nil:
			return nil
		case unix.EAGAIN:
			return ErrAgain
		case unix.EINTR:
		default:
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// setPacket sets what has to be set before a UDP socket has its address. Package net lets each of them broadcast.
func setPacket(rc syscall.RawConn, reuse, broadcast bool) (err error) {
	e := rc.Control(func(fd uintptr) {
		err = setBool(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, broadcast)
		if err == nil && reuse {
			err = setBool(int(fd), unix.SOL_SOCKET, reusePort, true)
		}
	})
	if e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

// SetBuffer sets how much the system keeps for a socket in one direction.
func SetBuffer(rc syscall.RawConn, m Mode, size int) (err error) {
	option := unix.SO_RCVBUF
	if m == Write {
		option = unix.SO_SNDBUF
	}
	e := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, size) })
	if e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

// from makes an address of what the system tells.
func (s *fdPacket) from(ip netip.Addr, port int, zoneID uint32) netip.AddrPort {
	if zoneID != 0 {
		z := s.zone.Load()
		if z == nil || z.id != zoneID {
			z = &zone{zoneID, zoneName(zoneID)}
			s.zone.Store(z)
		}
		ip = ip.WithZone(z.name)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

func (s *fdPacket) zoneID(name string) (uint32, error) {
	if name == "" {
		return 0, nil
	}
	z := s.zone.Load()
	if z == nil || z.name != name {
		id, err := zoneID(name)
		if err != nil {
			return 0, err
		}
		z = &zone{id, name}
		s.zone.Store(z)
	}
	return z.id, nil
}
