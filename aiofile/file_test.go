package aiofile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/lowlevel"
)

func TestFile_readOnTheLoop_isAReaderAsIotestWantsIt(t *testing.T) {
	content := strings.Repeat("0123456789", 500)
	name := fileWith(t, content)
	for _, how := range []string{"cached", "in threads"} {
		t.Run(how, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) error {
				f := opened(t, ctx, name, os.O_RDONLY)
				if how != "cached" {
					f.Uncached()
				}
				return iotest.TestReader(f, []byte(content))
			})
		})
	}
	t.Run("on a goroutine", func(t *testing.T) {
		onLoop(t, func(ctx context.Context) error {
			f := opened(t, ctx, name, os.O_RDONLY)
			_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
				return asyncio.None{}, iotest.TestReader(f, []byte(content))
			})
			return err
		})
	})
}

func TestFile_largeRead_isWholeAndFromTheThread(t *testing.T) {
	content := make([]byte, 3*aiofile.OnLoop+77)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	name := fileWith(t, string(content))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		p := make([]byte, len(content)+10)
		n, err := f.Read(p)
		if n != len(content) || err != nil || !bytes.Equal(p[:n], content) {
			t.Errorf("Read = %d, %v, want all %d bytes", n, err, len(content))
		}
		if n, err = f.Read(p); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v, want io.EOF", n, err)
		}
		clear(p)
		if n, err = f.ReadAt(p, 5); n != len(content)-5 || err != io.EOF || !bytes.Equal(p[:n], content[5:]) {
			t.Errorf("ReadAt = %d, %v, want the rest of the file and io.EOF", n, err)
		}
		return nil
	})
}

func TestFile_positions_followReadWriteAndSeek(t *testing.T) {
	name := fileWith(t, "hello, world")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		p := make([]byte, 5)
		io.ReadFull(f, p)
		f.Write([]byte("!?"))
		at, err := f.Seek(-2, io.SeekCurrent)
		if at != 5 || err != nil {
			t.Errorf("Seek from the position = %d, %v, want 5", at, err)
		}
		io.ReadFull(f, p)
		if string(p) != "!?wor" {
			t.Errorf("read %q after the Write, want %q", p, "!?wor")
		}
		if at, err = f.Seek(-1, io.SeekEnd); at != 11 || err != nil {
			t.Errorf("Seek from the end = %d, %v, want 11", at, err)
		}
		f.WriteAt([]byte("J"), 0)
		f.Write([]byte("D..."))
		for _, bad := range []struct {
			offset int64
			whence int
		}{{-1, io.SeekStart}, {-100, io.SeekCurrent}, {-100, io.SeekEnd}, {0, 7}} {
			_, err := f.Seek(bad.offset, bad.whence)
			wantPathError(t, err, name, os.ErrInvalid)
		}
		if at, _ := f.Seek(0, io.SeekCurrent); at != 15 {
			t.Errorf("the position is %d after failed Seeks, want 15", at)
		}
		return nil
	})
	wantContent(t, name, "Jello!?worlD...")
}

func TestFile_append_writesAtTheEndWhereverThePositionIs(t *testing.T) {
	name := fileWith(t, "one")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR|os.O_APPEND)
		fmt.Fprint(f, " two")
		if at, _ := f.Seek(0, io.SeekCurrent); at != 7 {
			t.Errorf("the position is %d after appending, want the end, 7", at)
		}
		f.Seek(0, io.SeekStart)
		fmt.Fprint(f, " three")
		_, err := f.WriteAt([]byte("x"), 0)
		if err == nil {
			t.Error("WriteAt of a file that appends must fail, as that of package os")
		}
		return nil
	})
	wantContent(t, name, "one two three")
}

func TestFile_manyCoroutines_writeInTheOrderOfTheirComing(t *testing.T) {
	name := fileWith(t, "")
	var want strings.Builder
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 200 {
				line := fmt.Sprintf("line %d\n", i)
				want.WriteString(line)
				g.Go(func(context.Context) error {
					_, err := f.WriteString(line)
					return err
				}, asyncio.EagerStart(true))
			}
			return nil
		})
	})
	wantContent(t, name, want.String())
}

