package aiofile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/lowlevel"
)

func TestReadFile_returnsWhatOsReadFileDoes(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 1 << 20, 1<<20 + 1, 3<<20 + 5} {
		content := strings.Repeat("x", size)
		name := fileWith(t, content)
		onLoop(t, func(ctx context.Context) error {
			got, err := aiofile.ReadFile(ctx, name)
			if string(got) != content {
				t.Errorf("a file of %d bytes gave %d", size, len(got))
			}
			return err
		})
	}
	onLoop(t, func(ctx context.Context) error {
		dir := t.TempDir()
		_, err := aiofile.ReadFile(ctx, dir)
		wantPathError(t, err, dir, errIsDir)
		missing := filepath.Join(dir, "missing")
		_, err = aiofile.ReadFile(ctx, missing)
		wantPathError(t, err, missing, fs.ErrNotExist)
		return nil
	})
}

func TestWriteFile_createsEmptiesAndReplaces(t *testing.T) {
	for _, opts := range [][]aiofile.WriteOption{nil, {aiofile.Atomic()}} {
		t.Run(fmt.Sprintf("%d options", len(opts)), func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "file")
			onLoop(t, func(ctx context.Context) error {
				for _, content := range []string{"first, and long", "second", "", strings.Repeat("x", 3<<20)} {
					if err := aiofile.WriteFile(ctx, name, []byte(content), 0o640, opts...); err != nil {
						return err
					}
					wantContent(t, name, content)
					wantOnly(t, dir, "file")
				}
				missing := filepath.Join(dir, "missing", "file")
				err := aiofile.WriteFile(ctx, missing, nil, 0o600, opts...)
				var p *fs.PathError
				if !errors.As(err, &p) || !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("into a directory that does not exist: %v", err)
				}
				return nil
			})
		})
	}
}

func TestWriteFile_atomic_keepsPermissionAndFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "sub", "target")
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	os.Mkdir(filepath.Dir(target), 0o755)
	os.WriteFile(target, []byte("old"), 0o600)
	os.Chmod(target, 0o751)
	os.Symlink("sub/../sub/target", link)
	os.Symlink("sub/new", dangling)
	onLoop(t, func(ctx context.Context) error {
		if err := aiofile.WriteFile(ctx, link, []byte("new"), 0o600, aiofile.Atomic()); err != nil {
			return err
		}
		return aiofile.WriteFile(ctx, dangling, []byte("made"), 0o666, aiofile.Atomic())
	})
	wantContent(t, target, "new")
	wantContent(t, filepath.Join(dir, "sub", "new"), "made")
	wantOnly(t, dir, "dangling", "link", "sub")
	wantOnly(t, filepath.Dir(target), "new", "target")
	if info, _ := os.Stat(target); info.Mode() != 0o751 {
		t.Errorf("the permission is %v after replacing a file with -rwxr-x--x", info.Mode())
	}
	if info, _ := os.Lstat(link); info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced, and not what it points to")
	}
	os.WriteFile(filepath.Join(dir, "umask"), nil, 0o666)
	made, _ := os.Stat(filepath.Join(dir, "sub", "new"))
	if plain, _ := os.Stat(filepath.Join(dir, "umask")); made.Mode() != plain.Mode() {
		t.Errorf("a new file has %v, os.WriteFile gives %v", made.Mode(), plain.Mode())
	}
}

func TestWriteFile_atomic_replacesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	os.Symlink("loop", loop)
	onLoop(t, func(ctx context.Context) error {
		for _, name := range []string{dir, os.DevNull, loop} {
			err := aiofile.WriteFile(ctx, name, []byte("x"), 0o600, aiofile.Atomic())
			var p *fs.PathError
			if !errors.As(err, &p) || !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("replacing %s: %v, want a PathError that is fs.ErrInvalid", name, err)
			}
		}
		return nil
	})
	wantOnly(t, dir, "loop")
}

func TestWriteFile_atomic_stopped_leavesTheOldFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	os.WriteFile(name, []byte("old"), 0o600)
	for step := range 4 { // after each mebibyte, and before the new file gets the name
		asked := 0
		stop := func() bool { asked++; return asked > step }
		err := aiofile.WriteAtomic(stop, name, bytes.Repeat([]byte("n"), 4<<20))
		if err != aiofile.ErrStopped {
			t.Errorf("stopped at step %d: %v", step, err)
		}
		wantContent(t, name, "old")
		wantOnly(t, dir, "file")
	}
}

func TestWriteFile_cancelledBefore_doesNothing(t *testing.T) {
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			var never lowlevel.WaitQueue
			_ = never.WaitOutside(ctx, nothing{})
			name := filepath.Join(dir, "file")
			for op, err := range map[string]error{
				"WriteFile":  aiofile.WriteFile(ctx, name, nil, 0o600),
				"atomic":     aiofile.WriteFile(ctx, name, nil, 0o600, aiofile.Atomic()),
				"AppendFile": aiofile.AppendFile(ctx, name, nil, 0o600),
				"MkdirAll":   aiofile.MkdirAll(ctx, name, 0o700),
				"Mkdir":      aiofile.Mkdir(ctx, name, 0o700),
				"Symlink":    aiofile.Symlink(ctx, dir, name),
				"CopyFS":     aiofile.CopyFS(ctx, name, os.DirFS(dir)),
				"Chtimes":    aiofile.Chtimes(ctx, dir, time.Time{}, time.Time{}),
				"Remove":     aiofile.Remove(ctx, dir),
				"RemoveAll":  aiofile.RemoveAll(ctx, dir),
				"Rename":     aiofile.Rename(ctx, dir, dir+"x"),
			} {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s under a done context: %v", op, err)
				}
			}
			return nil
		})
		_ = asyncio.Yield(ctx)
		task.Cancel()
		_, err := task.Await(ctx)
		return err
	})
	wantOnly(t, dir)
}

