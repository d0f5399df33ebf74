//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package env

import (
	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/pipe"
)

func (disks) Lock(f File, shared bool) (bool, error) {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	err := flock(f, how|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func (disks) Unlock(f File) error { return flock(f, unix.LOCK_UN) }

func flock(f File, how int) error {
	return pipe.WithDescriptor(f, func(fd int) error {
		for {
			if err := unix.Flock(fd, how); err != unix.EINTR {
				return err
			}
		}
	})
}