func TestFile_coroutinesAndGoroutines_shareOnePosition(t *testing.T) {
	const each, workers = 300, 4
	name := fileWith(t, "")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					f.Write([]byte("g----g\n"))
				}
			})
		}
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range workers {
				g.Go(func(context.Context) error {
					for range each {
						if _, err := f.Write([]byte("c----c\n")); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
		_, failed := asyncio.ToThread(ctx, func() (asyncio.None, error) { wg.Wait(); return asyncio.None{}, nil })
		return errors.Join(err, failed)
	})
	got, _ := os.ReadFile(name)
	if c, g := bytes.Count(got, []byte("c----c\n")), bytes.Count(got, []byte("g----g\n")); c != each*workers || g != each*workers {
		t.Errorf("%d and %d whole lines of coroutines and goroutines, want %d each", c, g, each*workers)
	}
}

func TestFile_inACallback_refusesWhatMayWait(t *testing.T) {
	name := fileWith(t, "x")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		called := asyncio.NewFuture[asyncio.None](asyncio.RunningLoop(ctx))
		asyncio.RunningLoop(ctx).CallSoon(func() {
			for op, call := range map[string]func() error{
				"Read":  func() error { _, err := f.Read(make([]byte, 1)); return err },
				"Write": func() error { _, err := f.Write([]byte("y")); return err },
				"Stat":  func() error { _, err := f.Stat(); return err },
				"Seek":  func() error { _, err := f.Seek(0, 0); return err },
			} {
				if err := call(); !errors.Is(err, aiofile.ErrWouldWait) {
					t.Errorf("%s in a callback: %v, want ErrWouldWait", op, err)
				}
			}
			if err := f.Close(); err != nil {
				t.Errorf("Close in a callback: %v", err)
			}
			called.SetResult(asyncio.None{})
		})
		_, err := called.Await(ctx)
		return err
	})
}

func TestFile_cancelledRead_takesNothingAndLeavesTheBufferAlone(t *testing.T) {
	name := fileWith(t, strings.Repeat("x", 2*aiofile.OnLoop))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		p := make([]byte, 2*aiofile.OnLoop) // more than is read on the loop
		release := f.Hold()
		err := cancelled(ctx, func(context.Context) error { _, err := f.Read(p); return err })
		wantPathError(t, err, name, context.Canceled)
		release()
		// The position is free again only when the thread has gone on to its end, or has not begun to read.
		if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
			t.Errorf("the position is %d, %v after a cancelled Read, want 0", at, err)
		}
		if n, err := f.Read(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("the next Read = %d, %v", n, err)
		}
		if !bytes.Equal(p, make([]byte, len(p))) {
			t.Error("the buffer of a cancelled Read was written to after it had returned")
		}
		return nil
	})
}

func TestFile_cancelledBeforeItsTurn_leavesTheLineAndTheFile(t *testing.T) {
	name := fileWith(t, "abc")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		release := f.Hold()
		first := asyncio.Go(ctx, func(context.Context) error { _, err := f.Write([]byte("1")); return err })
		err := cancelled(ctx, func(context.Context) error { _, err := f.Write([]byte("2")); return err })
		wantPathError(t, err, name, context.Canceled)
		third := asyncio.Go(ctx, func(context.Context) error { _, err := f.Write([]byte("3")); return err })
		_ = asyncio.Yield(ctx)
		release()
		_, e1 := first.Await(ctx)
		_, e3 := third.Await(ctx)
		return errors.Join(e1, e3)
	})
	wantContent(t, name, "13c")
}

func TestFile_doneContext_refusesEveryCall(t *testing.T) {
	name := fileWith(t, "abc")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		err := cancelled(ctx, func(ctx context.Context) error {
			var never lowlevel.WaitQueue
			_ = never.WaitOutside(ctx, nothing{})
			for op, call := range map[string]func() error{
				"Read":     func() error { _, err := f.Read(make([]byte, 1)); return err },
				"ReadAt":   func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
				"Write":    func() error { _, err := f.Write([]byte("y")); return err },
				"WriteAt":  func() error { _, err := f.WriteAt([]byte("y"), 1); return err },
				"Seek":     func() error { _, err := f.Seek(1, 0); return err },
				"Stat":     func() error { _, err := f.Stat(); return err },
				"Sync":     func() error { return f.Sync() },
				"Truncate": func() error { return f.Truncate(0) },
				"ReadFile": func() error { _, err := aiofile.ReadFile(ctx, name); return err },
			} {
				if err := call(); !errors.Is(err, context.Canceled) {
					t.Errorf("%s under a done context: %v", op, err)
				}
			}
			return f.Close()
		})
		if err != nil {
			t.Errorf("Close under a done context: %v", err)
		}
		if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the file is still open after a Close under a done context: %v", err)
		}
		return nil
	})
	wantContent(t, name, "abc")
}

type nothing struct{}

func (nothing) WaitName() string { return "nothing" }

func TestFile_cancelledWrites_returnExactlyWhatWasWritten(t *testing.T) {
	name := fileWith(t, "")
	var want bytes.Buffer
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDWR)
		block := make([]byte, 5<<20)
		for i := range 60 {
			for j := 0; j < len(block); j += 512 {
				block[j] = byte(i)
			}
			data := block[:rand.IntN(len(block))]
			var n int
			task := asyncio.Go(ctx, func(context.Context) (err error) { n, err = f.Write(data); return err })
			for range rand.IntN(300) {
				_ = asyncio.Yield(ctx)
			}
			task.Cancel()
			_, err := task.Await(ctx)
			if (err == nil) != (n == len(data)) || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("Write of %d bytes = %d, %v", len(data), n, err)
			}
			want.Write(data[:n])
			if at, _ := f.Seek(0, io.SeekCurrent); at != int64(want.Len()) {
				t.Fatalf("the position is %d after %d written bytes", at, want.Len())
			}
		}
		return nil
	})
	got, _ := os.ReadFile(name)
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file's %d bytes are not the %d that the Writes have reported", len(got), want.Len())
	}
}

