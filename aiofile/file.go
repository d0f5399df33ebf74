package aiofile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A File is an open file of a loop: what *os.File is elsewhere. See the package's documentation for what its methods
// mean on the loop and on other goroutines, and for what a cancelled call leaves behind.
//
// It knows its position itself, from which Read and Write go on: coroutines that use it at the same time take turns
// in the order of their coming, and a cancelled Read does not move it. On what has no positions, as FIFOs and
// terminals, a cancelled Read loses what comes next: open those as a pipe.
type File struct {
	loop   *engine.Loop
	os     env.File
	placed bool // has positions
	append bool // writes at its end

	turn   asyncio.Lock // whose turn it is to use the position; the loop's
	mu     sync.Mutex   // the same, among threads; the loop only tries
	pos    int64
	closed atomic.Bool
	locked fileLock
	remove func() // from what the loop closes at its end
	cache  cache  // the loop's
}

// Open opens a file for reading. If ctx ends first, Open returns its cause, and no file is left open.
func Open(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create creates a file or empties the one that there is, for reading and writing. See OpenFile.
func Create(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file as os.OpenFile does. If ctx ends first, OpenFile returns its cause, and no file is left open,
// but it may have been created, or emptied.
func OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	return open(ctx, name, flag&os.O_APPEND != 0, closeDropped, func(files env.Files) (env.File, error) {
		return files.OpenFile(name, flag, perm)
	})
}

// CreateTemp creates a file with a new name in the directory dir, os.TempDir if that is "", as os.CreateTemp does:
// the last * in pattern is replaced. Who creates it removes it. If ctx ends first, CreateTemp returns its cause, and
// no file is left.
func CreateTemp(ctx context.Context, dir, pattern string) (*File, error) {
	return open(ctx, pattern, false, removeDropped, func(files env.Files) (env.File, error) {
		return files.CreateTemp(dir, pattern)
	})
}

// opened is an open file, and what kind of file it is.
type opened struct {
	env.File
	mode fs.FileMode
}

func open(
	ctx context.Context, name string, appends bool, drop func(env.Files, opened), fn func(env.Files) (env.File, error),
) (*File, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	o, err := look(ctx, l, "open", name, func(func() bool) (opened, error) {
		f, err := fn(l.Env.Files)
		if err != nil {
			return opened{}, err
		}
		return stated(f)
	}, func(o opened) { drop(l.Env.Files, o) })
	if err != nil {
		return nil, err
	}
	return adopt(l, o, appends)
}

func stated(f env.File) (opened, error) {
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return opened{}, err
	}
	return opened{f, info.Mode()}, nil
}

func closeDropped(_ env.Files, o opened) { o.Close() }

func removeDropped(files env.Files, o opened) {
	o.Close()
	_ = files.Remove(o.Name())
}

// adopt makes a File. It may be called on any goroutine.
func adopt(l *engine.Loop, o opened, appends bool) (*File, error) {
	f := &File{loop: l, os: o.File, append: appends}
	f.placed = o.mode.IsRegular() || o.mode&fs.ModeDevice != 0 && o.mode&fs.ModeCharDevice == 0
	f.cache.init(o.File, f.placed)
	if l.On() {
		f.remove = l.AddCloser(closer{f})
		return f, nil
	}
	err := l.CallSoonThreadsafe(func() {
		if !f.closed.Load() {
			f.remove = l.AddCloser(closer{f})
		}
	})
	if err != nil {
		o.Close()
		return nil, pathError("open", o.Name(), err)
	}
	return f, nil
}

// closer closes the file because the loop has ended.
type closer struct{ f *File }

func (c closer) Close() error {
	if c.f.closed.Swap(true) {
		return nil
	}
	return c.f.os.Close()
}

// Leak names the file in the report of what was never closed.
func (c closer) Leak() (any, string) { return c.f, "a file (" + c.f.Name() + ") was never closed" }

// Name returns the name with which the file was opened.
func (f *File) Name() string { return f.os.Name() }

// Close closes the file. A call that is under way still ends well, and only then the descriptor is given back; calls
// that come after fail with os.ErrClosed.
//
// On the loop Close suspends, and nothing cancels it.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.Name(), os.ErrClosed)
	}
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		if !f.loop.On() {
			_ = f.loop.CallSoonThreadsafe(f.forget) // if the loop has ended, it has forgotten already
		} else {
			f.forget()
		}
		return f.os.Close()
	}
	f.forget()
	return closeInThread(ctx, f.os)
}

