package aiofile

import (
	"context"
	"os"
	"time"

	"github.com/go-asyncio/asyncio"
)

// The longest and the shortest time between two tries to lock a file.
const (
	lockFirst = time.Millisecond
	lockLast  = 64 * time.Millisecond
)

// Lock locks the file for this File alone, and waits while another open file, of any process, has a lock on it. It is
// advisory: flock, or LockFileEx on Windows; who does not ask is not kept out. Close opens it, too. A lock that this
// File has already is changed. Where there is no such call it returns an error that is errors.ErrUnsupported.
//
// The system can only be asked again and again, every 64 ms in the end on the loop's clock: there is no order among
// those who wait. If ctx ends first, Lock returns its cause, and the file is not locked.
func (f *File) Lock(ctx context.Context) error { return f.waitLock(ctx, lockExclusive) }

// LockShared is Lock for many at once, but not together with one that has it alone.
func (f *File) LockShared(ctx context.Context) error { return f.waitLock(ctx, lockShared) }

// TryLock is Lock that does not wait for others. It reports whether the file is locked now.
func (f *File) TryLock(ctx context.Context) (bool, error) { return f.tryLock(ctx, lockExclusive) }

// Unlock gives up the lock. It is no error if there is none, but on Windows.
func (f *File) Unlock(ctx context.Context) error {
	_, err := alter(ctx, "unlock", f.Name(), func(func() bool) (asyncio.None, error) {
		return asyncio.None{}, pathError("unlock", f.Name(), unlockFile(f.os))
	})
	return err
}

func (f *File) waitLock(ctx context.Context, kind lockKind) error {
	for delay := lockFirst; ; delay = min(2*delay, lockLast) {
		if locked, err := f.tryLock(ctx, kind); locked || err != nil {
			return err
		}
		if err := asyncio.Sleep(ctx, delay); err != nil {
			return pathError("lock", f.Name(), err)
		}
	}
}

func (f *File) tryLock(ctx context.Context, kind lockKind) (bool, error) {
	return alter(ctx, "lock", f.Name(), func(func() bool) (bool, error) {
		locked, err := lockFile(f.os, kind)
		return locked, pathError("lock", f.Name(), err)
	})
}

type lockKind int

const (
	lockExclusive lockKind = iota
	lockShared
)

// lockCall runs fn with the descriptor of f, which is not closed meanwhile.
func lockCall(f *os.File, fn func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = fn(fd) }); err != nil {
		return err
	}
	return failed
}
