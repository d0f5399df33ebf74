// Command mirror makes one directory tree equal to another:
//
//	mirror -n photos /backup/photos    says what it would do
//	mirror photos /backup/photos       does it
//	mirror -v photos /backup/photos    names what it has copied
//
// What the first tree does not have is removed from the second; files and symbolic links that differ are copied. A file
// differs if its size, its time or its permission does. So what was stopped, by Ctrl-C, SIGTERM or a crash, goes on where
// it was when it is started again, and nobody ever sees half a file. Owners, devices and sockets are not copied.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func main() {
	m := &mirror{}
	flag.BoolVar(&m.dry, "n", false, "only say what would be done")
	flag.BoolVar(&m.verbose, "v", false, "name what has been copied")
	flag.IntVar(&m.jobs, "jobs", 8, "how many files are copied at once")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: mirror [flags] from to")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 || m.jobs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { fmt.Fprintln(os.Stderr, "mirror: stopping") })()
	err := asyncio.Run(ctx, func(ctx context.Context) error { return m.run(ctx, flag.Arg(0), flag.Arg(1)) },
		asyncio.WithInterrupt(false))
	fmt.Printf("%d copied (%d bytes), %d as they were, %d removed\n", m.copied, m.bytes, m.same, m.removed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mirror:", err)
		os.Exit(1)
	}
}

// mirror is the whole program. Its tasks share it without locks: only one of them runs at a time.
type mirror struct {
	dry, verbose bool
	jobs         int
	from, to     string

	copied, same, removed int
	bytes                 int64
}

func (m *mirror) run(ctx context.Context, from, to string) (err error) {
	if m.from, err = filepath.Abs(from); err != nil {
		return err
	}
	if m.to, err = filepath.Abs(to); err != nil {
		return err
	}
	if within(m.from, m.to) || within(m.to, m.from) {
		return fmt.Errorf("one of %s and %s is in the other; give two trees that are apart", m.from, m.to)
	}
	info, err := aiofile.Lstat(ctx, m.from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: %w", m.from, syscall.ENOTDIR)
	}
	if err := m.clear(ctx); err != nil {
		return err
	}
	return m.fill(ctx)
}

func within(tree, path string) bool {
	rel, err := filepath.Rel(tree, path)
	return err == nil && filepath.IsLocal(rel)
}

// clear removes what the first tree does not have, or has as something else.
func (m *mirror) clear(ctx context.Context) error {
	for e, err := range aiofile.WalkDir(ctx, m.to) {
		if e == nil && errors.Is(err, fs.ErrNotExist) {
			return nil // there is no second tree yet
		}
		if err != nil {
			return err
		}
		model, err := aiofile.Lstat(ctx, m.from+e.Path[len(m.to):])
		switch {
		case err == nil && model.Mode().Type() == e.Type():
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case e.Path == m.to:
			return fmt.Errorf("%s: %w", m.to, syscall.ENOTDIR)
		}
		e.SkipDir()
		m.removed++
		if m.only("remove", e.Path) {
			continue
		}
		if err := aiofile.RemoveAll(ctx, e.Path); err != nil {
			return err
		}
	}
	return nil
}

// only says what would be done, if that is all that is wanted.
func (m *mirror) only(what, path string) bool {
	if m.dry {
		fmt.Println(what, path)
	}
	return m.dry
}

// fill copies what is missing in the second tree or differs, some at once.
func (m *mirror) fill(ctx context.Context) error {
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		room := asyncio.NewSemaphore(m.jobs)
		for e, err := range aiofile.WalkDir(ctx, m.from) {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			to := m.to + e.Path[len(m.from):]
			if e.IsDir() { // before what is in it
				if err := m.mkdir(ctx, to, info); err != nil {
					return err
				}
				continue
			}
			if err := room.Acquire(ctx); err != nil {
				return err
			}
			g.Go(func(ctx context.Context) error {
				defer room.Release()
				return m.copy(ctx, e.Path, to, info)
			})
		}
		return nil
	})
}

func (m *mirror) mkdir(ctx context.Context, to string, info fs.FileInfo) error {
	if _, err := aiofile.Lstat(ctx, to); err == nil || m.only("make", to) {
		return nil
	}
	return aiofile.MkdirAll(ctx, to, info.Mode().Perm()|0o700)
}

// copy brings what is no directory up to date.
func (m *mirror) copy(ctx context.Context, from, to string, info fs.FileInfo) error {
	switch {
	case info.Mode().IsRegular():
		return m.copyFile(ctx, from, to, info)
	case info.Mode().Type() == fs.ModeSymlink:
		return m.copyLink(ctx, from, to)
	}
	fmt.Fprintln(os.Stderr, "mirror: neither a file nor a link, and not copied:", from)
	return nil
}

func (m *mirror) copyFile(ctx context.Context, from, to string, info fs.FileInfo) error {
	old, err := aiofile.Lstat(ctx, to)
	if err == nil && old.Size() == info.Size() && old.ModTime().Equal(info.ModTime()) && old.Mode() == info.Mode() {
		m.same++
		return nil
	}
	if !m.only("copy", to) {
		if _, err := aiofile.Copy(ctx, to, from, aiofile.Atomic()); err != nil {
			return err
		}
		// The time comes last, so that a file which has it has everything; and also when ctx has ended meanwhile.
		err := asyncio.Shield(ctx, func(ctx context.Context) error {
			return errors.Join(aiofile.Chmod(ctx, to, info.Mode()), aiofile.Chtimes(ctx, to, time.Time{}, info.ModTime()))
		})
		if err != nil {
			return err
		}
	}
	m.done(to)
	m.bytes += info.Size()
	return nil
}

func (m *mirror) copyLink(ctx context.Context, from, to string) error {
	target, err := aiofile.Readlink(ctx, from)
	if err != nil {
		return err
	}
	if old, err := aiofile.Readlink(ctx, to); err == nil && old == target {
		m.same++
		return nil
	}
	if !m.only("copy", to) {
		err := asyncio.Shield(ctx, func(ctx context.Context) error {
			fresh := to + ".mirror" // takes the place of the old one in one step
			if err := aiofile.Symlink(ctx, target, fresh); err != nil {
				return err
			}
			return aiofile.Rename(ctx, fresh, to)
		})
		if err != nil {
			return err
		}
	}
	m.done(to)
	return nil
}

// done counts what has been copied, or would have been.
func (m *mirror) done(to string) {
	m.copied++
	if m.verbose {
		fmt.Println("copied", to)
	}
}
