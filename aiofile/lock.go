package aiofile

import (
	"context"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/env"
)

// The longest and the shortest time between two tries to lock a file.
const (
	lockFirst = time.Millisecond
	lockLast  = 64 * time.Millisecond
)

// Lock locks the file for this File alone, and waits while another open file, of any process, has a lock on it. It is
// advisory: flock, or LockFileEx on Windows; who does not ask is not kept out. Close gives the lock up, too. Where
// there is no such call Lock returns an error that is errors.ErrUnsupported.
//
// If this File has the lock already, Lock does nothing. If it shares one, it gives that up first: a Lock that fails, or
// a TryLock that does not get it, leaves the file unlocked.
//
// The system can only be asked again and again, every 64 ms in the end on the loop's clock: there is no order among
// those who wait. If ctx ends first, Lock returns its cause, and the file is not locked.
func (f *File) Lock(ctx context.Context) error { return f.waitLock(ctx, lockExclusive) }

// LockShared is Lock for many at once, but not together with one that has it alone.
func (f *File) LockShared(ctx context.Context) error { return f.waitLock(ctx, lockShared) }

// TryLock is Lock that does not wait for others. It reports whether the file is locked now.
func (f *File) TryLock(ctx context.Context) (bool, error) { return f.tryLock(ctx, lockExclusive) }

// Unlock gives up the lock. It is no error if there is none.
func (f *File) Unlock(ctx context.Context) error {
	_, err := alter(ctx, "unlock", f.Name(), func(files env.Files, _ func() bool) (asyncio.None, error) {
		return asyncio.None{}, f.failed("unlock", f.locked.unlock(files, f.os))
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
	return alter(ctx, "lock", f.Name(), func(files env.Files, _ func() bool) (bool, error) {
		locked, err := f.locked.lock(files, f.os, kind)
		return locked, f.failed("lock", err)
	})
}

type lockKind int

const (
	lockNone lockKind = iota
	lockExclusive
	lockShared
)

// fileLock is the lock that a File has. It remembers the kind, since systems differ in what a second lock of the same
// file does: flock changes the first one, and LockFileEx waits for it or adds to it. Only threads use it.
type fileLock struct {
	mu   sync.Mutex
	held lockKind
}

func (l *fileLock) lock(files env.Files, f env.File, kind lockKind) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == kind {
		return true, stillOpen(f)
	}
	if l.held != lockNone {
		if err := files.Unlock(f); err != nil {
			return false, err
		}
		l.held = lockNone
	}
	locked, err := files.Lock(f, kind == lockShared)
	if locked {
		l.held = kind
	}
	return locked, err
}

func (l *fileLock) unlock(files env.Files, f env.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == lockNone {
		return stillOpen(f)
	}
	err := files.Unlock(f)
	if err == nil {
		l.held = lockNone
	}
	return err
}

// stillOpen is the error of a call with a file that is closed.
func stillOpen(f env.File) error {
	_, err := f.Stat()
	return err
}
