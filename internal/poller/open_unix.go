//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenFD lets package net open the socket, so that addresses mean here what they mean there (":80" is both IP
// versions, "@name" is an abstract Unix socket, the backlog is the system's), and takes the descriptor over.
func listenFD(reg registry, network, address string, o *Options) (Socket, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error { return control(rc, o) }, KeepAliveConfig: o.KeepAlive}
	ln, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	fd, err := takeOver(ln)
	if err != nil {
		return nil, err
	}
	s := newFDSocket(reg, fd)
	s.local, s.listening = ln.Addr(), true
	s.localOfAll = isOneAddress(s.local)
	s.file = socketFileAt(s.local)
	if _, ok := s.local.(*net.UnixAddr); !ok {
		err = os.NewSyscallError("setsockopt", setTCP(fd, o)) // accepted connections inherit it
	}
	if err == nil {
		err = s.file.prepare(o)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// control sets what has to be set before the socket has its address.
func control(rc syscall.RawConn, o *Options) (err error) {
	e := rc.Control(func(fd uintptr) {
		if o.Mode != 0 {
			// Linux makes the file with these permissions, so that nobody slips in before the chmod.
			_ = unix.Fchmod(int(fd), uint32(o.Mode.Perm()))
		}
		if o.ReusePort {
			err = os.NewSyscallError("setsockopt", setBool(int(fd), unix.SOL_SOCKET, reusePort, true))
		}
	})
	if e != nil {
		return e
	}
	return err
}

// isOneAddress reports whether what is accepted at a has that address, too.
func isOneAddress(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || len(t.IP) > 0 && !t.IP.IsUnspecified()
}

func takeOver(ln net.Listener) (fd int, err error) {
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	rc, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	e := rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if e != nil {
		return -1, e
	}
	return fd, os.NewSyscallError("fcntl", err)
}

func dialFD(reg registry, network string, remote net.Addr, o *Options) (Socket, error) {
	sa, family, err := sockaddrOf(remote)
	if err != nil {
		return nil, err
	}
	fd, err := streamSocket(family)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := newFDSocket(reg, fd)
	s.remote = remote
	if err := s.connect(sa, o); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

func (s *fdSocket) connect(sa unix.Sockaddr, o *Options) error {
	if _, tcp := s.remote.(*net.TCPAddr); tcp {
		if err := setTCP(s.fd, o); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if o.Local != nil {
		if err := bind(s.fd, o.Local, s.remote); err != nil {
			return err
		}
	}
	err := unix.Connect(s.fd, sa)
	if err == unix.EINPROGRESS || err == unix.EINTR {
		return nil
	}
	return os.NewSyscallError("connect", err)
}

// bind makes IPv4 addresses fit an IPv6 socket and the other way round where that can be.
func bind(fd int, local, remote net.Addr) error {
	if l, ok := local.(*net.TCPAddr); ok && l.IP == nil { // a port only
		ip := net.IPv6zero
		if remote.(*net.TCPAddr).IP.To4() != nil {
			ip = net.IPv4zero
		}
		local = &net.TCPAddr{IP: ip, Port: l.Port}
	}
	sa, _, err := sockaddrOf(local)
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}

func setTCP(fd int, o *Options) error {
	if err := setBool(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, !o.Delay); err != nil {
		return err
	}
	return setKeepAlive(fd, o.KeepAlive)
}

// setKeepAlive treats the fields as net.KeepAliveConfig documents: zero is the default, negative leaves as is.
func setKeepAlive(fd int, c net.KeepAliveConfig) error {
	if err := setBool(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, c.Enable); err != nil || !c.Enable {
		return err
	}
	for _, o := range [...]struct{ option, value, standard int }{
		{keepAliveIdle, seconds(c.Idle), 15},
		{unix.TCP_KEEPINTVL, seconds(c.Interval), 15},
		{unix.TCP_KEEPCNT, c.Count, 9},
	} {
		if o.value < 0 {
			continue
		}
		if o.value == 0 {
			o.value = o.standard
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, o.option, o.value); err != nil {
			return err
		}
	}
	return nil
}

func setBool(fd, level, option int, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return unix.SetsockoptInt(fd, level, option, value)
}

func sockaddrOf(a net.Addr) (sa unix.Sockaddr, family int, err error) {
	switch a := a.(type) {
	case *net.UnixAddr:
		return &unix.SockaddrUnix{Name: a.Name}, unix.AF_UNIX, nil
	case *net.TCPAddr:
		ip4 := a.IP.To4()
		if len(a.IP) == 0 {
			ip4 = net.IPv4(127, 0, 0, 1).To4() // as package net: no host is this one
		}
		if ip4 != nil {
			return &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip4)}, unix.AF_INET, nil
		}
		zone, err := zoneID(a.Zone)
		return &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16()), ZoneId: zone}, unix.AF_INET6, err
	}
	return nil, 0, fmt.Errorf("%T is not an address of a stream socket", a)
}

func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// Addresses come from package syscall: x/sys asks the system for a socket's protocol with each.

// localAddr asks the system for the address of fd; like names its kind.
func localAddr(fd int, like net.Addr) net.Addr {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return like // cannot be, and an address is not worth a connection
	}
	return addrOf(sa, like)
}

func addrOf(sa syscall.Sockaddr, like net.Addr) net.Addr {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port, Zone: zoneName(sa.ZoneId)}
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return &net.UnixAddr{Net: like.Network()} // a Unix socket without a name has no address at all on some systems
}

func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(id)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}
