package aiofile

import (
	"context"
	"io/fs"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/env"
)

// CopyFS copies the tree of files fsys into the directory dir, which it creates if there is none, as os.CopyFS does: a
// file that exists is not written over but an error (fs.ErrExist), symbolic links are copied as such, and new files
// have the permission of their originals. To copy a directory, give it os.DirFS. fsys is used in a thread.
//
// If ctx ends before it has begun, CopyFS does nothing; after that it stops at the next file or directory. Then, and
// on an error, what has been copied stays.
func CopyFS(ctx context.Context, dir string, fsys fs.FS) error {
	_, err := alter(ctx, "copy", dir, func(files env.Files, stop func() bool) (asyncio.None, error) {
		return asyncio.None{}, files.CopyFS(dir, stoppable{fsys, stop})
	})
	return err
}

// stoppable is a file system from which nothing can be opened any more when somebody wants it to stop.
type stoppable struct {
	fs.FS
	stop func() bool
}

func (s stoppable) Open(name string) (fs.File, error) {
	if s.stop() {
		return nil, errStopped
	}
	return s.FS.Open(name)
}

func (s stoppable) ReadLink(name string) (string, error) { return fs.ReadLink(s.FS, name) }

func (s stoppable) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.FS, name) }

var _ fs.ReadLinkFS = stoppable{}
