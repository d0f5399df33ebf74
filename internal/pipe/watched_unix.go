//go:build linux || darwin || freebsd || dragonfly

package pipe

import "golang.org/x/sys/unix"

func peerGone(fd int) bool {
	p := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
