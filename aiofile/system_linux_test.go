package aiofile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestWrite_onAFullDisk_saysSoAndHowMuchWasWritten(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, "/dev/full", os.O_WRONLY)
		n, err := f.Write([]byte("x"))
		wantPathError(t, err, "/dev/full", syscall.ENOSPC)
		if n != 0 {
			t.Errorf("%d bytes were written to a full disk", n)
		}
		return nil
	})
}

// limitFiles lets no file grow beyond size while the test runs.
func limitFiles(t *testing.T, size uint64) {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}

func TestWriteFile_beyondWhatThereIsRoomFor_leavesNoTemporaryFile(t *testing.T) {
	const room = 1<<20 + 1000
	dir := t.TempDir()
	name, src, dst := filepath.Join(dir, "file"), filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	os.WriteFile(name, []byte("old"), 0o600)
	os.WriteFile(src, make([]byte, 3<<20), 0o600)
	limitFiles(t, room)
	onLoop(t, func(ctx context.Context) error {
		err := aiofile.WriteFile(ctx, name, make([]byte, 3<<20), 0o600, aiofile.Atomic())
		var p *fs.PathError
		if !errors.As(err, &p) || !errors.Is(err, syscall.EFBIG) {
			t.Errorf("an atomic WriteFile beyond the room: %v", err)
		}
		wantContent(t, name, "old")
		if _, err := aiofile.Copy(ctx, dst, src); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("a Copy beyond the room: %v", err)
		}
		wantOnly(t, dir, "file", "src")

		f := opened(t, ctx, name, os.O_RDWR)
		n, err := f.Write(make([]byte, 3<<20))
		wantPathError(t, err, name, syscall.EFBIG)
		if at, _ := f.Seek(0, 1); n != room || at != room {
			t.Errorf("Write = %d, the position is %d; want what there was room for, %d", n, at, room)
		}
		wantPathError(t, aiofile.WriteFile(ctx, name, make([]byte, 3<<20), 0o600), name, syscall.EFBIG)
		return nil
	})
}

func TestRemove_withoutPermission_saysSo(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		wantPathError(t, aiofile.Remove(ctx, "/proc/version"), "/proc/version", fs.ErrPermission)
		return nil
	})
}

func TestReadFile_ofAFileWithoutASize_readsItAll(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		got, err := aiofile.ReadFile(ctx, "/proc/self/status")
		if !strings.HasPrefix(string(got), "Name:") || !strings.HasSuffix(string(got), "\n") {
			t.Errorf("ReadFile of a file of proc gave %q", got)
		}
		f := opened(t, ctx, "/proc/self/status", os.O_RDONLY)
		lines := 0
		for _, err := range f.Lines(ctx) {
			if err != nil {
				return err
			}
			lines++
		}
		if lines < 10 {
			t.Errorf("a file of proc has %d lines", lines)
		}
		return err
	})
}

// A FIFO that nobody writes to keeps the thread that opens it waiting.
func TestOpen_cancelledInTheThread_returnsAtOnceAndLeavesNoFileOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	onLoop(t, func(ctx context.Context) error {
		w, err := (*os.File)(nil), error(syscall.ENXIO)
		for pause := time.Millisecond; errors.Is(err, syscall.ENXIO); pause *= 2 { // until it was in its open
			task := asyncio.Go(ctx, func(ctx context.Context) error { _, err := aiofile.Open(ctx, name); return err })
			_ = asyncio.Sleep(ctx, pause)
			task.Cancel()
			_, err = task.Await(ctx)
			wantPathError(t, err, name, context.Canceled)
			w, err = os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		}
		if err != nil {
			return err
		}
		defer w.Close()
		for err == nil { // until the reader is closed
			_, err = w.Write([]byte("x"))
			_ = asyncio.Yield(ctx)
		}
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to what the cancelled Open has opened: %v, want a broken pipe", err)
		}
		return nil
	})
}

func TestCreateTemp_cancelledInTheThread_leavesNoFile(t *testing.T) {
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 100 {
				g.Go(func(ctx context.Context) error {
					task := asyncio.Go(ctx, func(ctx context.Context) error {
						f, err := aiofile.CreateTemp(ctx, dir, "temp")
						if err == nil {
							os.Remove(f.Name())
							f.Close()
						}
						return nil
					})
					for range i % 10 {
						_ = asyncio.Yield(ctx)
					}
					task.Cancel()
					_, err := task.Await(ctx)
					return err
				})
			}
			return nil
		})
	})
	for left, _ := os.ReadDir(dir); len(left) > 0; left, _ = os.ReadDir(dir) {
		syscall.Nanosleep(&syscall.Timespec{Nsec: 1e6}, nil) // the last threads are about to remove theirs
	}
}

func TestFile_cachedReads_areMadeOnTheLoopAndAllocateNothing(t *testing.T) {
	if raceDetector {
		return // it allocates, too
	}
	name := fileWith(t, strings.Repeat("x", 64<<10))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		p := make([]byte, 4<<10)
		if allocs := testing.AllocsPerRun(200, func() { f.ReadAt(p, 8<<10) }); allocs != 0 {
			t.Errorf("a cached ReadAt makes %v allocations", allocs)
		}
		if allocs := testing.AllocsPerRun(200, func() { f.Seek(0, 0); f.Read(p) }); allocs != 0 {
			t.Errorf("a cached Read makes %v allocations", allocs)
		}
		return nil
	})
}

func TestFile_cachedReads_letOthersHaveTheirTurns(t *testing.T) {
	name := fileWith(t, strings.Repeat("x", 64<<10))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		turns, over := 0, false
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; !over; turns++ {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		for _, size := range []int{1, 64 << 10} {
			turns = 0
			p := make([]byte, size)
			for range 640 {
				if _, err := f.ReadAt(p, 0); err != nil {
					return err
				}
			}
			if turns < 9 {
				t.Errorf("another task had %d turns beside 640 reads of %d bytes", turns, size)
			}
		}
		turns = 0
		for range 80 {
			if _, err := aiofile.ReadFile(ctx, name); err != nil {
				return err
			}
		}
		if turns < 9 {
			t.Errorf("another task had %d turns while 80 files were read", turns)
		}
		over = true
		_, err := other.Await(ctx)
		return err
	})
}
