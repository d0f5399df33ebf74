package env

import (
	"golang.org/x/sys/windows"

	"github.com/go-asyncio/asyncio/internal/pipe"
)

// all is each half of the length of what is locked: everything.
const all = 1<<32 - 1

func (disks) Lock(f File, shared bool) (bool, error) {
	var flags uint32 = windows.LOCKFILE_FAIL_IMMEDIATELY
	if !shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := pipe.WithDescriptor(f, func(fd int) error {
		return windows.LockFileEx(windows.Handle(fd), flags, 0, all, all, new(windows.Overlapped))
	})
	if err == windows.ERROR_LOCK_VIOLATION {
		return false, nil
	}
	return err == nil, err
}

func (disks) Unlock(f File) error {
	return pipe.WithDescriptor(f, func(fd int) error {
		return windows.UnlockFileEx(windows.Handle(fd), 0, all, all, new(windows.Overlapped))
	})
}
