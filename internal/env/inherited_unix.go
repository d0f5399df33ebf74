//go:build !windows

package env

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// closeOnExec also finds out that the descriptor is open.
func closeOnExec(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), syscall.F_SETFD, syscall.FD_CLOEXEC)
	return os.NewSyscallError("fcntl", err)
}
