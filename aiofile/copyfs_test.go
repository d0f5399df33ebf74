package aiofile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestCopyFS_copiesATreeAndReplacesNothing(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	onLoop(t, func(ctx context.Context) error {
		err := errors.Join(
			aiofile.MkdirAll(ctx, filepath.Join(src, "a", "b"), 0o755),
			aiofile.WriteFile(ctx, filepath.Join(src, "a", "b", "file"), []byte("content"), 0o644),
			aiofile.Symlink(ctx, "b/file", filepath.Join(src, "a", "link")),
			aiofile.CopyFS(ctx, dir, aiofile.DirFS(ctx, src)),
		)
		again := aiofile.CopyFS(ctx, dir, os.DirFS(src))
		wantPathError(t, again, filepath.Join(dir, "a", "b", "file"), fs.ErrExist)
		return err
	})
	wantContent(t, filepath.Join(dir, "a", "link"), "content")
	if to, err := os.Readlink(filepath.Join(dir, "a", "link")); to != "b/file" {
		t.Errorf("the link was copied as one to %q, %v", to, err)
	}
}

// gateFS is a file system in which the opening of a file waits.
type gateFS struct {
	fs.FS
	gate        string
	began, goOn chan struct{}
}

func (g gateFS) Open(name string) (fs.File, error) {
	if name == g.gate {
		close(g.began)
		<-g.goOn
	}
	return g.FS.Open(name)
}

func TestCopyFS_cancelled_endsWithTheFileThatItIsAt(t *testing.T) {
	tree := fstest.MapFS{"a": {Data: []byte("A")}, "b": {Data: []byte("B")}, "c": {Data: []byte("C")}}
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		g := gateFS{tree, "b", make(chan struct{}), make(chan struct{})}
		task := asyncio.Go(ctx, func(ctx context.Context) error { return aiofile.CopyFS(ctx, dir, g) })
		_, _, _ = asyncio.Recv(ctx, g.began)
		task.Cancel()
		_ = asyncio.Yield(ctx)
		close(g.goOn)
		_, err := task.Await(ctx)
		wantPathError(t, err, dir, context.Canceled)
		return nil
	})
	wantContent(t, filepath.Join(dir, "b"), "B")
	wantOnly(t, dir, "a", "b")
}
