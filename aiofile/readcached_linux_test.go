package aiofile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// needDisk skips a test where the temporary directory is on no disk: nothing is read on the loop there.
func needDisk(t *testing.T, name string) {
	var s unix.Stat_t
	if err := unix.Stat(name, &s); err != nil || unix.Major(s.Dev) == 0 {
		t.Skipf("%s is on no disk (%v)", name, err)
	}
}

func TestReadFile_smallAndInMemory_needsNoThread(t *testing.T) {
	want := strings.Repeat("0123456789", 2000)
	name := fileWith(t, want)
	needDisk(t, name)
	onLoop(t, func(ctx context.Context) error {
		return withoutThreads(ctx, func() {
			if got, err := aiofile.ReadFile(ctx, name); string(got) != want || err != nil {
				t.Errorf("ReadFile = %s, %v", brief(string(got)), err)
			}
		})
	})
}

func TestReadFile_notWhollyInMemory_isReadWholeInAThread(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 4<<10)
	name := fileWith(t, want)
	needDisk(t, name)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	for _, kept := range []int{0, 8 << 10} {
		onLoop(t, func(ctx context.Context) error {
			err := errors.Join(f.Sync(), unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED),
				unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM)) // only what is asked for comes back
			if _, failed := f.ReadAt(make([]byte, kept), 0); err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			var task *asyncio.Task[asyncio.None]
			err = withoutThreads(ctx, func() {
				task = asyncio.Go(ctx, func(ctx context.Context) error {
					got, err := aiofile.ReadFile(ctx, name)
					if string(got) != want {
						t.Errorf("with %d bytes in memory ReadFile gave %s", kept, brief(string(got)))
					}
					return err
				})
				for range 3 {
					_ = asyncio.Yield(ctx)
				}
				if task.Done() {
					t.Errorf("of %d bytes, those of which only %d are in memory were read without a thread", len(want), kept)
				}
			})
			_, failed := task.Await(ctx)
			return errors.Join(err, failed)
		})
	}
}

// Whoever opens a FIFO for writing waits for a reader, and is lost if that only had a look.
func TestReadFile_ofAFIFO_doesNotLookIntoIt(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	onLoop(t, func(ctx context.Context) error {
		for range 50 {
			wrote := make(chan error, 1)
			go func() { wrote <- os.WriteFile(name, []byte("hello"), 0) }()
			_ = asyncio.Yield(ctx)
			got, err := aiofile.ReadFile(ctx, name)
			if string(got) != "hello" || err != nil {
				t.Fatalf("ReadFile = %q, %v", got, err)
			}
			if err := <-wrote; err != nil {
				t.Fatalf("the writer of the FIFO: %v", err)
			}
		}
		return nil
	})
}

func TestReadFile_whatOsReadFileSays(t *testing.T) {
	dir := t.TempDir()
	file, locked, loop := filepath.Join(dir, "file"), filepath.Join(dir, "locked"), filepath.Join(dir, "loop")
	os.WriteFile(file, []byte("content"), 0o600)
	os.WriteFile(locked, []byte("content"), 0)
	os.Symlink("loop", loop)
	os.Symlink("file", filepath.Join(dir, "link"))
	onLoop(t, func(ctx context.Context) error {
		for _, name := range []string{
			"", "\x00", dir, locked, loop, file, file + "/x", file + "\x00", filepath.Join(dir, "link"),
			filepath.Join(dir, strings.Repeat("x", 300)), filepath.Join(dir, "none"), os.DevNull,
			"/proc/version", "/sys/kernel/notes", "/proc/sys/net/ipv4/route/flush",
		} {
			want, wantErr := os.ReadFile(name)
			got, err := aiofile.ReadFile(ctx, name)
			if !bytes.Equal(got, want) {
				t.Errorf("ReadFile(%q) = %s, want %s", name, brief(string(got)), brief(string(want)))
			}
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Errorf("ReadFile(%q): %v, want %v", name, err, wantErr)
			}
		}
		return nil
	})
}

func TestReadFile_whileTheFileGrowsAndShrinks_returnsWhatWasThere(t *testing.T) {
	whole := make([]byte, 20_000)
	for i := range whole {
		whole[i] = byte(1 + i%255)
	}
	name := fileWith(t, string(whole[:1]))
	var over atomic.Bool
	wrote := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		for size := 1; err == nil && !over.Load(); size += 1000 {
			if size > len(whole)-1000 {
				size = 1
				err = f.Truncate(1)
			}
			_, failed := f.Write(whole[size : size+1000])
			err = errors.Join(err, failed)
		}
		wrote <- errors.Join(err, f.Close())
	}()
	onLoop(t, func(ctx context.Context) error {
		for range 1000 {
			got, err := aiofile.ReadFile(ctx, name)
			for i, b := range got {
				if b != whole[i] && b != 0 { // what is cut off while the system copies it is 0
					t.Fatalf("byte %d of %d is %d, want %d", i, len(got), b, whole[i])
				}
			}
			if err != nil || len(got) == 0 {
				t.Fatalf("ReadFile gave %d bytes, %v", len(got), err)
			}
		}
		return nil
	})
	over.Store(true)
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
