package aiofile

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/go-asyncio/asyncio"
)

// Lend calls fn with the system's file, at the position of f, and takes over the position that fn leaves. Nobody else
// uses the position meanwhile. It is for what a File cannot do itself: io.Copy to a connection of aionet, and its
// SendFile, let the system send the file so. fn runs where Lend was called, and so must not block the loop; it must not
// close the file, nor use it later. What has no positions, or is no file of the system, is not lent: errors.ErrUnsupported.
//
// In a coroutine Lend waits for its turn, and is ended by the context of the running block; fn has not been called then.
// A Write of a coroutine that waits for a goroutine's fn is not ended before that.
func (f *File) Lend(fn func(f *os.File) error) error {
	if _, system := f.os.(*os.File); !system || !f.placed {
		return pathError("lend", f.Name(), errors.ErrUnsupported)
	}
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		_, err := plainly(f.loop, "lend", f.Name(), func() (asyncio.None, error) {
			f.mu.Lock()
			return asyncio.None{}, f.lendLocked(fn)
		})
		return err
	}
	if err := f.turn.Acquire(ctx); err != nil {
		return pathError("lend", f.Name(), err)
	}
	defer f.turn.Release()
	if err := f.lockTurn(ctx, "lend"); err != nil {
		return err
	}
	return f.lendLocked(fn)
}

// lockTurn locks the position for the coroutine whose turn it is. If a thread or a goroutine has it, and a goroutine
// may lend it for long, it waits in a thread.
func (f *File) lockTurn(ctx context.Context, op string) error {
	if f.mu.TryLock() {
		return nil
	}
	lock := func(func() bool) (asyncio.None, error) {
		f.mu.Lock()
		return asyncio.None{}, nil
	}
	_, err := look(ctx, f.loop, op, f.Name(), lock, func(asyncio.None) { f.mu.Unlock() })
	return err
}

// lendLocked unlocks the position.
func (f *File) lendLocked(fn func(f *os.File) error) error {
	defer f.mu.Unlock()
	if _, err := f.os.Seek(f.pos, io.SeekStart); err != nil {
		return err
	}
	defer func() {
		if at, err := f.os.Seek(0, io.SeekCurrent); err == nil {
			f.pos = at
		}
	}()
	return fn(f.os.(*os.File))
}

// lent is a File that others may read or borrow, but that does not write itself, which would be us again.
type lent struct{ f *File }

func (l lent) Read(p []byte) (int, error)           { return l.f.Read(p) }
func (l lent) Lend(fn func(f *os.File) error) error { return l.f.Lend(fn) }
