//go:build linux

package aiofile_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// openPTY returns a pseudo-terminal of the running loop that does not echo.
func openPTY(t testing.TB, ctx context.Context) (primary *aiofile.Pipe, secondary *os.File) {
	t.Helper()
	primary, secondary, err := aiofile.OpenPTY(ctx)
	must(t, err)
	t.Cleanup(func() { secondary.Close() })
	_, err = term.MakeRaw(int(secondary.Fd())) // Fd also makes it block, as a child's would
	must(t, err)
	return primary, secondary
}

// conformance: pipe-03
func TestOpenPTY_secondaryCloses_isTheEnd(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		primary, secondary := openPTY(t, ctx)
		reading := asyncio.CreateTask(ctx, func(context.Context) (string, error) {
			b, err := io.ReadAll(primary)
			return string(b), err
		})
		must(t, asyncio.Yield(ctx))
		_, err := secondary.WriteString("1\n22\n")
		must(t, err)
		must(t, secondary.Close())
		text, err := reading.Await(ctx)
		if text != "1\n22\n" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
		return nil
	})
}

// conformance: pipe-05
func TestOpenPTY_readAndWrittenAtOnce(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		primary, secondary := openPTY(t, ctx)
		other, err := aiofile.NewPipe(ctx, secondary)
		must(t, err)
		text := strings.Repeat("0123456789", 2000)
		for _, ends := range [][2]*aiofile.Pipe{{primary, other}, {other, primary}} {
			asyncio.Go(ctx, func(context.Context) error {
				_, err := io.WriteString(ends[0], text)
				return err
			})
		}
		for _, p := range []*aiofile.Pipe{primary, other} {
			b := make([]byte, len(text))
			if _, err := io.ReadFull(p, b); err != nil || string(b) != text {
				t.Errorf("%v: %v", p, err)
			}
		}
		return nil
	})
}

// A thread in a call that blocks could not be taken back, and would keep the terminal from hanging up.
func TestOpenPTY_primary_doesNotBlock(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		primary, _ := openPTY(t, ctx)
		rc, err := primary.SyscallConn()
		must(t, err)
		return rc.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("the flags are %#x, %v", flags, err)
			}
		})
	})
}

func TestNewPipe_terminal_isOpenedAnewAndKeepsItsFlags(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		primary, secondary := openPTY(t, ctx)
		must(t, unix.SetNonblock(int(secondary.Fd()), false))
		shared := dup(t, int(secondary.Fd()))
		defer unix.Close(shared)
		p, err := aiofile.NewPipe(ctx, secondary)
		must(t, err)
		if _, err := secondary.Write(nil); !errors.Is(err, os.ErrClosed) {
			t.Errorf("what was taken over is still open: %v", err)
		}
		reading := asyncio.CreateTask(ctx, func(context.Context) (string, error) {
			return bufio.NewReader(p).ReadString('\n')
		})
		must(t, asyncio.Yield(ctx))
		if flags, err := unix.FcntlInt(uintptr(shared), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("while it is read the flags are %#x, %v", flags, err)
		}
		_, err = io.WriteString(primary, "typed\n")
		must(t, err)
		line, err := reading.Await(ctx)
		if line != "typed\n" {
			t.Errorf("read %q", line)
		}
		return err
	})
}

// replaceStd lets os.Stdin and os.Stdout be other files for the test.
func replaceStd(t testing.TB, in, out *os.File) {
	oldIn, oldOut := os.Stdin, os.Stdout
	os.Stdin, os.Stdout = in, out
	t.Cleanup(func() { os.Stdin, os.Stdout = oldIn, oldOut })
}

