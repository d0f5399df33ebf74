//go:build linux

package aiofile_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
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

// duplex is a connection of two pipes.
type duplex struct{ r, w *aiofile.Pipe }

func (d duplex) Read(p []byte) (int, error)         { return asNet(d.r.Read(p)) }
func (d duplex) Write(p []byte) (int, error)        { return asNet(d.w.Write(p)) }
func (d duplex) Close() error                       { return errors.Join(d.r.Close(), d.w.Close()) }
func (d duplex) LocalAddr() net.Addr                { return &net.UnixAddr{Net: "pipe"} }
func (d duplex) RemoteAddr() net.Addr               { return &net.UnixAddr{Net: "pipe"} }
func (d duplex) SetReadDeadline(t time.Time) error  { return d.r.SetReadDeadline(t) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.w.SetWriteDeadline(t) }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.r.SetReadDeadline(t), d.w.SetWriteDeadline(t))
}

// asNet makes a net.Error of one of package os.
func asNet(n int, err error) (int, error) {
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, &net.OpError{Op: "use", Net: "pipe", Err: err}
}

// inCoroutines is a duplex whose calls happen in coroutines, but for Close.
type inCoroutines struct {
	duplex
	loop *asyncio.Loop
}

func (c inCoroutines) Read(p []byte) (int, error) {
	return on(c.loop, func(context.Context) (int, error) { return c.duplex.Read(p) })
}

func (c inCoroutines) Write(p []byte) (int, error) {
	return on(c.loop, func(context.Context) (int, error) { return c.duplex.Write(p) })
}

// on runs fn as a coroutine of l, from any goroutine.
func on[T any](l *asyncio.Loop, fn asyncio.Coroutine[T]) (T, error) {
	return asyncio.RunThreadsafe(l, fn).Wait(context.Background())
}

// background is a loop that runs beside the test until it ends.
func background(t testing.TB) *asyncio.Loop {
	t.Helper()
	loops := make(chan *asyncio.Loop)
	ended := make(chan error)
	var stop func()
	go func() {
		ended <- asyncio.Run(context.Background(), func(ctx context.Context) error {
			l := asyncio.RunningLoop(ctx)
			end := asyncio.NewFuture[asyncio.None](l)
			stop = func() { _ = l.CallSoonThreadsafe(func() { end.SetResult(asyncio.None{}) }) }
			loops <- l
			_, err := end.Await(ctx)
			return err
		})
	}()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	return <-loops
}

func TestPipe_twoOfThem_areANetConn(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		for _, mode := range []string{"goroutines", "coroutines", "mixed"} {
			t.Run(mode, func(t *testing.T) {
				l := background(t)
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					ends, err := on(l, func(ctx context.Context) (ends [2]duplex, err error) {
						ends[0].r, ends[1].w = open(ctx)
						ends[1].r, ends[0].w = open(ctx)
						return ends, nil
					})
					c1, c2 = ends[0], ends[1]
					if mode != "goroutines" {
						c1 = inCoroutines{ends[0], l}
					}
					if mode == "coroutines" {
						c2 = inCoroutines{ends[1], l}
					}
					return c1, c2, func() { c1.Close(); c2.Close() }, err
				})
			})
		}
	})
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