func TestFile_closed_whileAReadIsUnderWay_endsThatWell(t *testing.T) {
	name := fileWith(t, "abc")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		f.Uncached()
		p := make([]byte, 3)
		reads := make(chan int, 1000)
		for range 200 {
			asyncio.Go(ctx, func(context.Context) error {
				n, err := f.ReadAt(make([]byte, 3), 0)
				reads <- n
				if err != nil && !errors.Is(err, os.ErrClosed) {
					t.Errorf("ReadAt beside a Close: %v", err)
				}
				return nil
			})
		}
		for range rand.IntN(5) {
			_ = asyncio.Yield(ctx)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close beside reads: %v", err)
		}
		wantPathError(t, f.Close(), name, os.ErrClosed)
		for range 200 {
			if n, _, err := asyncio.Recv(ctx, reads); err != nil || n != 0 && n != 3 {
				t.Errorf("a ReadAt beside Close returned %d bytes, %v", n, err)
			}
		}
		for op, call := range map[string]func() error{
			"Read":  func() error { _, err := f.Read(p); return err },
			"Write": func() error { _, err := f.Write(p); return err },
			"Seek":  func() error { _, err := f.Seek(0, 0); return err },
			"Stat":  func() error { _, err := f.Stat(); return err },
		} {
			if err := call(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s of a closed file: %v, want os.ErrClosed", op, err)
			}
		}
		return nil
	})
}

func TestFile_leftOpen_isClosedWithTheLoop(t *testing.T) {
	var f *aiofile.File
	onLoop(t, func(ctx context.Context) error {
		f = opened(t, ctx, fileWith(t, "abc"), os.O_RDONLY)
		return nil
	})
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after the loop's end: %v, want os.ErrClosed", err)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Close after the loop's end: %v, want os.ErrClosed", err)
	}
}

func TestOpen_failures_areThoseOfPackageOs(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	onLoop(t, func(ctx context.Context) error {
		_, err := aiofile.Open(ctx, missing)
		wantPathError(t, err, missing, fs.ErrNotExist)
		_, err = aiofile.Create(ctx, dir)
		wantPathError(t, err, dir, errIsDir)
		_, err = aiofile.OpenFile(ctx, dir, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o600)
		wantPathError(t, err, dir, fs.ErrExist)

		d := opened(t, ctx, dir, os.O_RDONLY)
		_, err = d.Read(make([]byte, 1))
		wantPathError(t, err, dir, errIsDir)

		name := fileWith(t, "abc")
		_, err = opened(t, ctx, name, os.O_RDONLY).Write([]byte("x"))
		wantPathError(t, err, name, errBadFile)
		_, err = opened(t, ctx, name, os.O_WRONLY).Read(make([]byte, 1))
		wantPathError(t, err, name, errBadFile)
		return nil
	})
}

func TestOpen_awayFromTheLoop_saysSo(t *testing.T) {
	_, err := aiofile.Open(context.Background(), "x")
	wantPathError(t, err, "x", asyncio.ErrNotOnLoop)
	_, err = aiofile.ReadFile(context.Background(), "x")
	wantPathError(t, err, "x", asyncio.ErrNotOnLoop)
	for _, err := range aiofile.WalkDir(context.Background(), "x") {
		wantPathError(t, err, "x", asyncio.ErrNotOnLoop)
	}
	onLoop(t, func(ctx context.Context) error {
		other := asyncio.Go(ctx, func(context.Context) error {
			_, err := aiofile.Stat(ctx, "x") // the context of the task around
			wantPathError(t, err, "x", asyncio.ErrWrongContext)
			return nil
		})
		_, err := other.Await(ctx)
		return err
	})
}

func TestCreateTemp_takesANewName(t *testing.T) {
	dir := t.TempDir()
	onLoop(t, func(ctx context.Context) error {
		f, err := aiofile.CreateTemp(ctx, dir, "some*.txt")
		if err != nil {
			return err
		}
		fmt.Fprint(f, "text")
		if err := f.Truncate(2); err != nil {
			t.Error(err)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		if info, err := f.Stat(); err != nil || info.Size() != 2 {
			t.Errorf("Stat = %v, %v", info, err)
		}
		wantOnly(t, dir, filepath.Base(f.Name()))
		return f.Close()
	})
}

func TestFile_copiesToAndFromReaders(t *testing.T) {
	content := strings.Repeat("some text ", 100_000)
	from, to := fileWith(t, content), fileWith(t, "")
	onLoop(t, func(ctx context.Context) error {
		in, out := opened(t, ctx, from, os.O_RDONLY), opened(t, ctx, to, os.O_RDWR)
		n, err := io.Copy(out, in)
		if n != int64(len(content)) || err != nil {
			t.Errorf("io.Copy between files = %d, %v", n, err)
		}
		n, err = out.ReadFrom(strings.NewReader("the end"))
		if n != 7 || err != nil {
			t.Errorf("ReadFrom = %d, %v", n, err)
		}
		return nil
	})
	wantContent(t, to, content+"the end")
}