func TestStdin_pipesOfAllKinds_areReadAndStayOpen(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r, w := k.open(t)
			defer r.Close()
			defer w.Close()
			replaceStd(t, r, w)
			withLoop(t, func(ctx context.Context) error {
				in, err := aiofile.Stdin(ctx)
				must(t, err)
				out, err := aiofile.Stdout(ctx)
				must(t, err)
				text := strings.Repeat("a line\n", 20_000)
				asyncio.Go(ctx, func(context.Context) error {
					_, err := io.WriteString(out, text)
					return err
				})
				b := make([]byte, len(text))
				if _, err := io.ReadFull(in, b); err != nil || string(b) != text {
					t.Error("not read as it was written", err)
				}
				must(t, in.Close())
				return out.Close()
			})
			for _, f := range []*os.File{r, w} {
				if _, err := f.Stat(); err != nil {
					t.Errorf("%s was closed: %v", f.Name(), err)
				}
			}
		})
	}
}

func TestStdin_file_isReadFromItsPositionToItsEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	text := strings.Repeat("0123456789", 30_000)
	must(t, os.WriteFile(name, []byte(text), 0o600))
	in, err := os.Open(name)
	must(t, err)
	defer in.Close()
	_, err = in.Seek(5, io.SeekStart)
	must(t, err)
	out, err := os.Create(name + " copy")
	must(t, err)
	defer out.Close()
	replaceStd(t, in, out)
	withLoop(t, func(ctx context.Context) error {
		in, err := aiofile.Stdin(ctx)
		must(t, err)
		out, err := aiofile.Stdout(ctx)
		must(t, err)
		_, err = io.Copy(out, in)
		return err
	})
	if b, err := os.ReadFile(name + " copy"); err != nil || string(b) != text[5:] {
		t.Errorf("copied %d bytes of %d, %v", len(b), len(text)-5, err)
	}
}

func TestStdin_devNull_isAtItsEndAndTakesAll(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	must(t, err)
	defer null.Close()
	replaceStd(t, null, null)
	withLoop(t, func(ctx context.Context) error {
		in, err := aiofile.Stdin(ctx)
		must(t, err)
		out, err := aiofile.Stdout(ctx)
		must(t, err)
		if n, err := in.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("Read = %d, %v", n, err)
		}
		if n, err := out.Write(make([]byte, 10_000)); n != 10_000 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		return nil
	})
}

func TestStdin_closed_isAnError(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	r.Close()
	w.Close()
	replaceStd(t, r, w)
	withLoop(t, func(ctx context.Context) error {
		if _, err := aiofile.Stdin(ctx); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Stdin = %v", err)
		}
		return nil
	})
}

// A shell's terminal is shared with others: who has given up reading must not take what is meant for them.
func TestPipe_blockingSocket_cancelledReadLeavesTheDataToOthers(t *testing.T) {
	r, w := kinds[3].open(t)
	defer w.Close()
	defer r.Close()
	replaceStd(t, r, w)
	withLoop(t, func(ctx context.Context) error {
		in, err := aiofile.Stdin(ctx)
		must(t, err)
		reading := asyncio.Go(ctx, func(context.Context) error {
			n, err := in.Read(make([]byte, 10))
			if n != 0 {
				t.Errorf("a cancelled Read took %d bytes", n)
			}
			return err
		})
		must(t, asyncio.Yield(ctx))
		reading.Cancel()
		if _, err := reading.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Read = %v", err)
		}
		_, err = w.WriteString("for others")
		must(t, err)
		b := make([]byte, 100)
		if n, err := r.Read(b); string(b[:n]) != "for others" {
			t.Errorf("others read %q, %v", b[:n], err)
		}
		return in.Close()
	})
}

// conformance: pipe-04
func TestPipe_standardOutputThatNobodyReads_isEPIPEAndNoSignal(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r, w := k.open(t)
			defer w.Close()
			replaceStd(t, os.Stdin, w)
			withLoop(t, func(ctx context.Context) error {
				out, err := aiofile.Stdout(ctx)
				must(t, err)
				if _, err := out.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				r.Close()
				for err == nil {
					_, err = out.Write([]byte("x"))
				}
				if !errors.Is(err, syscall.EPIPE) {
					t.Error(err)
				}
				return nil
			})
		})
	}
}
