package aiofile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/fairtest"
)

// callsUntilOthersRan repeats call, which never has to wait, until somebody else has had a turn, and returns how often.
func callsUntilOthersRan(ctx context.Context, call func(i int)) int {
	n, _ := fairtest.Repeat(ctx, 1000, call)
	return n
}

func TestCalls_thatNeverWait_letOthersRun(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, fileWith(t, "some text"), os.O_RDWR)
		r, w, err := aiofile.OpenPipe(ctx)
		must(t, err)
		_, err = w.Write(make([]byte, 10_000))
		must(t, err)
		closed, late, err := aiofile.OpenPipe(ctx)
		must(t, err)
		must(t, closed.Close())
		must(t, late.SetDeadline(time.Unix(1, 0)))
		p := make([]byte, 1)
		for name, call := range map[string]func(int){
			"File.ReadAt":               func(int) { f.ReadAt(p, 0) },
			"File.ReadAt, at the end":   func(int) { f.ReadAt(p, 9) },
			"File.Read, at the end":     func(int) { f.Read(p); f.Seek(0, io.SeekStart) },
			"Pipe.Read":                 func(int) { r.Read(p) },
			"Pipe.Read of nothing":      func(int) { r.Read(nil) },
			"Pipe.Write":                func(int) { w.Write(p) },
			"Pipe.Write of nothing":     func(int) { w.Write(nil) },
			"Pipe.Read, closed":         func(int) { closed.Read(p) },
			"Pipe.Write, closed":        func(int) { closed.Write(p) },
			"Pipe.Write, past its time": func(int) { late.Write(p) },
		} {
			if n := callsUntilOthersRan(ctx, call); n > 50 {
				t.Errorf("%s: the others had no turn in %d calls", name, n)
			}
		}
		return nil
	})
}

// What counts is the turn, not the file: a task that goes from one to the next lets the others in as well.
func TestCalls_ofManyFiles_areOfOneTurn(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		var readers []*aiofile.Pipe
		for range 50 {
			r, w, err := aiofile.OpenPipe(ctx)
			must(t, err)
			_, err = w.Write([]byte("x"))
			must(t, err)
			readers = append(readers, r)
		}
		must(t, asyncio.Yield(ctx))
		p := make([]byte, 1)
		callsUntilOthersRan(ctx, func(i int) {
			if i == len(readers) {
				t.Fatalf("%d reads of as many pipes are one turn", i)
			}
			readers[i].Read(p)
		})
		return nil
	})
}

func TestReadFile_ofWhatIsInMemory_letsOthersRun(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		name := fileWith(t, "some text")
		if n := callsUntilOthersRan(ctx, func(int) { aiofile.ReadFile(ctx, name) }); n > 10 {
			t.Errorf("others had a turn after %d files, want 10 at most", n)
		}
		return nil
	})
}

func TestWalkDir_ofALargeDirectory_letsOthersRunAndIsEnded(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600))
	}
	onLoop(t, func(ctx context.Context) error {
		walk, cancel := asyncio.WithCancel(ctx)
		inMemory := 0 // entries since the directory was read
		for e, err := range aiofile.WalkDir(walk, dir) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the walk ended with %v", err)
				}
				break
			}
			if e.Path == dir {
				continue
			}
			if inMemory == 0 {
				asyncio.Go(ctx, func(context.Context) error {
					cancel(context.Canceled)
					return nil
				})
			}
			inMemory++
		}
		if inMemory > 200 {
			t.Errorf("nobody had a turn in %d entries", inMemory)
		}
		return nil
	})
}

func TestPipe_largeWrite_letsOthersRunInBetween(t *testing.T) {
	const size = 1 << 20
	onLoop(t, func(ctx context.Context) error {
		fr, fw, err := os.Pipe()
		must(t, err)
		defer fr.Close()
		if _, err := unix.FcntlInt(fw.Fd(), unix.F_SETPIPE_SZ, size); err != nil {
			t.Skip("no pipe is that large here:", err)
		}
		w, err := aiofile.NewPipe(ctx, fw)
		must(t, err)
		turns := 0
		others := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; ; turns++ {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
		})
		if n, err := w.Write(make([]byte, size)); n != size || err != nil || turns < 4 {
			t.Errorf("Write = %d, %v, in which others had %d turns; want 4 at least, one for each 256 KB", n, err, turns)
		}
		others.Cancel()
		return nil
	})
}
