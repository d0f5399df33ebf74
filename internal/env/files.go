package env

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Files are the files of a program. The methods mean what the functions of package os of the same name do, may block,
// and are called in threads.
type Files interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	CreateTemp(dir, pattern string) (File, error)
	MkdirTemp(dir, pattern string) (string, error)

	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	Readlink(name string) (string, error)

	Mkdir(name string, perm fs.FileMode) error
	MkdirAll(path string, perm fs.FileMode) error
	Link(from, to string) error
	Symlink(target, link string) error
	Chmod(name string, mode fs.FileMode) error
	Chown(name string, uid, gid int) error
	Lchown(name string, uid, gid int) error
	Chtimes(name string, read, written time.Time) error
	Truncate(name string, size int64) error
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(path string) error

	// Lock locks an open file for it alone, or to share it, and reports false if another open file has a lock that does not
	// go with that. It does not wait. Of a file that has a lock it is not called again before Unlock. It is
	// errors.ErrUnsupported where there are no locks.
	Lock(f File, shared bool) (bool, error)
	Unlock(f File) error

	DirFS(dir string) fs.FS
	CopyFS(dir string, fsys fs.FS) error

	// SyncDir waits until what was created, renamed and removed in a directory is on the disk.
	SyncDir(name string) error
	// ReadCached returns the content of a file of at most so many bytes if it need not be waited for. It does not block,
	// and is called on the loop. Any other way to read the file may be tried if it reports false.
	ReadCached(name string, most int) ([]byte, bool)
}

// A File is an open file or directory. *os.File is one.
type File interface {
	fs.ReadDirFile
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.ReaderFrom
	// SyscallConn fails for what the system does not know.
	syscall.Conn
	Name() string
	Sync() error
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
}

// disks are the files of the system.
type disks struct{}

func (disks) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return file(os.OpenFile(name, flag, perm))
}

func (disks) CreateTemp(dir, pattern string) (File, error) { return file(os.CreateTemp(dir, pattern)) }

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disks) MkdirTemp(dir, pattern string) (string, error) { return os.MkdirTemp(dir, pattern) }
func (disks) Stat(name string) (fs.FileInfo, error)         { return os.Stat(name) }
func (disks) Lstat(name string) (fs.FileInfo, error)        { return os.Lstat(name) }
func (disks) Readlink(name string) (string, error)          { return os.Readlink(name) }
func (disks) Mkdir(name string, perm fs.FileMode) error     { return os.Mkdir(name, perm) }
func (disks) MkdirAll(path string, perm fs.FileMode) error  { return os.MkdirAll(path, perm) }
func (disks) Link(from, to string) error                    { return os.Link(from, to) }
func (disks) Symlink(target, link string) error             { return os.Symlink(target, link) }
func (disks) Chmod(name string, mode fs.FileMode) error     { return os.Chmod(name, mode) }
func (disks) Chown(name string, uid, gid int) error         { return os.Chown(name, uid, gid) }
func (disks) Lchown(name string, uid, gid int) error        { return os.Lchown(name, uid, gid) }
func (disks) Chtimes(name string, read, written time.Time) error {
	return os.Chtimes(name, read, written)
}
func (disks) Truncate(name string, size int64) error          { return os.Truncate(name, size) }
func (disks) Rename(from, to string) error                    { return os.Rename(from, to) }
func (disks) Remove(name string) error                        { return os.Remove(name) }
func (disks) RemoveAll(path string) error                     { return os.RemoveAll(path) }
func (disks) DirFS(dir string) fs.FS                          { return os.DirFS(dir) }
func (disks) CopyFS(dir string, fsys fs.FS) error             { return os.CopyFS(dir, fsys) }
func (disks) SyncDir(name string) error                       { return syncDir(name) }
func (disks) ReadCached(name string, most int) ([]byte, bool) { return readCached(name, most) }