func TestAppendFile_addsAtTheEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	onLoop(t, func(ctx context.Context) error {
		return errors.Join(
			aiofile.AppendFile(ctx, name, []byte("one\n"), 0o600),
			aiofile.AppendFile(ctx, name, []byte("two\n"), 0o600))
	})
	wantContent(t, name, "one\ntwo\n")
}

func TestNames_doWhatPackageOsDoes(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	onLoop(t, func(ctx context.Context) error {
		if err := aiofile.MkdirAll(ctx, deep, 0o755); err != nil {
			return err
		}
		file, link := filepath.Join(deep, "file"), filepath.Join(deep, "link")
		if err := aiofile.WriteFile(ctx, file, []byte("12345"), 0o644); err != nil {
			return err
		}
		os.Symlink("file", link)
		if info, err := aiofile.Stat(ctx, link); err != nil || info.Size() != 5 || !info.Mode().IsRegular() {
			t.Errorf("Stat = %v, %v", info, err)
		}
		if info, err := aiofile.Lstat(ctx, link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("Lstat = %v, %v", info, err)
		}
		if err := aiofile.Rename(ctx, file, filepath.Join(dir, "moved")); err != nil {
			t.Error(err)
		}
		err := aiofile.Rename(ctx, file, dir)
		if le := (*os.LinkError)(nil); !errors.As(err, &le) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Rename of what is gone: %v (%T), want os's *LinkError", err, err)
		}
		wantPathError(t, aiofile.Remove(ctx, filepath.Join(dir, "a")), filepath.Join(dir, "a"), fs.ErrExist)
		wantPathError(t, aiofile.MkdirAll(ctx, filepath.Join(dir, "moved", "x"), 0o700), filepath.Join(dir, "moved"), errNotDir)
		_, err = aiofile.Stat(ctx, file)
		wantPathError(t, err, file, fs.ErrNotExist)
		if err := aiofile.RemoveAll(ctx, filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantOnly(t, dir, "moved")
		return errors.Join(aiofile.RemoveAll(ctx, file), aiofile.Remove(ctx, filepath.Join(dir, "moved")))
	})
	wantOnly(t, dir)
}

func TestCopy_copiesContentAndPermission(t *testing.T) {
	content := strings.Repeat("abcdefgh", 5<<20) // 40 MiB: several steps
	for _, opts := range [][]aiofile.WriteOption{nil, {aiofile.Atomic()}} {
		src := fileWith(t, content)
		os.Chmod(src, 0o750)
		dir := t.TempDir()
		dst := filepath.Join(dir, "dst")
		onLoop(t, func(ctx context.Context) error {
			n, err := aiofile.Copy(ctx, dst, src, opts...)
			if n != int64(len(content)) {
				t.Errorf("Copy = %d, %v", n, err)
			}
			if info, _ := os.Stat(dst); info.Mode() != 0o750 {
				t.Errorf("the copy of a -rwxr-x--- file has %v", info.Mode())
			}
			small := fileWith(t, "small")
			if n, err := aiofile.Copy(ctx, dst, small, opts...); n != 5 || err != nil {
				t.Errorf("Copy over a larger file = %d, %v", n, err)
			}
			wantContent(t, dst, "small")
			wantOnly(t, dir, "dst")
			return err
		})
	}
}

func TestCopy_refusesWhatWouldDestroy(t *testing.T) {
	name := fileWith(t, "precious")
	dir := filepath.Dir(name)
	link := filepath.Join(dir, "link")
	os.Symlink("file", link)
	onLoop(t, func(ctx context.Context) error {
		_, err := aiofile.Copy(ctx, name, name)
		wantPathError(t, err, name, fs.ErrInvalid)
		_, err = aiofile.Copy(ctx, link, name)
		wantPathError(t, err, link, fs.ErrInvalid)
		_, err = aiofile.Copy(ctx, filepath.Join(dir, "new"), dir)
		wantPathError(t, err, dir, errIsDir)
		missing := filepath.Join(dir, "missing")
		_, err = aiofile.Copy(ctx, filepath.Join(dir, "new"), missing)
		wantPathError(t, err, missing, fs.ErrNotExist)
		return nil
	})
	wantContent(t, name, "precious")
	wantOnly(t, dir, "file", "link")
}

func TestCopy_stopped_removesWhatItHasMade(t *testing.T) {
	src := fileWith(t, strings.Repeat("x", 40<<20))
	dir := t.TempDir()
	fresh, old := filepath.Join(dir, "fresh"), filepath.Join(dir, "old")
	os.WriteFile(old, []byte("old"), 0o600)
	stop := func() bool { return true }
	if n, err := aiofile.CopyFile(stop, fresh, src, nil); n != 16<<20 || err != aiofile.ErrStopped {
		t.Errorf("a Copy that is stopped after a step = %d, %v", n, err)
	}
	if _, err := aiofile.CopyFile(stop, old, src, []aiofile.WriteOption{aiofile.Atomic()}); err != aiofile.ErrStopped {
		t.Errorf("an atomic Copy that is stopped: %v", err)
	}
	wantContent(t, old, "old")
	wantOnly(t, dir, "old")
}
