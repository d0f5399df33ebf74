//go:build unix

package aionet

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func setNonblock(fd uintptr) error { return syscall.SetNonblock(int(fd), true) }

// readerGone reports whether a write would meet nobody.
func readerGone(fd int) bool {
	p := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
