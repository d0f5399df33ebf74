//go:build linux

package aiofile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/engine"
)

func TestPipe_cancelledRead_hasTakenNothing(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, w := open(ctx)
			reading := asyncio.Go(ctx, func(context.Context) error {
				n, err := r.Read(make([]byte, 10))
				if n != 0 {
					t.Errorf("it returned %d bytes", n)
				}
				return err
			})
			must(t, asyncio.Yield(ctx))
			reading.Cancel()
			if _, err := reading.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Read = %v", err)
			}
			_, err := io.WriteString(w, "hello")
			must(t, err)
			b := make([]byte, 5)
			if _, err := io.ReadFull(r, b); err != nil || string(b) != "hello" {
				t.Errorf("the next Read = %q, %v", b, err)
			}
			return nil
		})
	})
}

func TestPipe_cancelledWrite_saysHowMuchIsOnItsWay(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, w := open(ctx)
			sent := bytes.Repeat([]byte("0123456789"), 200_000)
			n := 0
			writing := asyncio.Go(ctx, func(context.Context) (err error) {
				n, err = w.Write(sent)
				return err
			})
			first := make([]byte, 1000)
			_, err := io.ReadFull(r, first)
			must(t, err)
			writing.Cancel()
			if _, err := writing.Await(ctx); !errors.Is(err, context.Canceled) || n < 1000 || n == len(sent) {
				t.Errorf("Write = %d, %v", n, err)
			}
			must(t, w.Close())
			rest, err := io.ReadAll(r)
			if got := append(first, rest...); err != nil || !bytes.Equal(got, sent[:n]) {
				t.Errorf("%d bytes came of the %d that Write told, %v", len(got), n, err)
			}
			return nil
		})
	})
}

func TestPipe_doneContext_failsAndTakesNothing(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, w := open(ctx)
			_, err := io.WriteString(w, "x")
			must(t, err)
			gone, cancel := asyncio.WithCancel(ctx)
			cancel(nil)
			_ = asyncio.Enter(gone, func() error {
				if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.Canceled) {
					t.Errorf("Read = %d, %v", n, err)
				}
				if n, err := w.Write([]byte("y")); n != 0 || !errors.Is(err, context.Canceled) {
					t.Errorf("Write = %d, %v", n, err)
				}
				return nil
			})
			must(t, w.Close())
			if b, err := io.ReadAll(r); err != nil || string(b) != "x" {
				t.Errorf("read %q, %v", b, err)
			}
			return nil
		})
	})
}

func TestPipe_close_endsWhoWaitsInBothWorlds(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, _ := open(ctx)
			foreign := make(chan error)
			go func() {
				_, err := r.Read(make([]byte, 1))
				foreign <- err
			}()
			reading := asyncio.Go(ctx, func(context.Context) error {
				_, err := r.Read(make([]byte, 1))
				return err
			})
			must(t, asyncio.Yield(ctx))
			must(t, r.Close())
			if _, err := reading.Await(ctx); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Read on the loop = %v", err)
			}
			if err := <-foreign; !errors.Is(err, os.ErrClosed) {
				t.Errorf("Read elsewhere = %v", err)
			}
			return nil
		})
	})
}

// A library may hold up the loop until its own goroutine has done something with our pipe.
func TestPipe_loopIsBlocked_otherGoroutinesGoOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, w := open(ctx)
			done := make(chan string)
			go func() {
				b, err := io.ReadAll(r)
				if err != nil {
					t.Error(err)
				}
				done <- string(b)
			}()
			go func() {
				if _, err := io.WriteString(w, "hello"); err != nil {
					t.Error(err)
				}
				w.Close()
			}()
			if text := <-done; text != "hello" {
				t.Errorf("read %q", text)
			}
			return nil
		})
	})
}

func TestPipe_deadline_isOnTheLoopsClock(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			r, _ := open(ctx)
			l := asyncio.RunningLoop(ctx)
			start := l.Time()
			must(t, r.SetReadDeadline(l.Now().Add(time.Hour)))
			for range 2 {
				if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !os.IsTimeout(err) {
					t.Errorf("Read = %v", err)
				}
			}
			if d := l.Time() - start; d != time.Hour {
				t.Errorf("it took %v", d)
			}
			return nil
		}, asyncio.WithVirtualClock())
		must(t, err)
	})
}

// conformance: pipe-02
func TestPipe_loopHasEnded_isClosedAndStillSaysWhatItIs(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		var r, w *aiofile.Pipe
		withLoop(t, func(ctx context.Context) error {
			r, w = open(ctx)
			if s := r.String(); !strings.Contains(s, r.Name()) || strings.Contains(s, "closed") {
				t.Error(s)
			}
			return nil
		})
		if s := r.String(); !strings.Contains(s, r.Name()) || !strings.Contains(s, "closed") {
			t.Error(s)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read = %v", err)
		}
		if _, err := w.Write(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write = %v", err)
		}
	})
}

