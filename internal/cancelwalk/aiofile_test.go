//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/aiofile"
)

const fileSize = 3<<20 + 1 // bytes

func TestAiofile(t *testing.T) {
	testAll(t, []walk{
		{"ReadFile", 1, files(func(ctx context.Context, dir string) error {
			got, err := aiofile.ReadFile(ctx, dir+"/file")
			if err == nil && !bytes.Equal(got, data(fileSize)) {
				err = fmt.Errorf("read %d bytes", len(got))
			}
			return err
		})},
		{"WriteFile, Atomic", 1, files(func(ctx context.Context, dir string) error {
			return aiofile.WriteFile(ctx, dir+"/file", data(2*fileSize), 0o600, aiofile.Atomic())
		})},
		{"Copy", 1, files(func(ctx context.Context, dir string) error {
			_, err := aiofile.Copy(ctx, dir+"/copy", dir+"/file", aiofile.Atomic())
			return err
		})},
		{"ReadDir, Stat, Rename, Remove", 2, files(func(ctx context.Context, dir string) error {
			entries, err := aiofile.ReadDir(ctx, dir)
			if err != nil || len(entries) != 1 {
				return errors.Join(err, fmt.Errorf("%v", entries))
			}
			if _, err := aiofile.Stat(ctx, dir+"/file"); err != nil {
				return err
			}
			if err := aiofile.Rename(ctx, dir+"/file", dir+"/copy"); err != nil {
				return err
			}
			return aiofile.Rename(ctx, dir+"/copy", dir+"/file")
		})},
		{"WalkDir", 1, files(func(ctx context.Context, dir string) error {
			for _, err := range aiofile.WalkDir(ctx, dir) {
				if err != nil {
					return err
				}
			}
			return nil
		})},
		{"Open and File.Read", 1, files(func(ctx context.Context, dir string) error {
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
		{"File.Write", 1, writesFile},
		{"File.Lock", 1, locks},
		{"Pipe.Read", 1, readsPipe},
		{"Pipe.Write", 1, writesPipe},
	})
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
func writesFile(ctx context.Context, s *stage) error {
	f, err := aiofile.Create(ctx, filepath.Join(s.dir, "file"))
	if err != nil {
		return err
	}
	written := 0
	s.do = func(context.Context) (err error) {
		written, err = f.Write(data(much))
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
		if want := append(data(much)[:written], "the end"...); !bytes.Equal(got, want) {
			return fmt.Errorf("the file has %d bytes, want the %d that Write reported and 7 (%v)", len(got), written, err)
		}
		return nil
	}
	return nil
}

// A cancelled Lock does not have the lock.
func locks(ctx context.Context, s *stage) error {
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
	s.do = second.Lock
	s.check = func(ctx context.Context, err error) error {
		_ = first.Close()
		third, failed := aiofile.Open(ctx, name)
		if failed != nil {
			return failed
		}
		defer third.Close()
		got, failed := third.TryLock(ctx)
		if failed == nil && got != (err != nil) {
			failed = fmt.Errorf("Lock = %v, and another one may lock: %v", err, got)
		}
		return errors.Join(failed, second.Close())
	}
	return nil
}

// A cancelled Read has taken nothing.
func readsPipe(ctx context.Context, s *stage) error {
	r, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	s.cleanup(func() { theirs.Close() })
	ours, err := aiofile.NewPipe(ctx, r)
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

// A cancelled Write returns how much is on its way.
func writesPipe(ctx context.Context, s *stage) error {
	theirs, w, err := os.Pipe()
	if err != nil {
		return err
	}
	s.cleanup(func() { theirs.Close() })
	ours, err := aiofile.NewPipe(ctx, w)
	if err != nil {
		return err
	}
	const size = 300_000 // bytes: a pipe has room for 65,536
	var got []byte
	s.nudge = func() {
		theirs.SetReadDeadline(time.Now().Add(time.Millisecond))
		part := make([]byte, 30_000)
		n, _ := theirs.Read(part)
		got = append(got, part[:n]...)
	}
	written := 0
	s.do = func(context.Context) (err error) {
		written, err = ours.Write(data(size))
		return err
	}
	s.check = func(ctx context.Context, _ error) error {
		s.nudge = nil
		if err := ours.Close(); err != nil {
			return err
		}
		theirs.SetReadDeadline(time.Time{})
		rest, err := io.ReadAll(theirs)
		if got = append(got, rest...); !bytes.Equal(got, data(size)[:written]) {
			return fmt.Errorf("%d bytes arrived, want the %d that Write reported (%v)", len(got), written, err)
		}
		return nil
	}
	return nil
}