// closeInThread closes f, whatever ctx says.
func closeInThread(ctx context.Context, f io.Closer) (err error) {
	failed := asyncio.Shield(ctx, func(ctx context.Context) (failed error) {
		err, failed = asyncio.ToThread(ctx, func() (error, error) { return f.Close(), nil })
		return failed
	})
	if failed != nil {
		return f.Close() // the loop ends
	}
	return err
}

func (f *File) forget() {
	if f.remove != nil {
		f.remove()
	}
}

// Seek sets the position for the next Read or Write: to offset from the start, the position or the end, as io.Seeker
// says, and returns it. Only a Seek from the end asks the system.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return plainly(f.loop, "seek", f.Name(), func() (int64, error) { return f.seek(offset, whence) })
	}
	if err := f.turn.Acquire(ctx); err != nil {
		return 0, pathError("seek", f.Name(), err)
	}
	defer f.turn.Release()
	if f.placed && whence != io.SeekEnd {
		if err := f.lockTurn(ctx, "seek"); err != nil {
			return 0, err
		}
		defer f.mu.Unlock()
		return f.seekLocked(offset, whence)
	}
	return change(ctx, f.loop, "seek", f.Name(), func(func() bool) (int64, error) { return f.seek(offset, whence) })
}

func (f *File) seek(offset int64, whence int) (int64, error) {
	if !f.placed {
		return f.os.Seek(offset, whence)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seekLocked(offset, whence)
}

func (f *File) seekLocked(offset int64, whence int) (int64, error) {
	switch {
	case f.closed.Load():
		return 0, pathError("seek", f.Name(), os.ErrClosed)
	case whence == io.SeekEnd:
		end, err := f.os.Seek(0, io.SeekEnd)
		if err != nil {
			return 0, err
		}
		offset += end
	case whence == io.SeekCurrent:
		offset += f.pos
	case whence != io.SeekStart:
		return 0, pathError("seek", f.Name(), os.ErrInvalid)
	}
	if offset < 0 {
		return 0, pathError("seek", f.Name(), os.ErrInvalid)
	}
	f.pos = offset
	return offset, nil
}

// Stat describes the file.
func (f *File) Stat() (fs.FileInfo, error) {
	return lookFrom(f.loop, "stat", f.Name(), func() (fs.FileInfo, error) {
		info, err := f.os.Stat()
		return info, f.failed("stat", err)
	})
}

// failed is the error of a call, which is os.ErrClosed if f was closed: not all calls of all systems say so.
func (f *File) failed(op string, err error) error {
	if err != nil && f.closed.Load() {
		return pathError(op, f.Name(), os.ErrClosed)
	}
	if _, ok := err.(*fs.PathError); ok {
		return err
	}
	return pathError(op, f.Name(), err)
}

// Sync waits until what was written is on the disk. If it is cancelled, the system goes on with that.
func (f *File) Sync() error {
	_, err := lookFrom(f.loop, "sync", f.Name(), func() (asyncio.None, error) { return asyncio.None{}, f.os.Sync() })
	return err
}

// ReadDir reads the entries of a directory that was opened, as os.File.ReadDir does. Their Info is awaited, too.
//
// Once it has begun it is not ended, since the entries that it takes would be lost.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := changeFrom(f.loop, "readdir", f.Name(), func() ([]fs.DirEntry, error) { return f.os.ReadDir(n) })
	return awaited(f.loop, entries), err
}

// Truncate makes the file size bytes long. The position stays.
func (f *File) Truncate(size int64) error {
	return f.do("truncate", func() error { return f.os.Truncate(size) })
}

// Chmod changes the permission of the file.
func (f *File) Chmod(mode fs.FileMode) error {
	return f.do("chmod", func() error { return f.os.Chmod(mode) })
}

// Chown changes the owner and the group of the file. -1 leaves one as it is.
func (f *File) Chown(uid, gid int) error {
	return f.do("chown", func() error { return f.os.Chown(uid, gid) })
}

// do runs fn, which changes something in one step, in a thread, if a coroutine calls.
func (f *File) do(op string, fn func() error) error {
	_, err := changeFrom(f.loop, op, f.Name(), func() (asyncio.None, error) { return asyncio.None{}, fn() })
	return err
}

// SyscallConn gives access to the descriptor, for what has no method here. What is called with it is called right
// there: on the loop it must not wait.
func (f *File) SyscallConn() (syscall.RawConn, error) { return f.os.SyscallConn() }

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.WriterTo
	io.ReaderFrom
	fs.ReadDirFile
	syscall.Conn
} = (*File)(nil)
