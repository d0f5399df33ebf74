//go:build unix

package aiofile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestNames_changeWhatPackageOsChanges(t *testing.T) {
	name := fileWith(t, "12345")
	dir := filepath.Dir(name)
	link, hard, sub := filepath.Join(dir, "link"), filepath.Join(dir, "hard"), filepath.Join(dir, "sub")
	read, written := time.Unix(1_000_000_000, 0), time.Unix(1_100_000_000, 5000)
	onLoop(t, func(ctx context.Context) error {
		err := errors.Join(
			aiofile.Mkdir(ctx, sub, 0o700),
			aiofile.Symlink(ctx, "file", link),
			aiofile.Link(ctx, name, hard),
			aiofile.Chmod(ctx, link, 0o640),
			aiofile.Chown(ctx, link, os.Getuid(), os.Getgid()),
			aiofile.Lchown(ctx, link, -1, os.Getgid()),
			aiofile.Truncate(ctx, link, 3),
			aiofile.Chtimes(ctx, link, read, written),
		)
		if to, err := aiofile.Readlink(ctx, link); to != "file" || err != nil {
			t.Errorf("Readlink = %q, %v", to, err)
		}
		wantPathError(t, aiofile.Mkdir(ctx, filepath.Join(dir, "none", "sub"), 0o700), filepath.Join(dir, "none", "sub"), fs.ErrNotExist)
		if err := aiofile.Link(ctx, name, hard); !errors.As(err, new(*os.LinkError)) || !errors.Is(err, fs.ErrExist) {
			t.Errorf("Link with a name that is taken: %v (%T), want os's *LinkError", err, err)
		}
		return err
	})
	wantContent(t, hard, "123")
	wantOnly(t, dir, "file", "hard", "link", "sub")
	info, err := os.Stat(hard)
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(written) {
		t.Errorf("the file has %v, written at %v, %v", info.Mode(), info.ModTime(), err)
	}
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != os.Getuid() || int(s.Gid) != os.Getgid() || s.Nlink != 2 {
		t.Errorf("the file is of %d:%d and has %d names", s.Uid, s.Gid, s.Nlink)
	}
}

func TestMkdirTemp_takesANewName(t *testing.T) {
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		a, err := aiofile.MkdirTemp(ctx, dir, "x*y")
		b, failed := aiofile.MkdirTemp(ctx, dir, "x*y")
		if a == b || !strings.HasPrefix(a, filepath.Join(dir, "x")) || !strings.HasSuffix(b, "y") {
			t.Errorf("the names are %s and %s", a, b)
		}
		return errors.Join(err, failed, aiofile.Remove(ctx, a), aiofile.Remove(ctx, b))
	})
}

func TestMkdirTemp_cancelledInTheThread_leavesNoDirectory(t *testing.T) {
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		for i := range 200 {
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				name, err := aiofile.MkdirTemp(ctx, dir, "temp")
				if err == nil {
					os.Remove(name)
				}
				return nil
			})
			for range i % 4 {
				_ = asyncio.Yield(ctx)
			}
			task.Cancel()
			_, _ = task.Await(ctx)
		}
		return asyncio.RunningLoop(ctx).ShutdownThreads(ctx) // also those that nobody waits for
	})
	wantOnly(t, dir)
}

func TestFile_chmodAndChown_changeTheFileInBothWorlds(t *testing.T) {
	name := fileWith(t, "")
	wantMode := func(want fs.FileMode) {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("the file has %v, %v; want %v", info.Mode(), err, want)
		}
	}
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		err := errors.Join(f.Chmod(0o600), f.Chown(-1, os.Getgid()))
		wantMode(0o600)
		_, failed := asyncio.ToThread(ctx, func() (int, error) { return 0, f.Chmod(0o640) })
		wantMode(0o640)
		return errors.Join(err, failed)
	})
}

func TestFile_syscallConn_hasTheDescriptor(t *testing.T) {
	name := fileWith(t, "12345")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		failed := raw.Control(func(fd uintptr) { err = syscall.Fstat(int(fd), &s) })
		if s.Size != 5 {
			t.Errorf("the descriptor is that of a file of %d bytes", s.Size)
		}
		return errors.Join(err, failed)
	})
}
