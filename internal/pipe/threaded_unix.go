//go:build linux || darwin || freebsd || dragonfly

package pipe

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/poller"
)

type interrupter = poller.Interrupter

// wait returns false if there is nothing to wait for any more. What cannot be waited for blocks in the call itself.
func (d *threaded) wait(m poller.Mode) (ready bool) {
	err := WithDescriptor(d.f, func(fd int) error {
		var err error
		ready, err = d.end.Wait(fd, m)
		ready = ready || err != nil
		return nil
	})
	return ready && err == nil
}

// rawRead is not f.Read, which may wait in Go's netpoller, where nothing could take it back.
func rawRead(f *os.File, b []byte) (n int, err error) {
	err = WithDescriptor(f, func(fd int) (err error) {
		n, err = retry(unix.Read, fd, b)
		return err
	})
	if n <= 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// rawWrite is not f.Write, which ends the program by SIGPIPE when nobody reads standard output any more.
func rawWrite(f *os.File, b []byte) (n int, err error) {
	err = WithDescriptor(f, func(fd int) (err error) {
		n, err = retry(unix.Write, fd, b)
		return err
	})
	return max(n, 0), err
}

func retry(call func(int, []byte) (int, error), fd int, b []byte) (n int, err error) {
	for {
		if n, err = call(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

func isAgain(err error) bool { return err == unix.EAGAIN }

// doesNotBlock reports whether a call on the descriptor fails where it would have to wait.
func doesNotBlock(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0
}

func setNonblock(fd int) error { return os.NewSyscallError("fcntl", unix.SetNonblock(fd, true)) }
