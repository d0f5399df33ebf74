//go:build (linux || darwin || freebsd || dragonfly) && !(linux && !race && !386 && !s390x)

package poller

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// These tell the race detector what they touch.

func sysRead(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
func sysWrite(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

func sysWritev(fd int, parts [][]byte) (int, error) {
	return unix.SendmsgBuffers(fd, parts, nil, nil, 0)
}

func fileRead(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
func fileWrite(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// sysPeek leaves what there is to read.
func sysPeek(fd int) error {
	var p [1]byte
	_, _, err := unix.Recvfrom(fd, p[:], unix.MSG_PEEK)
	return err
}
