//go:build linux || darwin || freebsd || dragonfly

package poller_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/poller"
)

func watch(t *testing.T, p poller.Poller, fd int, on poller.Trigger) (poller.Watch, *flag) {
	t.Helper()
	f := &flag{}
	w, err := p.Watch(fd, f, on)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, f
}

func arm(t *testing.T, w poller.Watch, m poller.Mode) {
	t.Helper()
	if err := w.Arm(m); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until Ready has said m.
func waitFor(t *testing.T, p poller.Poller, f *flag, m poller.Mode) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); f.seen&m == 0; {
		if time.Now().After(end) {
			t.Fatalf("not ready in direction %d", m)
		}
		if _, err := p.Wait(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	f.seen = 0
}

// rawPipe returns a pipe that does not block.
func rawPipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { unix.Close(fds[0]) })
	return fds[0], fds[1]
}

func TestWatch_edge_triesAndIsToldWhenToTryAgain(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		r, w := rawPipe(t)
		in, readable := watch(t, p, r, poller.Edge)
		out, writable := watch(t, p, w, poller.Edge)
		buf := make([]byte, 1<<20)
		for range 3 {
			sent, got := 0, 0
			for err := error(nil); err == nil; {
				var n int
				n, err = out.Write(buf)
				sent += n
				if err != nil && err != poller.ErrAgain {
					t.Fatal(err)
				}
			}
			arm(t, out, poller.Write)
			for got < sent {
				n, err := in.Read(buf[:5000])
				got += n
				if err == poller.ErrAgain {
					arm(t, in, poller.Read)
					waitFor(t, p, readable, poller.Read)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := in.Read(buf); err != poller.ErrAgain {
				t.Errorf("Read of an empty pipe = %v", err)
			}
			waitFor(t, p, writable, poller.Write)
		}
		arm(t, in, poller.Read)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		unix.Close(w)
		waitFor(t, p, readable, poller.Read)
		for range 2 {
			if _, err := in.Read(buf); err != io.EOF {
				t.Errorf("Read at the end = %v", err)
			}
		}
	})
}

func TestWatch_level_eachArmIsAnsweredOnce(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		r, w := rawPipe(t)
		defer unix.Close(w)
		if _, err := unix.Write(w, []byte("x")); err != nil {
			t.Fatal(err)
		}
		in, readable := watch(t, p, r, poller.Level)
		for range 3 {
			arm(t, in, poller.Read)
			waitFor(t, p, readable, poller.Read)
			if _, err := p.Wait(0); err != nil || readable.seen != 0 {
				t.Errorf("Ready(%d) though not armed, %v", readable.seen, err)
			}
		}
	})
}

func TestWatch_regularFile_isReadyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, ready := watch(t, p, int(f.Fd()), poller.Level)
		for range 3 {
			arm(t, w, poller.Write)
			if p.Len() == 0 {
				t.Error("the loop would not ask")
			}
			waitFor(t, p, ready, poller.Write)
		}
		arm(t, w, poller.Write)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(0); err != nil || ready.seen != 0 {
			t.Errorf("Ready(%d) after Close, %v", ready.seen, err)
		}
	})
}

func TestWatch_notADescriptor_isAnError(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		if w, err := p.Watch(99_999, &flag{}, poller.Edge); err == nil {
			t.Errorf("Watch = %v", w)
		}
	})
}

func TestInterrupter_interrupted_endsWaitsNowAndLater(t *testing.T) {
	r, w := rawPipe(t)
	defer unix.Close(w)
	var i poller.Interrupter
	ended := make(chan bool)
	for range 3 {
		go func() {
			ready, err := i.Wait(r, poller.Read)
			ended <- ready || err != nil
		}()
	}
	i.Interrupt()
	for range 3 {
		if <-ended {
			t.Error("a Wait said that the pipe is ready")
		}
	}
	if ready, err := i.Wait(r, poller.Read); ready || err != nil {
		t.Errorf("Wait = %v, %v", ready, err)
	}
}
