package aiofile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// DirFS returns the tree of files below a directory as an fs.FS whose calls are awaited; see [FS]. What it opens is a
// *File: what the page cache has is read on the loop.
func DirFS(ctx context.Context, dir string) fs.FS {
	l := engine.MustLoopOf("aiofile", ctx)
	return &threadFS{l, l.Env.Files.DirFS(dir), true}
}

// FS returns a file system with the files of fsys whose calls, and those on what it opens, do not hold the loop: in
// coroutines they are made in threads, and obey the innermost block of the running task; on other goroutines they are
// made right there. So fs.WalkDir, template.ParseFS or http.FileServerFS may be used on the loop with any fs.FS.
// It panics if it is not called on the loop.
//
// A Read of what is no *os.File in fsys loses what it got when it is cancelled: close the file then.
func FS(ctx context.Context, fsys fs.FS) fs.FS {
	if fsys == nil {
		panic("aiofile: FS: the fs.FS is nil")
	}
	return &threadFS{engine.MustLoopOf("aiofile", ctx), fsys, false}
}

type threadFS struct {
	loop *engine.Loop
	fs   fs.FS
	own  bool // the environment's
}

func (t *threadFS) Open(name string) (fs.File, error) {
	open := func() (fs.File, error) { return t.fs.Open(name) }
	ctx := t.loop.CurrentContext()
	var f fs.File
	var err error
	if ctx == nil {
		f, err = plainly(t.loop, "open", name, open)
	} else {
		f, err = look(ctx, t.loop, "open", name, func(func() bool) (fs.File, error) { return open() },
			func(f fs.File) { f.Close() })
	}
	if err != nil {
		return nil, err
	}
	return t.wrap(name, f)
}

// wrap lets the calls on f be awaited.
func (t *threadFS) wrap(name string, f fs.File) (fs.File, error) {
	file, ok := f.(env.File)
	if _, system := f.(*os.File); ok && (system || t.own) { // others' may only look like one, by what they embed
		o, err := lookFrom(t.loop, "stat", name, func() (opened, error) { return stated(file) })
		if err != nil {
			file.Close()
			return nil, err
		}
		return adopt(t.loop, o, false)
	}
	w := &threadFile{loop: t.loop, name: name, file: f}
	if s, ok := f.(io.Seeker); ok {
		return &seekingFile{w, s}, nil
	}
	return w, nil
}

func (t *threadFS) ReadFile(name string) ([]byte, error) {
	return lookFrom(t.loop, "read", name, func() ([]byte, error) { return fs.ReadFile(t.fs, name) })
}

func (t *threadFS) Stat(name string) (fs.FileInfo, error) {
	return lookFrom(t.loop, "stat", name, func() (fs.FileInfo, error) { return fs.Stat(t.fs, name) })
}

func (t *threadFS) Lstat(name string) (fs.FileInfo, error) {
	return lookFrom(t.loop, "lstat", name, func() (fs.FileInfo, error) { return fs.Lstat(t.fs, name) })
}

func (t *threadFS) ReadLink(name string) (string, error) {
	return lookFrom(t.loop, "readlink", name, func() (string, error) { return fs.ReadLink(t.fs, name) })
}

func (t *threadFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := lookFrom(t.loop, "readdir", name, func() ([]fs.DirEntry, error) { return fs.ReadDir(t.fs, name) })
	return awaited(t.loop, entries), err
}

func (t *threadFS) Glob(pattern string) ([]string, error) {
	return lookFrom(t.loop, "glob", pattern, func() ([]string, error) { return fs.Glob(t.fs, pattern) })
}

func (t *threadFS) Sub(dir string) (fs.FS, error) {
	sub, err := lookFrom(t.loop, "sub", dir, func() (fs.FS, error) { return fs.Sub(t.fs, dir) })
	if err != nil {
		return nil, err
	}
	return &threadFS{t.loop, sub, t.own}, nil
}

// threadFile is a file of any fs.FS. It is one call's at a time.
type threadFile struct {
	loop *engine.Loop
	name string
	file fs.File
	mu   sync.Mutex // locked in threads
}

func (f *threadFile) Stat() (fs.FileInfo, error) { return inFile(f, "stat", f.file.Stat) }

func (f *threadFile) Read(p []byte) (n int, err error) {
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return inFile(f, "read", func() (int, error) { return f.file.Read(p) })
	}
	p = p[:min(len(p), onLoop)] // one Read: the next might wait
	c := &call{fn: func(c *call) {
		f.mu.Lock()
		defer f.mu.Unlock()
		k, failed := fill(c, p, f.file.Read)
		c.settle(func() { n, err = k, failed })
	}}
	if failed := c.await(ctx, f.loop); failed != nil {
		return 0, pathError("read", f.name, failed)
	}
	return n, err
}

func (f *threadFile) ReadDir(n int) ([]fs.DirEntry, error) {
	d, ok := f.file.(fs.ReadDirFile)
	if !ok {
		return nil, pathError("readdir", f.name, fs.ErrInvalid)
	}
	entries, err := inFile(f, "readdir", func() ([]fs.DirEntry, error) { return d.ReadDir(n) })
	return awaited(f.loop, entries), err
}

func (f *threadFile) Close() error {
	if ctx := f.loop.CurrentContext(); ctx != nil {
		return closeInThread(ctx, lockedCloser{f})
	}
	return lockedCloser{f}.Close()
}

type lockedCloser struct{ f *threadFile }

func (c lockedCloser) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return c.f.file.Close()
}

// seekingFile is a threadFile that is an io.Seeker, which http.FileServer needs.
type seekingFile struct {
	*threadFile
	seeker io.Seeker
}

func (f *seekingFile) Seek(offset int64, whence int) (int64, error) {
	return inFile(f.threadFile, "seek", func() (int64, error) { return f.seeker.Seek(offset, whence) })
}

// inFile is lookFrom, one at a time.
func inFile[T any](f *threadFile, op string, fn func() (T, error)) (T, error) {
	return lookFrom(f.loop, op, f.name, func() (T, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return fn()
	})
}

var _ interface {
	fs.ReadFileFS
	fs.StatFS
	fs.ReadDirFS
	fs.GlobFS
	fs.SubFS
	fs.ReadLinkFS
} = (*threadFS)(nil)
