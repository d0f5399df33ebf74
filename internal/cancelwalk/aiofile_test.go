//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

const fileSize = 3<<20 + 1 // bytes

func TestAiofile(t *testing.T) { testAll(t, fileWalks) }

var fileWalks = []walk{
	{"ReadFile", 1, files(func(ctx context.Context, dir string) error {
		got, err := aiofile.ReadFile(ctx, dir+"/file")
		if err == nil && !bytes.Equal(got, data(fileSize)) {
			err = fmt.Errorf("read %d bytes", len(got))
		}
		return err
	})},
	{"WriteFile: Atomic", 1, files(func(ctx context.Context, dir string) error {
		return aiofile.WriteFile(ctx, dir+"/file", data(2*fileSize), 0o600, aiofile.Atomic())
	})},
	{"Copy: Atomic", 1, files(func(ctx context.Context, dir string) error {
		_, err := aiofile.Copy(ctx, dir+"/copy", dir+"/file", aiofile.Atomic())
		return err
	})},
	{"ReadDir, Stat, Lstat, Rename, Remove, MkdirAll", 5, files(func(ctx context.Context, dir string) error {
		entries, err := aiofile.ReadDir(ctx, dir)
		if err != nil || len(entries) != 1 {
			return errors.Join(err, fmt.Errorf("%v", entries))
		}
		if _, err := aiofile.Stat(ctx, dir+"/file"); err != nil {
			return err
		}
		if _, err := aiofile.Lstat(ctx, dir+"/file"); err != nil {
			return err
		}
		if err := aiofile.Rename(ctx, dir+"/file", dir+"/copy"); err != nil {
			return err
		}
		if err := aiofile.Rename(ctx, dir+"/copy", dir+"/file"); err != nil {
			return err
		}
		if err := aiofile.MkdirAll(ctx, dir+"/../a/b", 0o700); err != nil {
			return err
		}
		return aiofile.Remove(ctx, dir+"/../a/b")
	})},
	{"AppendFile", 1, files(func(ctx context.Context, dir string) error {
		return aiofile.AppendFile(ctx, dir+"/file", data(2 * fileSize)[fileSize:], 0o600)
	})},
	{"WalkDir", 1, files(func(ctx context.Context, dir string) error {
		for _, err := range aiofile.WalkDir(ctx, dir) {
			if err != nil {
				return err
			}
		}
		return nil
	})},
	{"FS, DirFS", 1, files(func(ctx context.Context, dir string) error {
		if _, err := fs.ReadFile(aiofile.DirFS(ctx, dir), "file"); err != nil {
			return err
		}
		_, err := fs.ReadFile(aiofile.FS(ctx, fstest.MapFS{"file": {Data: data(10)}}), "file")
		return err
	})},
	{"RemoveAll", 1, removesAll},
	{"Open, OpenFile, File.Read, File.WriteTo", 1, files(func(ctx context.Context, dir string) error {
		f, err := aiofile.Open(ctx, dir+"/file")
		if err != nil {
			return err
		}
		defer f.Close()
		got, err := io.ReadAll(f)
		if err == nil && !bytes.Equal(got, data(fileSize)) {
			err = fmt.Errorf("read %d bytes", len(got))
		}
		return err
	})},
	{"File.ReadAt, File.Stat, File.Seek", 3, files(func(ctx context.Context, dir string) error {
		f, err := aiofile.OpenFile(ctx, dir+"/file", os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		got := make([]byte, fileSize-1)
		if _, err := f.ReadAt(got, 1); err != nil || !bytes.Equal(got, data(fileSize)[1:]) {
			return fmt.Errorf("it is not what is in the file: %w", err)
		}
		if _, err := f.Stat(); err != nil {
			return err
		}
		end, err := f.Seek(0, io.SeekEnd)
		if err == nil && end != fileSize {
			err = fmt.Errorf("the end is at %d", end)
		}
		return err
	})},
	{"File.ReadDir", 1, readsDir},
	{"CopyFS", 1, copiesFS},
	{"Create, CreateTemp, File.WriteAt, File.Sync, File.Truncate", 4, changesFile},
	{"File.Write", 1, writesFile(func(f *aiofile.File) (int, error) { return f.Write(data(2 * fileSize)) })},
	{"File.WriteString", 1, writesFile(func(f *aiofile.File) (int, error) { return f.WriteString(string(data(2 * fileSize))) })},
	{"File.ReadFrom", 1, writesFile(func(f *aiofile.File) (int, error) {
		n, err := f.ReadFrom(bytes.NewReader(data(300_000)))
		return int(n), err
	})},
	{"File.Read: where it was", 1, readsFile},
	{"File.Lines", 1, readsLines},
	{"File.Lock", 1, locks((*aiofile.File).Lock)},
	{"File.LockShared", 1, locks((*aiofile.File).LockShared)},
	{"File.TryLock", 1, locks(triesLock)},
	{"File.Unlock", 1, unlocks},
	{"Pipe.Read", 1, readsPipe(pipe(0))},
	{"Pipe.Read: what blocks", 1, readsPipe(blockingSocket)},
	{"Pipe.Read: a terminal", 1, readsPipe(terminal)},
	{"Pipe.Read: standard input", 1, readsPipe(standard(&os.Stdin, aiofile.Stdin, 0))},
	{"Pipe.Write", 1, writesPipe(pipe(1), 200_000)},
	{"Pipe.Write: what blocks", 1, writesPipe(blockingSocket, 10_000)},
	{"Pipe.Write: standard output", 1, writesPipe(standard(&os.Stdout, aiofile.Stdout, 1), 200_000)},
}

// files has a file in dir. Whatever is cancelled, it is there afterwards, old or new, and of the others none is half.
func files(do func(ctx context.Context, dir string) error) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		dir := filepath.Join(s.dir, "dir")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/file", data(fileSize), 0o600)); err != nil {
			return err
		}
		s.do = func(ctx context.Context) error { return do(ctx, dir) }
		s.check = func(context.Context, error) error {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, e := range entries {
				got, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					return err
				}
				if n := len(got); n != fileSize && n != 2*fileSize || !bytes.Equal(got, data(n)) {
					return fmt.Errorf("%s has %d bytes", e.Name(), n)
				}
				if e.Name() != "file" && e.Name() != "copy" {
					return fmt.Errorf("%s is left", e.Name())
				}
			}
			if len(entries) == 0 {
				return errors.New("the file is gone")
			}
			return nil
		}
		return nil
	}
}

