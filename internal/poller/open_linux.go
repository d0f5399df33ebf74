package poller

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	reusePort     = unix.SO_REUSEPORT
	keepAliveIdle = unix.TCP_KEEPIDLE
)

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func streamSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

func accept(fd int) (int, syscall.Sockaddr, error) {
	return syscall.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}

// sendAtOnce bounds one sendfile, which holds a thread while the disk is read.
const sendAtOnce = 1 << 20

func (s *fdSocket) SendFile(f File, n int64) (sent int64, err error) {
	src, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	e := src.Control(func(in uintptr) {
		err = s.Block(Write, func(t Tryer) bool {
			for sent < n {
				k, e := unix.Sendfile(t.(tryFD).fd, int(in), nil, int(min(n-sent, sendAtOnce)))
				switch {
				case e == nil && k == 0:
					failed = io.EOF
					return true
				case e == nil:
					sent += int64(k)
				case e == unix.EAGAIN:
					return false
				case e != unix.EINTR:
					failed = os.NewSyscallError("sendfile", e)
					return true
				}
			}
			return true
		})
	})
	if sent == 0 && (errors.Is(failed, unix.EINVAL) || errors.Is(failed, unix.ENOSYS) || errors.Is(failed, unix.EOPNOTSUPP)) {
		return 0, errors.ErrUnsupported
	}
	if failed == io.EOF {
		failed = nil
	}
	return sent, errors.Join(e, err, failed)
}
