package aiofile

import (
	"context"
	"io/fs"
	"os"

	"github.com/go-asyncio/asyncio"
)

// Stat describes the file with that name, behind symbolic links, as os.Stat does. If ctx ends first, Stat returns its
// cause.
func Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return lookup(ctx, "stat", name, func(func() bool) (fs.FileInfo, error) { return os.Stat(name) })
}

// Lstat is Stat that does not follow a symbolic link.
func Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return lookup(ctx, "lstat", name, func(func() bool) (fs.FileInfo, error) { return os.Lstat(name) })
}

// MkdirAll creates a directory, and those above it that do not exist, as os.MkdirAll does. If ctx ends before it has
// begun, MkdirAll returns its cause and creates none.
func MkdirAll(ctx context.Context, path string, perm fs.FileMode) error {
	return do(ctx, "mkdir", path, func() error { return os.MkdirAll(path, perm) })
}

// Rename gives a file another name, in the place of the one that has it, as os.Rename does. If ctx ends before it has
// begun, Rename returns its cause and does nothing.
func Rename(ctx context.Context, from, to string) error {
	return do(ctx, "rename", from, func() error { return os.Rename(from, to) })
}

// Remove removes a file or an empty directory, as os.Remove does. If ctx ends before it has begun, Remove returns its
// cause and removes nothing.
func Remove(ctx context.Context, name string) error {
	return do(ctx, "remove", name, func() error { return os.Remove(name) })
}

// RemoveAll removes a file, or a directory with all that is in it, as os.RemoveAll does: what does not exist is no
// error. If ctx ends first, RemoveAll returns its cause, and the thread goes on removing.
func RemoveAll(ctx context.Context, path string) error {
	_, err := lookup(ctx, "remove", path, func(func() bool) (asyncio.None, error) {
		return asyncio.None{}, os.RemoveAll(path)
	})
	return err
}

// do is alter for what is done in one step.
func do(ctx context.Context, op, name string, fn func() error) error {
	_, err := alter(ctx, op, name, func(func() bool) (asyncio.None, error) { return asyncio.None{}, fn() })
	return err
}
