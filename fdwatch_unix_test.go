//go:build linux || darwin || freebsd || dragonfly

package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// onEachPoller gives the test a loop of its own on each poller of the system.
func onEachPoller(t *testing.T, test func(t *testing.T, loop *asyncio.Loop)) {
	for _, name := range poller.Names() {
		t.Run(name, func(t *testing.T) {
			loop, err := asyncio.NewLoop(asyncio.WithPoller(name))
			if err != nil {
				t.Fatal(err)
			}
			defer loop.Close()
			test(t, loop)
		})
	}
}

// fdPipe returns the ends of a pipe as descriptors, which are closed with the test.
func fdPipe(t testing.TB) (r, w uintptr) {
	t.Helper()
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range p {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
	}
	return uintptr(p[0]), uintptr(p[1])
}

func fdWrite(t testing.TB, fd uintptr, text string) {
	t.Helper()
	if _, err := syscall.Write(int(fd), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func fdRead(t testing.TB, fd uintptr) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := syscall.Read(int(fd), b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// add registers a callback that counts its calls.
func add(t testing.TB, to func(uintptr, func()) error, fd uintptr) (calls *int) {
	t.Helper()
	calls = new(int)
	if err := to(fd, func() { *calls++ }); err != nil {
		t.Fatal(err)
	}
	return calls
}

// turns runs the loop for n turns that have something to do.
func turns(t testing.TB, loop *asyncio.Loop, n int) {
	t.Helper()
	for range n {
		if !loop.RunOnce() {
			t.Fatal("the loop has nothing to do")
		}
	}
}

// conformance: loop-io-01
func TestAddReader_readyDescriptor_isCalledEachTurnUntilItIsRead(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		r, w := fdPipe(t)
		calls := 0
		text := ""
		if err := loop.AddReader(r, func() {
			if calls++; calls%3 == 0 {
				text += fdRead(t, r)
			}
		}); err != nil {
			t.Fatal(err)
		}
		for i, part := range []string{"ab", "cd"} {
			fdWrite(t, w, part)
			turns(t, loop, 3)
			if want := "abcd"[:2*i+2]; text != want || calls != 3*i+3 {
				t.Fatalf("%d calls read %q, want %q", calls, text, want)
			}
		}
		loop.CallSoon(func() {})
		if turns(t, loop, 1); calls != 6 {
			t.Error("called though there was nothing to read")
		}
		fdWrite(t, w, "e")
		if !loop.RemoveReader(r) || loop.RemoveReader(r) {
			t.Error("RemoveReader did not say right whether there was a callback")
		}
		loop.CallSoon(func() {})
		if turns(t, loop, 1); calls != 6 {
			t.Error("called after it was removed")
		}
	})
}

// conformance: loop-io-01
func TestAddWriter_room_isCalledEachTurnUntilThereIsNone(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		r, w := fdPipe(t)
		calls := add(t, loop.AddWriter, w)
		if turns(t, loop, 3); *calls != 3 {
			t.Fatalf("%d calls in 3 turns", *calls)
		}
		full := make([]byte, 1<<20)
		n, err := syscall.Write(int(w), full)
		if err != nil {
			t.Fatal(err)
		}
		loop.CallSoon(func() {})
		turns(t, loop, 1) // it may have been seen to be ready before
		before := *calls
		loop.CallSoon(func() {})
		if turns(t, loop, 1); *calls != before {
			t.Error("called though there was no room")
		}
		for n > 0 {
			k, err := syscall.Read(int(r), full)
			if err != nil {
				t.Fatal(err)
			}
			n -= k
		}
		if turns(t, loop, 1); *calls != before+1 {
			t.Error("not called though there was room again")
		}
	})
}

func TestAddReader_otherEndCloses_isCalled(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		calls := add(t, loop.AddReader, r.Fd())
		w.Close()
		if turns(t, loop, 2); *calls != 2 {
			t.Errorf("%d calls in 2 turns", *calls)
		}
		loop.RemoveReader(r.Fd())
	})
}