func TestPipe_writesOfSeveral_stayInOnePiece(t *testing.T) {
	onEachKind(t, func(t *testing.T, open func(context.Context) (r, w *aiofile.Pipe)) {
		withLoop(t, func(ctx context.Context) error {
			r, w := open(ctx)
			const size, writers = 100_000, 4
			for i := range writers {
				block := bytes.Repeat([]byte{byte('a' + i)}, size)
				if i%2 == 0 {
					go w.Write(block)
				} else {
					asyncio.Go(ctx, func(context.Context) error {
						_, err := w.Write(block)
						return err
					})
				}
			}
			b := make([]byte, size)
			for range writers {
				if _, err := io.ReadFull(r, b); err != nil || bytes.Count(b, b[:1]) != size {
					t.Errorf("a Write was torn apart, %v", err)
				}
			}
			return nil
		})
	})
}

func TestPipe_inACallback_failsWhereItWouldWait(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		r, w := openPipe(t, ctx)
		end := asyncio.NewFuture[asyncio.None](asyncio.RunningLoop(ctx))
		asyncio.RunningLoop(ctx).CallSoon(func() {
			defer end.SetResult(asyncio.None{})
			b := make([]byte, 10)
			if _, err := r.Read(b); !errors.Is(err, aiofile.ErrWouldWait) {
				t.Errorf("Read of nothing = %v", err)
			}
			if n, err := w.Write([]byte("x")); n != 1 || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
		})
		_, err := end.Await(ctx)
		must(t, err)
		n, err := w.Write(nil)
		if n != 0 || err != nil {
			t.Errorf("Write of nothing = %d, %v", n, err)
		}
		_, err = io.ReadFull(r, make([]byte, 1))
		return err
	})
}

func TestPipe_readAndWrite_allocateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	withLoop(t, func(ctx context.Context) error {
		r, w := openPipe(t, ctx)
		back, answer := openPipe(t, ctx)
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			t.Skip("the portable poller starts a goroutine for each wait")
		}
		asyncio.Go(ctx, func(context.Context) error {
			_, err := io.Copy(struct{ io.Writer }{answer}, struct{ io.Reader }{r})
			return err
		})
		b := make([]byte, 64)
		echo := func() {
			if _, err := w.Write(b); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(back, b); err != nil {
				t.Error(err)
			}
		}
		echo()
		if n := testing.AllocsPerRun(200, echo); n != 0 {
			t.Errorf("%v allocations an echo", n)
		}
		return w.Close()
	})
}

// asChild runs a test as a program of its own, in which child is true.
func asChild(t *testing.T, stdin, stdout *os.File) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "AIOFILE_CHILD=1")
	cmd.Stdin, cmd.Stdout = stdin, stdout
	return cmd
}

var child = os.Getenv("AIOFILE_CHILD") != ""

func TestStdout_nobodyReadsDescriptorOne_isEPIPEAndNoSignal(t *testing.T) {
	if child {
		withLoop(t, func(ctx context.Context) error {
			out, err := aiofile.Stdout(ctx)
			must(t, err)
			if _, err := out.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				os.Exit(4)
			}
			os.Exit(3)
			return nil
		})
	}
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	r.Close()
	cmd := asChild(t, nil, w)
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 3 {
		t.Error(err)
	}
}

// The shell goes on with its terminal, whatever has become of the program.
func TestStdin_terminalOfAProgramThatPanics_isLeftAsItWas(t *testing.T) {
	if child {
		withLoop(t, func(ctx context.Context) error {
			in, err := aiofile.Stdin(ctx)
			must(t, err)
			out, err := aiofile.Stdout(ctx)
			must(t, err)
			b := make([]byte, 100)
			n, err := in.Read(b)
			must(t, err)
			_, err = out.Write(b[:n])
			must(t, err)
			go panic("the end")
			_, err = in.Read(b)
			return err
		})
	}
	withLoop(t, func(ctx context.Context) error {
		primary, secondary := openPTY(t, ctx)
		before, err := unix.IoctlGetTermios(int(secondary.Fd()), unix.TCGETS)
		must(t, err)
		cmd := asChild(t, secondary, secondary)
		must(t, cmd.Start())
		_, err = io.WriteString(primary, "typed\n")
		must(t, err)
		b := make([]byte, 6)
		if _, err := io.ReadFull(primary, b); err != nil || string(b) != "typed\n" {
			t.Errorf("the program wrote %q, %v", b, err)
		}
		_, err = asyncio.ToThread(ctx, func() (asyncio.None, error) { return asyncio.None{}, cmd.Wait() })
		if err == nil {
			t.Error("the program did not panic")
		}
		after, err := unix.IoctlGetTermios(int(secondary.Fd()), unix.TCGETS)
		if err != nil || *after != *before {
			t.Errorf("the terminal's settings have changed, %v", err)
		}
		if flags, err := unix.FcntlInt(secondary.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("the flags are %#x, %v", flags, err)
		}
		return nil
	})
}
