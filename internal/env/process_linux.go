package env

import (
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// watchProcess lets the poller watch a pidfd, which is readable once the process has ended. The poller gets a
// descriptor of its own, since the process's is closed when it is reaped.
func watchProcess(p poller.Poller, c *exec.Cmd, ended func()) (stop func(), err error) {
	fd := -1
	if e := c.Process.WithHandle(func(handle uintptr) {
		fd, err = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	watch, err := p.Watch(fd, ready(ended), poller.Level)
	if err == nil {
		err = watch.Arm(poller.Read)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return func() {
		watch.Close()
		unix.Close(fd)
	}, nil
}

type ready func()

func (r ready) Ready(poller.Mode) { r() }
