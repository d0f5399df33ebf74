//go:build darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func streamSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	return prepare(fd, err)
}

func accept(fd int) (int, syscall.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	c, sa, err := syscall.Accept(fd)
	c, err = prepare(c, err)
	return c, sa, err
}

// prepare does in two more calls what these systems cannot all do in one.
func prepare(fd int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// SendFile leaves it to a copy: each of these systems has a sendfile of its own shape.
func (s *fdSocket) SendFile(File, int64) (int64, error) { return 0, errors.ErrUnsupported }
