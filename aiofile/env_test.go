package aiofile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// A disk is files in memory. What was not synced is lost in a crash: of a file its content, of the directory, of which
// there is one, the names. It counts its steps, and crashes in one of them.
type disk struct {
	env.Files // all that is not below: nil
	names     map[string]*node
	synced    map[string]*node
	did       []string
	crash     int // the number of the step, from 1 on; 0: never
}

type node struct{ content, synced []byte }

var errCrash = errors.New("the machine has crashed")

func newDisk(name, content string) *disk {
	n := &node{[]byte(content), []byte(content)}
	return &disk{names: map[string]*node{name: n}, synced: map[string]*node{name: n}}
}

func (d *disk) step(format string, args ...any) error {
	if d.crash > 0 && len(d.did) >= d.crash-1 {
		return errCrash
	}
	d.did = append(d.did, fmt.Sprintf(format, args...))
	return nil
}

func (d *disk) OpenFile(name string, flag int, _ fs.FileMode) (env.File, error) {
	if err := d.step("open %s", name); err != nil {
		return nil, err
	}
	n := d.names[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n == nil:
		n = &node{}
		d.names[name] = n
	case flag&os.O_TRUNC != 0:
		n.content = nil
	}
	return &diskFile{disk: d, name: name, node: n}, nil
}

func (d *disk) Lstat(name string) (fs.FileInfo, error) {
	if d.names[name] == nil {
		return nil, fs.ErrNotExist
	}
	return diskInfo{name, int64(len(d.names[name].content))}, d.step("lstat %s", name)
}

func (d *disk) Rename(from, to string) error {
	if err := d.step("rename %s", from); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *disk) Remove(name string) error {
	if err := d.step("remove %s", name); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

func (d *disk) SyncDir(name string) error {
	if err := d.step("sync directory %s", name); err != nil {
		return err
	}
	d.synced = maps.Clone(d.names)
	return nil
}

func (d *disk) ReadCached(string, int) ([]byte, bool) { return nil, false }

type diskFile struct {
	env.File
	disk *disk
	name string
	node *node
	pos  int
}

func (f *diskFile) Name() string { return f.name }
func (f *diskFile) Write(p []byte) (int, error) {
	if err := f.disk.step("write"); err != nil {
		return 0, err
	}
	f.node.content = append(f.node.content, p...)
	return len(p), nil
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.node.content).ReadAt(p, off)
}

func (f *diskFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, int64(f.pos))
	f.pos += n
	return n, err
}

func (f *diskFile) Sync() error {
	if err := f.disk.step("sync"); err != nil {
		return err
	}
	f.node.synced = bytes.Clone(f.node.content)
	return nil
}

func (f *diskFile) Chmod(fs.FileMode) error { return f.disk.step("chmod") }
func (f *diskFile) Close() error            { return nil }
func (f *diskFile) Stat() (fs.FileInfo, error) {
	return diskInfo{f.name, int64(len(f.node.content))}, nil
}
func (f *diskFile) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

type diskInfo struct {
	name string
	size int64
}

func (i diskInfo) Name() string     { return i.name }
func (i diskInfo) Size() int64      { return i.size }
func (diskInfo) Mode() fs.FileMode  { return 0o600 }
func (diskInfo) ModTime() time.Time { return time.Time{} }
func (diskInfo) IsDir() bool        { return false }
func (diskInfo) Sys() any           { return nil }

// run runs main with the disk, on a virtual clock.
func (d *disk) run(t *testing.T, main func(ctx context.Context) error) error {
	e := env.Real()
	e.Files, e.Rand, e.Clock = d, env.Seeded(1), env.NewClock(time.Unix(0, 0))
	return asyncio.Run(t.Context(), main, engine.WithEnv(e).(asyncio.Option))
}

func TestAtomic_crashInAnyStep_leavesTheOldOrTheNewContent(t *testing.T) {
	write := func(d *disk) error {
		return d.run(t, func(ctx context.Context) error {
			return aiofile.WriteFile(ctx, "settings", []byte("new"), 0o600, aiofile.Atomic())
		})
	}
	for crash := 1; ; crash++ {
		d := newDisk("settings", "old")
		d.crash = crash
		err := write(d)
		// The names may have come to the disk, or not.
		for _, names := range []map[string]*node{d.names, d.synced} {
			got := string(names["settings"].synced)
			if got != "old" && got != "new" || err == nil && got != "new" {
				t.Errorf("a crash in step %d, after %q, leaves %q; WriteFile returned %v", crash, d.did, got, err)
			}
		}
		if err == nil {
			if crash < 5 {
				t.Errorf("it took only the steps %q", d.did)
			}
			break
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("step %d: %v", crash, err)
		}
	}
	first, second := newDisk("settings", "old"), newDisk("settings", "old")
	if err := errors.Join(write(first), write(second)); err != nil || !slices.Equal(first.did, second.did) {
		t.Errorf("two runs with the same seed did %q and %q: %v", first.did, second.did, err)
	}
}

func TestEnvironment_hasTheFiles(t *testing.T) {
	d := newDisk("greeting", "hello, disk\nand good bye\n")
	err := d.run(t, func(ctx context.Context) error {
		content, err := aiofile.ReadFile(ctx, "greeting")
		if string(content) != "hello, disk\nand good bye\n" || err != nil {
			t.Errorf("ReadFile: %q, %v", content, err)
		}
		f, err := aiofile.Open(ctx, "greeting")
		if err != nil {
			return err
		}
		for line, err := range f.Lines(ctx) {
			if string(line) != "hello, disk" || err != nil {
				t.Errorf("the first line is %q, %v", line, err)
			}
			break
		}
		if err := f.Lend(func(*os.File) error { return nil }); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("what is no file of the system was lent: %v", err)
		}
		if _, err := aiofile.Open(ctx, "env_test.go"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file of the system's disk: %v", err)
		}
		if err := aiofile.Remove(ctx, "greeting"); err != nil || len(d.names) != 0 {
			t.Errorf("Remove: %v; there are %d files", err, len(d.names))
		}
		return f.Close()
	})
	if err != nil {
		t.Error(err)
	}
}
