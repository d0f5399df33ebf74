package aiofile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/scratch"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// copyStep is how much is copied before a look at whether to go on.
const copyStep = 16 << 20

// Copy copies the content of the file src into the file dst, and returns how many bytes that was. On Linux the system
// does it by itself (copy_file_range), which on some file systems only refers to the same blocks. A dst that is new
// gets the permission of src (before the umask); one that exists is written over. To copy a file onto itself is an
// error.
//
// If ctx ends before it has begun, Copy does nothing; after that it stops at the next 16 MiB. Then, and on an error, a
// dst that is new is removed, and one that existed has a part of src, or with [Atomic] what it had before.
func Copy(ctx context.Context, dst, src string, opts ...WriteOption) (int64, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return 0, pathError("copy", dst, err)
	}
	w := writingOn(l, opts)
	return change(ctx, l, "copy", dst, func(stop func() bool) (int64, error) { return w.copy(stop, dst, src) })
}

func (w *writing) copy(stop func() bool, dst, src string) (int64, error) {
	in, err := w.files.OpenFile(src, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	if info.IsDir() {
		return 0, pathError("copy", src, syscall.EISDIR)
	}
	old, err := w.files.Stat(dst)
	if err == nil && os.SameFile(old, info) {
		return 0, pathError("copy", dst, fmt.Errorf("%w: it would be copied onto itself", fs.ErrInvalid))
	}
	_, err = w.files.Lstat(dst)
	isNew := errors.Is(err, fs.ErrNotExist)
	n, err := w.rewrite(dst, info.Mode().Perm(), stop, func(out env.File) (int64, error) {
		return copySteps(stop, out, in)
	})
	if err != nil && isNew {
		w.files.Remove(dst)
	}
	return n, err
}

func copySteps(stop func() bool, out, in env.File) (done int64, err error) {
	for {
		n, err := out.ReadFrom(io.LimitReader(in, copyStep))
		done += n
		if err != nil || n < copyStep {
			return done, err
		}
		if stop() {
			return done, errStopped
		}
	}
}

// ReadFrom writes what r gives until its end; io.Copy uses it. It is ended as Write is, and as the Read of r.
func (f *File) ReadFrom(r io.Reader) (int64, error) { return copyThrough(onlyWriter{f}, onlyReader{r}) }

// WriteTo reads until the end and writes to w; io.Copy uses it. To a connection of aionet the system sends the file
// itself, where it can. It is ended as Read is, and as the Write of w.
func (f *File) WriteTo(w io.Writer) (int64, error) { return copyThrough(w, lent{f}) }

func copyThrough(w io.Writer, r io.Reader) (int64, error) {
	return scratch.Lend(buffers, func(buf []byte) (int64, error) { return io.CopyBuffer(w, r, buf) })
}

// These hide what io.Copy would call instead, which would be us again.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
