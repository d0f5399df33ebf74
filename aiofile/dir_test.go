package aiofile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// tree makes a tree of files and returns its root.
func tree(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	for _, name := range []string{"b/2", "b/1", "b/deep/er/file", "a.txt", "c/x", "a/z", "b.txt"} {
		name = filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(root, "empty"), 0o755)
	os.Symlink("b", filepath.Join(root, "link"))
	return root
}

func TestReadDir_isSortedAndItsInfoIsAwaited(t *testing.T) {
	root := tree(t)
	onLoop(t, func(ctx context.Context) error {
		entries, err := aiofile.ReadDir(ctx, root)
		want, _ := os.ReadDir(root)
		if fmt.Sprint(entries) != fmt.Sprint(want) {
			t.Errorf("ReadDir = %v, want %v", entries, want)
		}
		for i, e := range entries {
			got, err := e.Info()
			info, _ := want[i].Info()
			if err != nil || got.Size() != info.Size() || got.Mode() != info.Mode() {
				t.Errorf("Info of %s = %v, %v", e.Name(), got, err)
			}
		}
		os.Remove(filepath.Join(root, "a.txt"))
		if _, err := entries[1].Info(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Info of what is gone: %v", err)
		}
		file := filepath.Join(root, "b.txt")
		_, err2 := aiofile.ReadDir(ctx, file)
		wantPathError(t, err2, file, errNotDir)
		return err
	})
}