// conformance: loop-io-08
func TestAddReader_again_replacesTheOneAndKeepsTheOtherDirection(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		a, b := socketPair(t)
		writes := add(t, loop.AddWriter, a)
		first := add(t, loop.AddReader, a)
		fdWrite(t, b, "x")
		for *first == 0 || *writes == 0 {
			turns(t, loop, 1)
		}
		before := *first
		var second *int
		loop.CallSoon(func() { second = add(t, loop.AddReader, a) }) // while the first one's turn is coming
		turns(t, loop, 1)
		was := *writes
		for *second < 2 || *writes < was+2 {
			turns(t, loop, 1)
		}
		if *first > before+1 {
			t.Errorf("the one that was replaced was called %d times more", *first-before)
		}
		again := add(t, loop.AddWriter, a)
		was = *writes
		for *again < 2 {
			turns(t, loop, 1)
		}
		if *writes != was {
			t.Errorf("the writer that was replaced was called %d times more", *writes-was)
		}
	})
}

// conformance: loop-io-09
func TestRemoveReader_keepsTheWriter(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		a, b := socketPair(t)
		if loop.RemoveReader(a) || loop.RemoveWriter(a) {
			t.Error("there was a callback that nobody has added")
		}
		reads, writes := add(t, loop.AddReader, a), add(t, loop.AddWriter, a)
		fdWrite(t, b, "x")
		if !loop.RemoveReader(a) || loop.RemoveReader(a) {
			t.Error("RemoveReader did not say right whether there was a callback")
		}
		if turns(t, loop, 2); *reads != 0 || *writes != 2 {
			t.Errorf("%d calls of the reader, %d of the writer in 2 turns", *reads, *writes)
		}
		if loop.RemoveReader(a) || !loop.RemoveWriter(a) {
			t.Error("RemoveWriter did not say right whether there was a callback")
		}
		if loop.RunOnce() {
			t.Error("the loop has still something to wait for")
		}
	})
}

func TestRemoveReader_byTheCallbackItself_isTheLastCall(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		r, w := fdPipe(t)
		calls := 0
		if err := loop.AddReader(r, func() { calls++; loop.RemoveReader(r) }); err != nil {
			t.Fatal(err)
		}
		fdWrite(t, w, "x")
		if turns(t, loop, 1); calls != 1 || loop.RunOnce() {
			t.Errorf("%d calls", calls)
		}
	})
}

// conformance: loop-io-02 loop-io-05
func TestAddReader_closedLoop_isAnError(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		r, w := fdPipe(t)
		add(t, loop.AddReader, r)
		add(t, loop.AddWriter, w)
		for range 2 {
			if err := loop.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if loop.RemoveReader(r) || loop.RemoveWriter(w) {
			t.Error("a loop that has ended still had callbacks")
		}
		if err := loop.AddReader(r, func() {}); !errors.Is(err, asyncio.ErrLoopClosed) {
			t.Errorf("AddReader = %v", err)
		}
		if err := loop.AddWriter(w, func() {}); !errors.Is(err, asyncio.ErrLoopClosed) {
			t.Errorf("AddWriter = %v", err)
		}
	})
}

// conformance: loop-io-11
func TestAddReader_noDescriptor_isAnErrorThatNamesIt(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		minusOne := -1
		for _, fd := range []uintptr{uintptr(minusOne), 1 << 40, 99_999} {
			err := loop.AddReader(fd, func() {})
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint(int(fd))) || !strings.Contains(err.Error(), "AddReader") {
				t.Errorf("AddReader(%d) = %v", int(fd), err)
			}
			if loop.RemoveReader(fd) {
				t.Errorf("%d has a callback after all", int(fd))
			}
		}
		mustPanic(t, "Loop.AddWriter: nil function", func() { loop.AddWriter(0, nil) })
	})
}

