//go:build (linux || darwin || freebsd || dragonfly) && !(linux && !race && !386 && !s390x)

package poller

import "syscall"

// These tell the race detector what they touch.

func sysRead(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
func sysWrite(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
