package aiofile

import (
	"golang.org/x/sys/windows"

	"github.com/go-asyncio/asyncio/internal/env"
)

// all is each half of the length of what is locked: everything.
const all = 1<<32 - 1

// systemLocks is LockFileEx. It is never asked for a second lock of the same file: it waits for the first one, or adds
// to it.
type systemLocks struct{}

func (systemLocks) lock(f env.File, kind lockKind) (bool, error) {
	var flags uint32 = windows.LOCKFILE_FAIL_IMMEDIATELY
	if kind == lockExclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := lockCall(f, func(fd uintptr) error {
		return windows.LockFileEx(windows.Handle(fd), flags, 0, all, all, new(windows.Overlapped))
	})
	if err == windows.ERROR_LOCK_VIOLATION {
		return false, nil
	}
	return err == nil, err
}

func (systemLocks) unlock(f env.File) error {
	return lockCall(f, func(fd uintptr) error {
		return windows.UnlockFileEx(windows.Handle(fd), 0, all, all, new(windows.Overlapped))
	})
}
