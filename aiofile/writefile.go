package aiofile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A WriteOption changes how WriteFile and Copy write.
type WriteOption func(*writing)

type writing struct {
	atomic bool
	files  env.Files
	random *rand.Rand // for names of temporary files
}

// writingOn says how to write for the loop, on which it is called: the thread has no randomness of the loop's.
func writingOn(l *engine.Loop, opts []WriteOption) *writing {
	w := &writing{files: l.Env.Files}
	for _, o := range opts {
		o(w)
	}
	if w.atomic {
		w.random = rand.New(rand.NewPCG(l.Rand(env.ForLibrary).Uint64(), 0))
	}
	return w
}

// Atomic lets a file be written as a whole or not at all, whatever happens: into a temporary file in the same
// directory, which is synced and gets the name in the end; then the directory is synced. It keeps the permission and,
// as far as may be, the owner of the file that had the name; of a symbolic link it replaces what that points to. On an
// error or a cancellation the temporary file is removed. It costs two waits for the disk.
func Atomic() WriteOption { return func(w *writing) { w.atomic = true } }

// WriteFile writes data to a file, which it creates with perm (before the umask) or else empties first, as
// os.WriteFile does.
//
// If ctx ends before it has begun, it does nothing. After that it stops at the next mebibyte; the file has then what
// was written, or with [Atomic] what it had before. If it is too late for that, WriteFile returns nil.
func WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode, opts ...WriteOption) error {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return pathError("write", name, err)
	}
	w := writingOn(l, opts)
	_, err = change(ctx, l, "write", name, func(stop func() bool) (int64, error) {
		return w.rewrite(name, perm, stop, writeSteps(stop, data))
	})
	return err
}

func writeSteps(stop func() bool, data []byte) func(env.File) (int64, error) {
	return func(f env.File) (int64, error) {
		n, err := inSteps(stop, data, func(part []byte, _ int) (int, error) { return f.Write(part) })
		return int64(n), err
	}
}

// AppendFile adds data at the end of a file, which it creates with perm if there is none. It is one system call, so
// that what several programs append to a file on a local disk does not mix.
//
// If ctx ends before it has begun, AppendFile returns its cause and does nothing.
func AppendFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	_, err := alter(ctx, "write", name, func(files env.Files, _ func() bool) (asyncio.None, error) {
		f, err := files.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, perm)
		if err != nil {
			return asyncio.None{}, err
		}
		_, err = f.Write(data)
		if failed := f.Close(); err == nil {
			err = failed
		}
		return asyncio.None{}, err
	})
	return err
}

// rewrite lets write write a file, in the thread.
func (w *writing) rewrite(
	name string, perm fs.FileMode, stop func() bool, write func(env.File) (int64, error),
) (int64, error) {
	if w.atomic {
		return w.replace(name, perm, stop, write)
	}
	f, err := w.files.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return 0, err
	}
	n, err := write(f)
	if failed := f.Close(); err == nil {
		err = failed
	}
	return n, err
}

// replace writes a temporary file and gives it the name.
func (w *writing) replace(
	name string, perm fs.FileMode, stop func() bool, write func(env.File) (int64, error),
) (n int64, err error) {
	target, old, err := w.behind(name)
	if err != nil {
		return 0, err
	}
	f, err := w.beside(target, perm)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			w.files.Remove(f.Name())
		}
	}()
	if old != nil {
		keepOwner(f, old)
		if err := f.Chmod(old.Mode()); err != nil {
			return 0, err
		}
	}
	if n, err = write(f); err != nil {
		return n, err
	}
	if err := f.Sync(); err != nil {
		return n, err
	}
	if err := f.Close(); err != nil {
		return n, err
	}
	if stop() {
		return n, errStopped
	}
	if err := w.files.Rename(f.Name(), target); err != nil {
		return n, err
	}
	return n, w.files.SyncDir(filepath.Dir(target))
}

// behind follows symbolic links to the file that is to be replaced, and describes it; nil: there is none.
func (w *writing) behind(name string) (target string, old fs.FileInfo, err error) {
	for range 40 { // as many as Linux follows
		info, err := w.files.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil, nil
		case err != nil:
			return "", nil, err
		case info.Mode().IsRegular():
			return name, info, nil
		case info.Mode()&fs.ModeSymlink == 0:
			err = fmt.Errorf("%w: only regular files can be replaced, and this is none", fs.ErrInvalid)
			return "", nil, pathError("write", name, err)
		}
		to, err := w.files.Readlink(name)
		if err != nil {
			return "", nil, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(name) + string(filepath.Separator) + to // not cleaned: ".." goes up from where links lead
		}
		name = to
	}
	return "", nil, pathError("write", name, fmt.Errorf("%w: too many symbolic links", fs.ErrInvalid))
}

// beside creates a file with a new name in the directory of another.
func (w *writing) beside(name string, perm fs.FileMode) (env.File, error) {
	for {
		temp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".aiofile-%016x.tmp", w.random.Uint64()))
		f, err := w.files.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
