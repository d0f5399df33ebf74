//go:build !race && !386 && !s390x

package poller

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These make no garbage, which those of package syscall do for each address. What a datagram has room for is copied so soon
// that Go's scheduler need not know of the call.

func (s *fdPacket) sysRecv(fd int, p, oob []byte) (r Received, err error) {
	var sa unix.RawSockaddrAny
	if len(oob) == 0 {
		return s.recvFrom(fd, p, &sa)
	}
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&sa)), Namelen: unix.SizeofSockaddrAny, Iov: &iov}
	msg.Control = unsafe.SliceData(oob)
	msg.SetIovlen(1)
	msg.SetControllen(len(oob))
	n, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)),
		syscall.MSG_DONTWAIT|syscall.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return r, errno
	}
	r.N, r.OOBN, r.Flags = int(n), int(msg.Controllen), int(msg.Flags)
	s.decode(&r, &sa, msg.Namelen)
	return r, nil
}

// recvFrom is sysRecv without control messages: recvfrom costs less than recvmsg. With MSG_TRUNC it returns how long the
// datagram is, even where p is shorter.
func (s *fdPacket) recvFrom(fd int, p []byte, sa *unix.RawSockaddrAny) (r Received, err error) {
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_TRUNC, uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return r, errno
	}
	if r.N = int(n); r.N > len(p) {
		r.N, r.Flags = len(p), MsgTrunc
	}
	s.decode(&r, sa, size)
	return r, nil
}

// decode notes where a datagram is from.
func (s *fdPacket) decode(r *Received, sa *unix.RawSockaddrAny, size uint32) {
	switch sa.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		r.From = s.from(netip.AddrFrom4(a.Addr), swapped(a.Port), 0)
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		r.From = s.from(netip.AddrFrom16(a.Addr), swapped(a.Port), a.Scope_id)
	case unix.AF_UNIX:
		if n := int(size) - 2; n > 0 {
			r.Name = unixName((*[108]byte)(unsafe.Pointer(&(*unix.RawSockaddrUnix)(unsafe.Pointer(sa)).Path))[:n])
		}
	}
}

// unixName makes a text of a name: a path ends at a zero byte, an abstract name begins with one.
func unixName(b []byte) string {
	if b[0] == 0 {
		return "@" + string(b[1:])
	}
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

func (s *fdPacket) sysSend(fd int, p, oob []byte, to Dest) error {
	var sa unix.RawSockaddrAny
	size, err := s.encode(&sa, to)
	if err != nil {
		return err
	}
	var name *unix.RawSockaddrAny
	if size > 0 {
		name = &sa
	}
	const flags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	if len(oob) == 0 {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
			flags, uintptr(unsafe.Pointer(name)), uintptr(size))
		return errnoErr(errno)
	}
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(name)), Namelen: uint32(size), Iov: &iov, Control: unsafe.SliceData(oob)}
	msg.SetIovlen(1)
	msg.SetControllen(len(oob))
	_, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), flags)
	return errnoErr(errno)
}

// encode returns the length of the address, 0 for none.
func (s *fdPacket) encode(sa *unix.RawSockaddrAny, to Dest) (int, error) {
	switch {
	case to.Name != "":
		a := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
		if len(to.Name) >= len(a.Path) {
			return 0, syscall.EINVAL
		}
		a.Family = unix.AF_UNIX
		path := (*[108]byte)(unsafe.Pointer(&a.Path))
		n := copy(path[:], to.Name)
		if to.Name[0] == '@' {
			path[0] = 0
			return 2 + n, nil
		}
		return 2 + n + 1, nil
	case !to.Addr.IsValid():
		return 0, nil
	case s.family == unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		a.Family, a.Port, a.Addr = unix.AF_INET, networkOrder(to.Addr.Port()), to.Addr.Addr().As4()
		return unix.SizeofSockaddrInet4, nil
	}
	a := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
	zone, err := s.zoneID(to.Addr.Addr().Zone())
	a.Family, a.Port, a.Addr, a.Scope_id = unix.AF_INET6, networkOrder(to.Addr.Port()), to.Addr.Addr().As16(), zone
	return unix.SizeofSockaddrInet6, err
}

// errnoErr does without the interface that a zero errno would make.
func errnoErr(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

func swapped(port uint16) int { return int(networkOrder(port)) }