// A cancelled Write says how much is in the file, and that is final.
func writesFile(write func(f *aiofile.File) (int, error)) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		f, err := aiofile.Create(ctx, filepath.Join(s.dir, "file"))
		if err != nil {
			return err
		}
		written := 0
		s.do = func(context.Context) (err error) {
			written, err = write(f)
			return err
		}
		s.check = func(ctx context.Context, _ error) error {
			if _, err := f.Write([]byte("the end")); err != nil {
				return fmt.Errorf("writing on: %w", err)
			}
			if err := f.Close(); err != nil {
				return err
			}
			got, err := os.ReadFile(f.Name())
			if want := append(data(written), "the end"...); !bytes.Equal(got, want) {
				return fmt.Errorf("the file has %d bytes, want the %d that Write reported and 7 (%v)", len(got), written, err)
			}
			return nil
		}
		return nil
	}
}

// Each of these does nothing, or all of it; and the file can be used on.
func changesFile(_ context.Context, s *stage) error {
	var f *aiofile.File
	s.do = func(ctx context.Context) (err error) {
		if f, err = aiofile.CreateTemp(ctx, s.dir, "file"); err != nil {
			return err
		}
		if _, err := f.WriteAt(data(10), 0); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		return f.Truncate(5)
	}
	s.check = func(ctx context.Context, _ error) error {
		if f == nil {
			return waitEmpty(ctx, s.dir)
		}
		got, err := os.ReadFile(f.Name())
		if n := len(got); n != 0 && n != 5 && n != 10 || !bytes.Equal(got, data(n)) {
			return fmt.Errorf("the file has %d bytes (%v)", n, err)
		}
		return errors.Join(f.Truncate(1), f.Close())
	}
	return nil
}

// waitEmpty waits until a directory is empty: the thread of a cancelled CreateTemp removes the file when it comes to it.
func waitEmpty(ctx context.Context, dir string) error {
	for {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
	}
}

// A cancelled RemoveAll goes on.
func removesAll(_ context.Context, s *stage) error {
	dir := filepath.Join(s.dir, "dir")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/file", data(10), 0o600)); err != nil {
		return err
	}
	s.do = func(ctx context.Context) error { return aiofile.RemoveAll(ctx, dir) }
	s.check = func(ctx context.Context, _ error) error {
		if err := aiofile.RemoveAll(ctx, dir); err != nil {
			return err
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the directory is there: %v", err)
		}
		return nil
	}
	return nil
}

