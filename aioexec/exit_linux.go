package aioexec

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// watchHandle lets the poller watch a pidfd, which is readable once the process has ended. The poller gets a
// descriptor of its own, since the process's is closed when it is reaped.
func (w *exitWatch) watchHandle(l *engine.Loop, p *os.Process) error {
	fd, err := -1, error(nil)
	if e := p.WithHandle(func(handle uintptr) {
		fd, err = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	watch, err := l.Poller().Watch(fd, w, poller.Level)
	if err == nil {
		err = watch.Arm(poller.Read)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	w.close = func() {
		watch.Close()
		unix.Close(fd)
	}
	return nil
}
