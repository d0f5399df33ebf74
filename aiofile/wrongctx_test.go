package aiofile_test

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/wrongctx"
)

// failure returns the first error of a range.
func failure[T any](rows iter.Seq2[T, error]) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestFunctions_withAContextThatIsNotTheRunningTasks_sayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrongctx.Test(t, map[string]func(ctx context.Context) error{
		"Open":       func(ctx context.Context) error { _, err := aiofile.Open(ctx, name); return err },
		"Create":     func(ctx context.Context) error { _, err := aiofile.Create(ctx, name); return err },
		"CreateTemp": func(ctx context.Context) error { _, err := aiofile.CreateTemp(ctx, dir, "x"); return err },
		"MkdirTemp":  func(ctx context.Context) error { _, err := aiofile.MkdirTemp(ctx, dir, "x"); return err },
		"ReadFile":   func(ctx context.Context) error { _, err := aiofile.ReadFile(ctx, name); return err },
		"WriteFile":  func(ctx context.Context) error { return aiofile.WriteFile(ctx, name, nil, 0o600) },
		"AppendFile": func(ctx context.Context) error { return aiofile.AppendFile(ctx, name, nil, 0o600) },
		"Copy":       func(ctx context.Context) error { _, err := aiofile.Copy(ctx, name+"2", name); return err },
		"CopyFS":     func(ctx context.Context) error { return aiofile.CopyFS(ctx, dir+"2", os.DirFS(dir)) },
		"ReadDir":    func(ctx context.Context) error { _, err := aiofile.ReadDir(ctx, dir); return err },
		"WalkDir":    func(ctx context.Context) error { return failure(aiofile.WalkDir(ctx, dir)) },
		"Stat":       func(ctx context.Context) error { _, err := aiofile.Stat(ctx, name); return err },
		"Lstat":      func(ctx context.Context) error { _, err := aiofile.Lstat(ctx, name); return err },
		"Readlink":   func(ctx context.Context) error { _, err := aiofile.Readlink(ctx, name); return err },
		"Mkdir":      func(ctx context.Context) error { return aiofile.Mkdir(ctx, name+"3", 0o700) },
		"MkdirAll":   func(ctx context.Context) error { return aiofile.MkdirAll(ctx, name+"3", 0o700) },
		"Link":       func(ctx context.Context) error { return aiofile.Link(ctx, name, name+"4") },
		"Symlink":    func(ctx context.Context) error { return aiofile.Symlink(ctx, name, name+"4") },
		"Chmod":      func(ctx context.Context) error { return aiofile.Chmod(ctx, name, 0o600) },
		"Chown":      func(ctx context.Context) error { return aiofile.Chown(ctx, name, -1, -1) },
		"Lchown":     func(ctx context.Context) error { return aiofile.Lchown(ctx, name, -1, -1) },
		"Chtimes":    func(ctx context.Context) error { return aiofile.Chtimes(ctx, name, time.Time{}, time.Time{}) },
		"Truncate":   func(ctx context.Context) error { return aiofile.Truncate(ctx, name, 0) },
		"Rename":     func(ctx context.Context) error { return aiofile.Rename(ctx, name, name+"5") },
		"Remove":     func(ctx context.Context) error { return aiofile.Remove(ctx, name) },
		"RemoveAll":  func(ctx context.Context) error { return aiofile.RemoveAll(ctx, name) },
		"Stdin":      func(ctx context.Context) error { _, err := aiofile.Stdin(ctx); return err },
		"Stdout":     func(ctx context.Context) error { _, err := aiofile.Stdout(ctx); return err },
		"Stderr":     func(ctx context.Context) error { _, err := aiofile.Stderr(ctx); return err },
		"OpenPipe":   func(ctx context.Context) error { _, _, err := aiofile.OpenPipe(ctx); return err },
		"OpenPTY":    func(ctx context.Context) error { _, _, err := aiofile.OpenPTY(ctx); return err },
		"NewPipe": func(ctx context.Context) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close() // as NewPipe has failed
			_, err = aiofile.NewPipe(ctx, f)
			return err
		},
	})
	if _, err := os.Stat(name); err != nil {
		t.Errorf("a call did what it could not: %v", err)
	}
}