// conformance: loop-io-12
func TestAddReader_descriptorInUse_isRefused(t *testing.T) {
	for _, name := range poller.Names() {
		if name == "portable" {
			continue // it waits for several of one number, each by itself
		}
		t.Run(name, func(t *testing.T) {
			loop, err := asyncio.NewLoop(asyncio.WithPoller(name))
			if err != nil {
				t.Fatal(err)
			}
			defer loop.Close()
			r, w := fdPipe(t)
			pipe, err := engine.Unwrap(loop).Poller().Watch(int(r), nobody{}, poller.Edge) // as a Pipe does
			if err != nil {
				t.Fatal(err)
			}
			if err := loop.AddReader(r, func() {}); err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("AddReader = %v", err)
			}
			if loop.RemoveReader(r) {
				t.Error("RemoveReader took the pipe's")
			}
			fdWrite(t, w, "x")
			if err := pipe.Close(); err != nil {
				t.Fatal(err)
			}
			calls := add(t, loop.AddReader, r)
			if turns(t, loop, 1); *calls != 1 {
				t.Error("not called when the descriptor had become free")
			}
		})
	}
}

type nobody struct{}

func (nobody) Ready(poller.Mode) {}

func TestAddReader_regularFile_isAlwaysReady(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		reads, writes := add(t, loop.AddReader, f.Fd()), add(t, loop.AddWriter, f.Fd())
		for *reads < 3 || *writes < 3 {
			turns(t, loop, 1)
		}
		loop.RemoveReader(f.Fd())
		loop.RemoveWriter(f.Fd())
		if loop.RunOnce() {
			t.Error("the loop has still something to do")
		}
	})
}

func TestAddReader_callbackPanics_isReportedAndCalledAgain(t *testing.T) {
	onEachPoller(t, func(t *testing.T, loop *asyncio.Loop) {
		reports := 0
		loop.SetExceptionHandler(func(asyncio.ExceptionInfo) { reports++ })
		r, w := fdPipe(t)
		if err := loop.AddReader(r, func() { panic("boom") }); err != nil {
			t.Fatal(err)
		}
		fdWrite(t, w, "x")
		if turns(t, loop, 3); reports != 3 {
			t.Errorf("%d reports", reports)
		}
	})
}

func TestAddReader_closedUnderIt_isReportedAndGone(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if engine.Unwrap(loop).Poller().Name() == "portable" {
		t.Skip("the portable poller has no registrations that the system would drop")
	}
	var reported error
	loop.SetExceptionHandler(func(info asyncio.ExceptionInfo) { reported = info.Err })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fd := r.Fd()
	if err := loop.AddReader(fd, func() { r.Close() }); err != nil {
		t.Fatal(err)
	}
	fdWrite(t, w.Fd(), "x")
	if turns(t, loop, 1); !errors.Is(reported, syscall.EBADF) || loop.RemoveReader(fd) {
		t.Errorf("reported %v", reported)
	}
}

func TestAddReader_otherGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
			mustPanic(t, "Loop.AddReader", func() { loop.AddReader(0, func() {}) })
			return asyncio.None{}, nil
		})
		return err
	})
}

func TestAddReader_whileThereIsOne_noDeadlockIsReported(t *testing.T) {
	r, w := fdPipe(t)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		came := asyncio.NewFuture[string](loop)
		if err := loop.AddReader(r, func() {
			came.SetResult(fdRead(t, r))
			loop.RemoveReader(r)
		}); err != nil {
			return err
		}
		wrote := make(chan struct{})
		go func() { syscall.Write(int(w), []byte("x")); close(wrote) }()
		text, err := came.Await(ctx)
		if text != "x" {
			t.Errorf("read %q", text)
		}
		<-wrote
		return err
	})
}

func TestAddReader_thatIsCalled_allocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if engine.Unwrap(loop).Poller().Name() == "portable" {
		t.Skip("the portable poller starts a goroutine a wait")
	}
	r, w := fdPipe(t)
	fdWrite(t, w, "x")
	calls := add(t, loop.AddReader, r)
	turns(t, loop, 3)
	if n := testing.AllocsPerRun(100, func() { loop.RunOnce() }); n > 1 { // one is RunOnce's own
		t.Errorf("%v allocations a call", n-1)
	}
	if *calls < 100 {
		t.Errorf("%d calls", *calls)
	}
}

// socketPair returns two descriptors that can each be read and written, closed with the test.
func socketPair(t testing.TB) (a, b uintptr) {
	t.Helper()
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range p {
		t.Cleanup(func() { syscall.Close(fd) })
	}
	return uintptr(p[0]), uintptr(p[1])
}