// A cancelled ReadDir has lost no entry.
func readsDir(ctx context.Context, s *stage) error {
	const all = 20
	for i := range all {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", s.dir, i), nil, 0o600); err != nil {
			return err
		}
	}
	f, err := aiofile.Open(ctx, s.dir)
	if err != nil {
		return err
	}
	got := map[string]bool{}
	readAll := func(context.Context) error {
		for {
			entries, err := f.ReadDir(3)
			for _, e := range entries {
				got[e.Name()] = true
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	s.do = readAll
	s.check = func(ctx context.Context, _ error) error {
		if err := readAll(ctx); err != nil || len(got) != all {
			return fmt.Errorf("it has %d of %d entries: %w", len(got), all, err)
		}
		return f.Close()
	}
	return nil
}

// A cancelled CopyFS has ended: what it has copied stays as it is.
func copiesFS(_ context.Context, s *stage) error {
	from := fstest.MapFS{"a": {Data: data(10)}, "b": {Data: data(20)}}
	s.do = func(ctx context.Context) error { return aiofile.CopyFS(ctx, s.dir, from) }
	s.check = func(_ context.Context, err error) error {
		files, failed := filepath.Glob(s.dir + "/*")
		if err == nil && len(files) != len(from) {
			return fmt.Errorf("%d files were copied", len(files))
		}
		for _, file := range files {
			got, err := os.ReadFile(file)
			if want := from[filepath.Base(file)].Data; !bytes.Equal(got, want) {
				return fmt.Errorf("%s has %d bytes, want %d (%v)", file, len(got), len(want), err)
			}
		}
		return failed
	}
	return nil
}

// A cancelled Read leaves the position where it was.
func readsFile(ctx context.Context, s *stage) error {
	name := filepath.Join(s.dir, "file")
	if err := os.WriteFile(name, data(fileSize), 0o600); err != nil {
		return err
	}
	f, err := aiofile.Open(ctx, name)
	if err != nil {
		return err
	}
	var got []byte
	readAll := func(context.Context) error {
		buf := make([]byte, fileSize/3) // more than is read on the loop
		for {
			n, err := f.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	s.do = readAll
	s.check = func(ctx context.Context, _ error) error {
		if err := readAll(ctx); err != nil || !bytes.Equal(got, data(fileSize)) {
			return fmt.Errorf("read %d bytes: %w", len(got), err)
		}
		return f.Close()
	}
	return nil
}

// Lines that is cancelled has handed on whole lines, in order; its last round has the cause.
func readsLines(ctx context.Context, s *stage) error {
	name := filepath.Join(s.dir, "file")
	const lines, width = 20_000, 100
	if err := os.WriteFile(name, bytes.Repeat([]byte(strings.Repeat("x", width-1)+"\n"), lines), 0o600); err != nil {
		return err
	}
	f, err := aiofile.Open(ctx, name)
	if err != nil {
		return err
	}
	got := 0
	s.do = func(ctx context.Context) error {
		for line, err := range f.Lines(ctx) {
			if err != nil {
				return err
			}
			if got++; len(line) != width-1 {
				return fmt.Errorf("line %d has %d bytes", got, len(line))
			}
		}
		if got != lines {
			return fmt.Errorf("there were %d lines", got)
		}
		return nil
	}
	s.check = func(context.Context, error) error { return f.Close() }
	return nil
}

// A cancelled Lock does not have the lock.
func locks(lock func(*aiofile.File, context.Context) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		name := filepath.Join(s.dir, "lock")
		first, err := aiofile.Create(ctx, name)
		if err != nil {
			return err
		}
		if err := first.Lock(ctx); err != nil {
			return err
		}
		second, err := aiofile.Open(ctx, name)
		if err != nil {
			return err
		}
		s.nudge = func() { _ = first.Close() }
		s.do = func(ctx context.Context) error { return lock(second, ctx) }
		s.check = func(ctx context.Context, err error) error {
			_ = first.Close()
			return errors.Join(wantLocked(ctx, name, err == nil), second.Close())
		}
		return nil
	}
}

func triesLock(f *aiofile.File, ctx context.Context) error {
	for {
		locked, err := f.TryLock(ctx)
		if locked || err != nil {
			return err
		}
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// A cancelled Unlock leaves the lock.
func unlocks(ctx context.Context, s *stage) error {
	name := filepath.Join(s.dir, "lock")
	f, err := aiofile.Create(ctx, name)
	if err != nil {
		return err
	}
	s.do = f.Unlock
	s.check = func(ctx context.Context, err error) error {
		return errors.Join(wantLocked(ctx, name, err != nil), f.Close())
	}
	return f.Lock(ctx)
}

// wantLocked returns an error unless the file is locked, or is not.
func wantLocked(ctx context.Context, name string, locked bool) error {
	f, err := aiofile.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := f.TryLock(ctx)
	if err == nil && got == locked {
		err = fmt.Errorf("it is locked: %v, want %v", !got, locked)
	}
	return err
}

// pipeOpener returns both ends of a pipe or its like: ours, and another one, which does not belong to the loop.
type pipeOpener = func(ctx context.Context, s *stage) (ours *aiofile.Pipe, theirs *os.File, err error)

// pipeEnds returns both ends of a pipe, the one for reading (0) or for writing (1) first.
func pipeEnds(s *stage, first int) (ours, theirs *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	s.cleanup(func() { r.Close() })
	s.cleanup(func() { w.Close() })
	if first == 0 {
		return r, w, nil
	}
	return w, r, nil
}

// pipe is one whose first end is ours.
func pipe(first int) pipeOpener {
	return func(ctx context.Context, s *stage) (*aiofile.Pipe, *os.File, error) {
		f, theirs, err := pipeEnds(s, first)
		if err != nil {
			return nil, nil, err
		}
		ours, err := aiofile.NewPipe(ctx, f)
		return ours, theirs, err
	}
}

// standard makes one end a standard stream.
func standard(stream **os.File, open func(context.Context) (*aiofile.Pipe, error), first int) pipeOpener {
	return func(ctx context.Context, s *stage) (*aiofile.Pipe, *os.File, error) {
		f, theirs, err := pipeEnds(s, first)
		if err != nil {
			return nil, nil, err
		}
		before := *stream
		*stream = f
		s.cleanup(func() { *stream = before })
		ours, err := open(ctx)
		return ours, theirs, err
	}
}

// blockingSocket is one whose flags are left alone, so that goroutines read and write.
func blockingSocket(ctx context.Context, s *stage) (*aiofile.Pipe, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	small := syscall.SetsockoptInt(fds[0], syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1)
	if err := errors.Join(small, syscall.SetNonblock(fds[1], true)); err != nil {
		return nil, nil, err
	}
	f, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	s.cleanup(func() { f.Close() })
	s.cleanup(func() { theirs.Close() })
	ours, err := aiofile.NewPipe(ctx, f)
	return ours, theirs, err
}

func terminal(ctx context.Context, s *stage) (*aiofile.Pipe, *os.File, error) {
	ours, theirs, err := aiofile.OpenPTY(ctx)
	if err == nil {
		s.cleanup(func() { theirs.Close() })
	}
	return ours, theirs, err
}

// A cancelled Read has taken nothing.
func readsPipe(open pipeOpener) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		left := []byte("some words that come in pieces")
		want, got := string(left), []byte(nil)
		s.nudge = func() {
			if len(left) > 0 {
				theirs.Write(left[:5])
				left = left[5:]
			}
		}
		readAll := func(context.Context) error {
			buf := make([]byte, 7)
			for len(got) < len(want) {
				n, err := ours.Read(buf)
				if got = append(got, buf[:n]...); err != nil {
					return err
				}
			}
			return nil
		}
		s.do = readAll
		s.check = func(ctx context.Context, _ error) error {
			if err := readAll(ctx); err != nil || string(got) != want {
				return fmt.Errorf("read %q, %w", got, err)
			}
			return ours.Close()
		}
		return nil
	}
}

// A cancelled Write returns how much is on its way.
func writesPipe(open pipeOpener, size int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := open(ctx, s)
		if err != nil {
			return err
		}
		var got []byte
		read := func(n int, patience time.Duration) error {
			theirs.SetReadDeadline(time.Now().Add(patience))
			part := make([]byte, n)
			n, err := io.ReadFull(theirs, part)
			got = append(got, part[:n]...)
			return err
		}
		s.nudge = func() { _ = read(size/7, time.Millisecond) }
		written := 0
		s.do = func(context.Context) (err error) {
			written, err = ours.Write(data(size))
			return err
		}
		s.check = func(ctx context.Context, _ error) error {
			s.nudge = nil
			err := read(max(0, written-len(got)), 5*time.Second)
			if err := errors.Join(err, ours.Close()); err != nil {
				return fmt.Errorf("%d of %d bytes arrived: %w", len(got), written, err)
			}
			_ = read(1, time.Millisecond)
			if !bytes.Equal(got, data(written)) {
				return fmt.Errorf("%d bytes arrived, want the %d that Write reported", len(got), written)
			}
			return nil
		}
		return nil
	}
}
