//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package aiohttp

import "syscall"

// quiet reports whether an idle connection is still one: that nothing has come
// on it, neither its end nor data that nobody asked for, which could be taken
// for the next request's response. Under TLS, too: what servers send of their
// own comes with the handshake, but for the message that ends the session.
func (c *conn) quiet() bool {
	sc, ok := c.raw.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = rc.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EINTR
	})
	return err == nil && quiet
}
