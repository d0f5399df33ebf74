//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package aiofile

import (
	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/env"
)

// systemLocks is flock.
type systemLocks struct{}

func (systemLocks) lock(f env.File, kind lockKind) (bool, error) {
	how := unix.LOCK_EX
	if kind == lockShared {
		how = unix.LOCK_SH
	}
	err := flock(f, how|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func (systemLocks) unlock(f env.File) error { return flock(f, unix.LOCK_UN) }

func flock(f env.File, how int) error {
	return lockCall(f, func(fd uintptr) error {
		for {
			if err := unix.Flock(int(fd), how); err != unix.EINTR {
				return err
			}
		}
	})
}
