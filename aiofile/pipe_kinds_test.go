//go:build linux

package aiofile_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/aiofile"
)

// A kind is a way in which the system, and Pipe, serve a descriptor. Each makes one that goes from w to r.
type kind struct {
	name string
	open func(t testing.TB) (r, w *os.File)
}

// kinds are pipes that do not block, pipes that do and can be had once more, and what a goroutine has to wait for.
var kinds = []kind{
	{"pipe", func(t testing.TB) (r, w *os.File) {
		r, w, err := os.Pipe()
		must(t, err)
		return r, w
	}},
	{"blocking pipe", func(t testing.TB) (r, w *os.File) {
		var p [2]int
		must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		return os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	}},
	{"FIFO", func(t testing.TB) (r, w *os.File) {
		name := filepath.Join(t.TempDir(), "fifo")
		must(t, unix.Mkfifo(name, 0o600))
		rfd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		must(t, err)
		w, err = os.OpenFile(name, os.O_WRONLY, 0)
		must(t, err)
		return os.NewFile(uintptr(rfd), name), w
	}},
	{"blocking socket", func(t testing.TB) (r, w *os.File) {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		return os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	}},
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onEachKind(t *testing.T, test func(t *testing.T, open func(ctx context.Context) (r, w *aiofile.Pipe))) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			test(t, func(ctx context.Context) (r, w *aiofile.Pipe) {
				fr, fw := k.open(t)
				r, err := aiofile.NewPipe(ctx, fr)
				must(t, err)
				w, err = aiofile.NewPipe(ctx, fw)
				must(t, err)
				return r, w
			})
		})
	}
}

func TestPipe_blockingDescriptor_keepsItsFlags(t *testing.T) {
	for _, k := range kinds[1:] {
		t.Run(k.name, func(t *testing.T) {
			fr, fw := k.open(t)
			shared, err := unix.FcntlInt(fw.Fd(), unix.F_DUPFD_CLOEXEC, 0) // as the shell has it
			must(t, err)
			defer unix.Close(shared)
			must(t, unix.SetNonblock(shared, false))
			withLoop(t, func(ctx context.Context) error {
				r, err := aiofile.NewPipe(ctx, fr)
				must(t, err)
				w, err := aiofile.NewPipe(ctx, os.NewFile(uintptr(dup(t, shared)), "w"))
				must(t, err)
				fw.Close()
				if _, err := w.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
					t.Error(err)
				}
				if flags, err := unix.FcntlInt(uintptr(shared), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
					t.Errorf("the flags are %#x, %v", flags, err)
				}
				return nil
			})
		})
	}
}

func dup(t testing.TB, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	return n
}
