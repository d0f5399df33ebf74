package aiofile

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/env"
)

// A cache reads what the page cache has of a file, and never waits for the disk: preadv2 with RWF_NOWAIT. That is
// so for file systems on disks; others (tmpfs, FUSE, NFS, proc) refuse, and are not asked again.
type cache struct {
	conn  syscall.RawConn // nil: not to be asked
	try   func(fd uintptr)
	p     []byte
	off   int64
	n     int
	errno error
}

func (c *cache) init(f env.File, placed bool) {
	if !placed {
		return
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	c.conn = conn
	c.try = func(fd uintptr) { // made once, so that no read allocates
		c.n, c.errno = unix.Preadv2(int(fd), [][]byte{c.p}, c.off, unix.RWF_NOWAIT)
	}
}

// read returns errNotCached if a thread has to be asked, which also says what is wrong if something is.
func (c *cache) read(p []byte, off int64) (int, error) {
	if c.conn == nil || len(p) == 0 {
		return 0, errNotCached
	}
	c.p, c.off, c.n, c.errno = p, off, 0, nil
	err := c.conn.Control(c.try) // the descriptor is not closed meanwhile
	c.p = nil
	switch {
	case err != nil:
		return 0, errNotCached
	case c.errno == unix.EOPNOTSUPP || c.errno == unix.ENOSYS || c.errno == unix.EINVAL:
		c.conn = nil
		return 0, errNotCached
	case c.errno != nil:
		return 0, errNotCached
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}
