package aiofile

import (
	"context"
	"io/fs"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// Stat describes the file with that name, behind symbolic links, as os.Stat does. If ctx ends first, Stat returns its
// cause.
func Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return lookup(ctx, "stat", name, func(files env.Files) (fs.FileInfo, error) { return files.Stat(name) })
}

// Lstat is Stat that does not follow a symbolic link.
func Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return lookup(ctx, "lstat", name, func(files env.Files) (fs.FileInfo, error) { return files.Lstat(name) })
}

// Readlink returns what a symbolic link refers to, as os.Readlink does. If ctx ends first, Readlink returns its cause.
func Readlink(ctx context.Context, name string) (string, error) {
	return lookup(ctx, "readlink", name, func(files env.Files) (string, error) { return files.Readlink(name) })
}

// Mkdir creates a directory, as os.Mkdir does. If ctx ends before it has begun, Mkdir returns its cause and creates
// none.
func Mkdir(ctx context.Context, name string, perm fs.FileMode) error {
	return do(ctx, "mkdir", name, func(files env.Files) error { return files.Mkdir(name, perm) })
}

// MkdirAll creates a directory, and those above it that do not exist, as os.MkdirAll does. If ctx ends before it has
// begun, MkdirAll returns its cause and creates none.
func MkdirAll(ctx context.Context, path string, perm fs.FileMode) error {
	return do(ctx, "mkdir", path, func(files env.Files) error { return files.MkdirAll(path, perm) })
}

// MkdirTemp creates a directory with a new name in the directory dir, os.TempDir if that is "", as os.MkdirTemp does,
// and returns its name. Who creates it removes it. If ctx ends first, MkdirTemp returns its cause, and no directory is
// left.
func MkdirTemp(ctx context.Context, dir, pattern string) (string, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return "", pathError("mkdir", pattern, err)
	}
	return look(ctx, l, "mkdir", pattern, func(func() bool) (string, error) { return l.Env.Files.MkdirTemp(dir, pattern) },
		func(name string) { _ = l.Env.Files.Remove(name) })
}

// Link gives a file another name, beside the one that it has, as os.Link does. If ctx ends before it has begun, Link
// returns its cause and does nothing.
func Link(ctx context.Context, from, to string) error {
	return do(ctx, "link", from, func(files env.Files) error { return files.Link(from, to) })
}

// Symlink creates a symbolic link with the name link, as os.Symlink does. If ctx ends before it has begun, Symlink
// returns its cause and does nothing.
func Symlink(ctx context.Context, target, link string) error {
	return do(ctx, "symlink", link, func(files env.Files) error { return files.Symlink(target, link) })
}

// Chmod changes the permission of a file, as os.Chmod does. If ctx ends before it has begun, Chmod returns its cause
// and does nothing.
func Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return do(ctx, "chmod", name, func(files env.Files) error { return files.Chmod(name, mode) })
}

// Chown changes the owner and the group of a file, as os.Chown does: -1 leaves one as it is. If ctx ends before it has
// begun, Chown returns its cause and does nothing.
func Chown(ctx context.Context, name string, uid, gid int) error {
	return do(ctx, "chown", name, func(files env.Files) error { return files.Chown(name, uid, gid) })
}

// Lchown is Chown that does not follow a symbolic link.
func Lchown(ctx context.Context, name string, uid, gid int) error {
	return do(ctx, "lchown", name, func(files env.Files) error { return files.Lchown(name, uid, gid) })
}

// Chtimes changes when a file was last read and written, as os.Chtimes does: the zero time leaves one as it is. If ctx
// ends before it has begun, Chtimes returns its cause and does nothing.
func Chtimes(ctx context.Context, name string, read, written time.Time) error {
	return do(ctx, "chtimes", name, func(files env.Files) error { return files.Chtimes(name, read, written) })
}

// Truncate makes a file size bytes long, as os.Truncate does. If ctx ends before it has begun, Truncate returns its
// cause and does nothing.
func Truncate(ctx context.Context, name string, size int64) error {
	return do(ctx, "truncate", name, func(files env.Files) error { return files.Truncate(name, size) })
}

// Rename gives a file another name, in the place of the one that has it, as os.Rename does. If ctx ends before it has
// begun, Rename returns its cause and does nothing.
func Rename(ctx context.Context, from, to string) error {
	return do(ctx, "rename", from, func(files env.Files) error { return files.Rename(from, to) })
}

// Remove removes a file or an empty directory, as os.Remove does. If ctx ends before it has begun, Remove returns its
// cause and removes nothing.
func Remove(ctx context.Context, name string) error {
	return do(ctx, "remove", name, func(files env.Files) error { return files.Remove(name) })
}

// RemoveAll removes a file, or a directory with all that is in it, as os.RemoveAll does: what does not exist is no
// error. If ctx ends first, RemoveAll returns its cause, and the thread goes on removing.
func RemoveAll(ctx context.Context, path string) error {
	_, err := lookup(ctx, "remove", path, func(files env.Files) (asyncio.None, error) {
		return asyncio.None{}, files.RemoveAll(path)
	})
	return err
}

// do is alter for what is done in one step.
func do(ctx context.Context, op, name string, fn func(files env.Files) error) error {
	_, err := alter(ctx, op, name, func(files env.Files, _ func() bool) (asyncio.None, error) {
		return asyncio.None{}, fn(files)
	})
	return err
}