func TestReadDir_ofAHugeDirectory_leavesTheLoopToOthers(t *testing.T) {
	const files = 5000
	dir := t.TempDir()
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	onLoop(t, func(ctx context.Context) error {
		turns, over := 0, false
		ticker := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; !over; turns++ {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		entries, err := aiofile.ReadDir(ctx, dir)
		during := turns
		seen := 0
		for _, err := range aiofile.WalkDir(ctx, dir) {
			if err != nil {
				return err
			}
			seen++
		}
		over = true
		if len(entries) != files || seen != files+1 || err != nil {
			t.Errorf("ReadDir gave %d entries, WalkDir %d, %v; want %d", len(entries), seen, err, files)
		}
		if during == 0 || turns-during < files/100 {
			t.Errorf("another task had %d turns while the directory was read, %d while it was walked", during, turns-during)
		}
		_, err = ticker.Await(ctx)
		return err
	})
}

func TestWalkDir_walksAsFilepathWalkDirDoes(t *testing.T) {
	root := tree(t)
	for _, from := range []string{root, filepath.Join(root, "a.txt"), filepath.Join(root, "link")} {
		var want, got []string
		filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			want = append(want, fmt.Sprint(path, d.IsDir(), err))
			if d.Name() == "deep" {
				return fs.SkipDir
			}
			return nil
		})
		onLoop(t, func(ctx context.Context) error {
			for e, err := range aiofile.WalkDir(ctx, from) {
				got = append(got, fmt.Sprint(e.Path, e.IsDir(), err))
				if e.Name() == "deep" {
					e.SkipDir()
				}
			}
			return nil
		})
		if !slices.Equal(got, want) {
			t.Errorf("WalkDir gave\n%s\nfilepath.WalkDir\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestWalkDir_failures(t *testing.T) {
	root := tree(t)
	onLoop(t, func(ctx context.Context) error {
		rounds := 0
		for e, err := range aiofile.WalkDir(ctx, root+"x") {
			rounds++
			if e != nil {
				t.Errorf("an entry for a root that does not exist: %v", e)
			}
			wantPathError(t, err, root+"x", fs.ErrNotExist)
		}
		var seen []string
		for e, err := range aiofile.WalkDir(ctx, root) {
			if e.Name() == "b" && err == nil {
				os.RemoveAll(e.Path) // which is read after this round
			} else if err != nil {
				wantPathError(t, err, filepath.Join(root, "b"), fs.ErrNotExist)
			}
			seen = append(seen, fmt.Sprint(e.Name(), err != nil))
		}
		if want := "root/false a/false z/false a.txt/false b/false b/true b.txt/false c/false x/false empty/false link/false"; strings.Join(seen, " ") != strings.ReplaceAll(want, "/", "") {
			t.Errorf("the walk came to %v", seen)
		}
		for e := range aiofile.WalkDir(ctx, root) {
			if e.Name() == "a.txt" {
				break
			}
		}
		if rounds != 1 {
			t.Errorf("a root that does not exist came %d times", rounds)
		}
		return nil
	})
}

func TestWalkDir_cancelled_lastRoundHasTheCause(t *testing.T) {
	root := tree(t)
	onLoop(t, func(ctx context.Context) error {
		var after []error
		var task *asyncio.Task[asyncio.None]
		task = asyncio.Go(ctx, func(ctx context.Context) error {
			for e, err := range aiofile.WalkDir(ctx, root) {
				if e != nil && e.Name() == "a" {
					task.Cancel()
				} else if e == nil {
					after = append(after, err)
				} else if len(after) > 0 || e.Path == filepath.Join(root, "a", "z") {
					t.Errorf("the cancelled walk went on to %s", e.Path)
				}
			}
			return nil
		})
		_, err := task.Await(ctx)
		if len(after) != 1 || !errors.Is(after[0], context.Canceled) {
			t.Errorf("the cancelled walk ended with %v, want the cause once", after)
		}
		return err
	})
}

func TestFS_isAFileSystemAsFstestWantsIt(t *testing.T) {
	names := []string{"a.txt", "b/1", "b/deep/er/file"}
	memory := fstest.MapFS{}
	for _, name := range names {
		memory[name] = &fstest.MapFile{Data: []byte(strings.Repeat(name, 200))}
	}
	root := tree(t)
	os.Remove(filepath.Join(root, "link"))
	onLoop(t, func(ctx context.Context) error {
		for name, fsys := range map[string]fs.FS{"DirFS": aiofile.DirFS(ctx, root), "MapFS": aiofile.FS(ctx, memory)} {
			if err := fstest.TestFS(fsys, names...); err != nil {
				t.Errorf("%s in a coroutine: %v", name, err)
			}
			if sub, err := fs.Sub(fsys, "b"); err != nil || fstest.TestFS(sub, "1") != nil {
				t.Errorf("%s: a sub-tree: %v", name, err)
			}
			_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
				return asyncio.None{}, fstest.TestFS(fsys, names...)
			})
			if err != nil {
				t.Errorf("%s on a goroutine: %v", name, err)
			}
		}
		if f, err := aiofile.DirFS(ctx, root).Open("a.txt"); err != nil {
			t.Error(err)
		} else if _, ok := f.(*aiofile.File); !ok {
			t.Errorf("DirFS opens a %T, want *aiofile.File", f)
		}
		mustPanic(t, "FS: the fs.FS is nil", func() { aiofile.FS(ctx, nil) })
		return nil
	})
}

func TestFS_cancelledRead_leavesTheBufferAloneAndTheFileClosable(t *testing.T) {
	slow := slowFS{
		FS:    fstest.MapFS{"f": &fstest.MapFile{Data: []byte("content")}},
		began: make(chan struct{}), goOn: make(chan struct{}), closed: make(chan struct{}),
	}
	onLoop(t, func(ctx context.Context) error {
		f, err := aiofile.FS(ctx, slow).Open("f")
		if err != nil {
			return err
		}
		p := make([]byte, 5)
		task := asyncio.Go(ctx, func(context.Context) error { _, err := io.ReadFull(f, p); return err })
		_, _, _ = asyncio.Recv(ctx, slow.began)
		task.Cancel()
		_, err = task.Await(ctx)
		wantPathError(t, err, "f", context.Canceled)
		closing := asyncio.Go(ctx, func(context.Context) error { return f.Close() })
		close(slow.goOn)
		_, err = closing.Await(ctx) // which is after the Read
		if string(p) != "\x00\x00\x00\x00\x00" {
			t.Errorf("the buffer of a cancelled Read has %q", p)
		}
		return err
	})
	<-slow.closed
}
