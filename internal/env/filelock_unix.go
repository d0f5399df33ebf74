//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package env

import "golang.org/x/sys/unix"

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
	return lockCall(f, func(fd uintptr) error {
		for {
			if err := unix.Flock(int(fd), how); err != unix.EINTR {
				return err
			}
		}
	})
}
