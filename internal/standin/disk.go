package standin

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/internal/env"
)

// A File is one of a world.
type File struct{ Content string }

// disk has the files of a world, in one directory.
type disk struct {
	env.Files // all that is not below: nil
	w         *World
}

func (d disk) OpenFile(name string, flag int, _ fs.FileMode) (env.File, error) {
	f := d.w.Files[name]
	switch {
	case f == nil && flag&os.O_CREATE == 0:
		return nil, missing("open", name)
	case f == nil:
		f = &File{}
		d.w.Files[name] = f
	case flag&os.O_TRUNC != 0:
		f.Content = ""
	}
	d.w.note("open %s", name)
	o := &openFile{w: d.w, File: f, name: name}
	if flag&os.O_APPEND != 0 {
		o.pos = int64(len(f.Content))
	}
	return o, nil
}

func (d disk) Stat(name string) (fs.FileInfo, error) {
	if f := d.w.Files[name]; f != nil {
		return fileInfo{name, len(f.Content)}, nil
	}
	return nil, missing("stat", name)
}

func (d disk) Lstat(name string) (fs.FileInfo, error) { return d.Stat(name) }

func (d disk) Rename(from, to string) error {
	d.w.note("rename %s to %s", from, to)
	d.w.Files[to] = d.w.Files[from]
	return d.Remove(from)
}

func (d disk) Remove(name string) error {
	if d.w.Files[name] == nil {
		return missing("remove", name)
	}
	delete(d.w.Files, name)
	return nil
}

func (d disk) SyncDir(string) error { return nil }

func (d disk) ReadCached(name string, most int) ([]byte, bool) {
	f := d.w.Files[name]
	if f == nil || len(f.Content) > most {
		return nil, false
	}
	return []byte(f.Content), true
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// openFile is a file that is open.
type openFile struct {
	rest
	*File
	w    *World
	name string
	pos  int64
}

// rest is what an openFile has not: nil.
type rest struct{ env.File }

func (f *openFile) Name() string { return f.name }

func (f *openFile) ReadAt(p []byte, at int64) (int, error) {
	return strings.NewReader(f.Content).ReadAt(p, at)
}

func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *openFile) Seek(to int64, whence int) (int64, error) {
	r := strings.NewReader(f.Content)
	_, _ = r.Seek(f.pos, io.SeekStart)
	var err error
	f.pos, err = r.Seek(to, whence)
	return f.pos, err
}

// Write does not leave holes.
func (f *openFile) Write(p []byte) (int, error) {
	f.w.note("write %d bytes to %s", len(p), f.name)
	until := min(f.pos+int64(len(p)), int64(len(f.Content)))
	f.Content = f.Content[:f.pos] + string(p) + f.Content[until:]
	f.pos += int64(len(p))
	return len(p), nil
}

func (f *openFile) Sync() error { return nil }

func (f *openFile) Close() error { return nil }

func (f *openFile) Stat() (fs.FileInfo, error) { return fileInfo{f.name, len(f.Content)}, nil }

func (f *openFile) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

type fileInfo struct {
	name string
	size int
}

func (i fileInfo) Name() string     { return i.name }
func (i fileInfo) Size() int64      { return int64(i.size) }
func (fileInfo) Mode() fs.FileMode  { return 0o600 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }
