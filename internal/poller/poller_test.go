package poller_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
	"github.com/go-asyncio/asyncio/internal/poller"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// each runs a test on every poller that this system has.
func each(t *testing.T, test func(t *testing.T, p poller.Poller)) {
	for _, name := range poller.Names() {
		t.Run(name, func(t *testing.T) {
			p, err := poller.New(name)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if p.Name() != name {
				t.Fatalf("Name() = %q, want %q", p.Name(), name)
			}
			test(t, p)
		})
	}
}

// flag remembers what Ready said until the test looks.
type flag struct{ seen poller.Mode }

func (f *flag) Ready(m poller.Mode) { f.seen |= m }

// owners are the flags of the sockets that have been waited for.
var owners = map[poller.Socket]*flag{}

// await waits until try returns anything but ErrAgain, as a coroutine would.
func await[T any](t *testing.T, p poller.Poller, s poller.Socket, m poller.Mode, try func() (T, error)) (T, error) {
	t.Helper()
	f := owners[s]
	if f == nil {
		f = &flag{}
		owners[s] = f
		s.SetOwner(f)
		t.Cleanup(func() { delete(owners, s) })
	}
	for {
		f.seen = 0
		v, err := try()
		if err != poller.ErrAgain {
			return v, err
		}
		if err := s.Arm(m); err != nil {
			return v, err
		}
		for f.seen&m == 0 {
			if _, err := p.Wait(10 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func connect(t *testing.T, p poller.Poller, s poller.Socket) error {
	_, err := await(t, p, s, poller.Write, func() (struct{}, error) { return struct{}{}, s.Connect() })
	return err
}

func read(t *testing.T, p poller.Poller, s poller.Socket, n int) ([]byte, error) {
	t.Helper()
	buf := make([]byte, n)
	got, err := await(t, p, s, poller.Read, func() (int, error) { return s.Read(buf) })
	return buf[:got], err
}

func writeAll(t *testing.T, p poller.Poller, s poller.Socket, data []byte) {
	t.Helper()
	for len(data) > 0 {
		n, err := await(t, p, s, poller.Write, func() (int, error) { return s.Write(data) })
		if err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
}

// pair is both ends of a connection on p, closed at the test's end.
func pair(t *testing.T, p poller.Poller, network string) (client, server poller.Socket) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	ln, err := p.Listen(network, address, &poller.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = p.Dial(network, ln.LocalAddr(), &poller.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := connect(t, p, client); err != nil {
		t.Fatal(err)
	}
	server, err = await(t, p, ln, poller.Read, ln.Accept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestNew_unknownName_listsTheKnownOnes(t *testing.T) {
	_, err := poller.New("select")
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("portable")) {
		t.Fatalf("got %v", err)
	}
}

func TestWait_timeout_isNeverEarlyAndNothingIsReady(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		for _, d := range []time.Duration{0, 1, 300 * time.Microsecond, 1500 * time.Microsecond, 12 * time.Millisecond} {
			begin := time.Now()
			n, err := p.Wait(d)
			if n != 0 || err != nil {
				t.Fatalf("Wait(%v) = %v, %v", d, n, err)
			}
			if took := time.Since(begin); took < d {
				t.Errorf("Wait(%v) came back after %v", d, took)
			}
		}
	})
}

func TestWake_blockedWait_returns(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		go func() {
			time.Sleep(2 * time.Millisecond) // so that it mostly finds Wait blocked; either way must work
			p.Wake()
		}()
		if n, err := p.Wait(-1); n != 0 || err != nil {
			t.Fatalf("Wait = %v, %v", n, err)
		}
	})
}

func TestWake_manyBeforeWait_endOneWaitOnly(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				for range 100 {
					p.Wake()
				}
			})
		}
		all.Wait()
		if n, err := p.Wait(-1); n != 0 || err != nil {
			t.Fatalf("first Wait = %v, %v", n, err)
		}
		begin := time.Now()
		if _, err := p.Wait(20 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 20*time.Millisecond {
			t.Fatalf("the second Wait returned after %v: 10,000 wake-ups were not one", took)
		}
	})
}

func TestWake_waitThatDoesNotBlock_leavesItForTheNext(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		p.Wake()
		if _, err := p.Wait(0); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(-1); err != nil {
			t.Fatal(err)
		}
	})
}

// Each goroutine puts an item into an inbox and then wakes; the loop looks into the inbox after each Wait. If one
// wake-up were lost, the last items would stay there and Wait block for ever.
func TestWake_fromManyGoroutines_noneIsLost(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		const goroutines, items = 8, 2000
		var mu sync.Mutex
		inbox := 0
		for range goroutines {
			go func() {
				for range items {
					mu.Lock()
					inbox++
					mu.Unlock()
					p.Wake()
				}
			}()
		}
		for got := 0; got < goroutines*items; {
			if _, err := p.Wait(-1); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			got += inbox
			inbox = 0
			mu.Unlock()
		}
	})
}

func TestClose_waitAndWakeAfterwards(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p.Wake()
		if _, err := p.Wait(-1); err != poller.ErrClosed {
			t.Fatalf("Wait = %v, want ErrClosed", err)
		}
		if err := p.Close(); err != nil {
			t.Fatalf("second Close = %v", err)
		}
	})
}

func TestSocket_echo_tcpAndUnix(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		for _, network := range []string{"tcp", "unix"} {
			client, server := pair(t, p, network)
			for _, message := range []string{"a", "hello", "again"} {
				writeAll(t, p, client, []byte(message))
				got, err := read(t, p, server, 100)
				if err != nil || string(got) != message {
					t.Fatalf("%s: server read %q, %v", network, got, err)
				}
				writeAll(t, p, server, got)
				got, err = read(t, p, client, 100)
				if err != nil || string(got) != message {
					t.Fatalf("%s: client read %q, %v", network, got, err)
				}
			}
			if client.RemoteAddr().String() != server.LocalAddr().String() {
				t.Errorf("%s: client's remote address %v is not the server's %v", network, client.RemoteAddr(), server.LocalAddr())
			}
			if network == "tcp" && client.LocalAddr().String() != server.RemoteAddr().String() {
				t.Errorf("client's address %v is not what the server sees, %v", client.LocalAddr(), server.RemoteAddr())
			}
		}
	})
}

func TestRead_shortReadThenEnd_endIsSeen(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		for _, network := range []string{"tcp", "unix"} {
			client, server := pair(t, p, network)
			writeAll(t, p, client, []byte("last words"))
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			var all []byte
			for {
				got, err := read(t, p, server, 7)
				all = append(all, got...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if string(all) != "last words" {
				t.Fatalf("%s: read %q", network, all)
			}
		}
	})
}

func TestWrite_fullSocket_goesOnWhenThePeerReads(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		client, server := pair(t, p, "tcp")
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, more than the kernel buffers
		got := make(chan []byte)
		go func() {
			var all []byte
			buf := make([]byte, 1<<16)
			for {
				var n int
				var rerr error
				err := server.Block(poller.Read, func(s poller.Tryer) bool {
					n, rerr = s.Read(buf)
					return rerr != poller.ErrAgain
				})
				all = append(all, buf[:n]...)
				if err != nil || rerr != nil {
					got <- all
					return
				}
			}
		}()
		writeAll(t, p, client, data)
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if all := <-got; !bytes.Equal(all, data) {
			t.Fatalf("%d bytes arrived, not the same as the %d sent", len(all), len(data))
		}
	})
}

func TestConnect_nobodyListens_isRefused(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		s, err := p.Dial("tcp", ln.Addr(), &poller.Options{})
		if err == nil {
			err = connect(t, p, s)
			s.Close()
		}
		if err == nil {
			t.Fatal("connected to a closed port")
		}
	})
}

func TestBlock_deadlineAndAbort_endIt(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		client, _ := pair(t, p, "tcp")
		wait := func() error {
			buf := make([]byte, 1)
			return client.Block(poller.Read, func(s poller.Tryer) bool {
				_, err := s.Read(buf)
				return err != poller.ErrAgain
			})
		}
		client.SetDeadline(poller.Read, time.Now().Add(time.Millisecond))
		if err := wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("with a deadline: %v", err)
		}
		client.SetDeadline(poller.Read, time.Time{})
		end := make(chan error)
		go func() { end <- wait() }()
		go client.Abort()
		if err := <-end; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("after Abort: %v", err)
		}
	})
}

// Data that a waiter has been promised and never took must reach the next one.
func TestArm_waiterGoesAway_dataStays(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		client, server := pair(t, p, "tcp")
		f := &flag{}
		owners[server] = f
		server.SetOwner(f)
		if _, err := server.Read(make([]byte, 10)); err != poller.ErrAgain {
			t.Fatal(err)
		}
		if err := server.Arm(poller.Read); err != nil {
			t.Fatal(err)
		}
		writeAll(t, p, client, []byte("kept"))
		for f.seen&poller.Read == 0 {
			if _, err := p.Wait(10 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		got, err := read(t, p, server, 10)
		if err != nil || string(got) != "kept" {
			t.Fatalf("read %q, %v", got, err)
		}
	})
}

func TestSendFile_wholeAndPart(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		client, server := pair(t, p, "tcp")
		name := filepath.Join(t.TempDir(), "file")
		data := bytes.Repeat([]byte("asyncio "), 1000)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, ask := range []int64{10, 1 << 40} {
			_, err := client.SendFile(f, ask)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("no sendfile here")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		client.CloseWrite()
		var all []byte
		for err == nil {
			var got []byte
			got, err = read(t, p, server, 1<<16)
			all = append(all, got...)
		}
		if err != io.EOF || !bytes.Equal(all, data) {
			t.Fatalf("got %d bytes of %d, %v", len(all), len(data), err)
		}
	})
}

func TestLen_countsWhatMayStillBecomeReady(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		if p.Len() != 0 {
			t.Fatalf("a new poller has %d", p.Len())
		}
		ln, err := p.Listen("tcp", "127.0.0.1:0", &poller.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetOwner(&flag{})
		if err := ln.Arm(poller.Read); err != nil {
			t.Fatal(err)
		}
		if p.Len() != 1 {
			t.Fatalf("with one socket armed: %d", p.Len())
		}
		ln.Close()
		for p.Len() != 0 { // a completion may be on its way
			if _, err := p.Wait(10 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestClose_unixListener_removesItsFile(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		name := filepath.Join(t.TempDir(), "socket")
		ln, err := p.Listen("unix", name, &poller.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		ln.Close()
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("after Close: %v", err)
		}
	})
}

func BenchmarkWake_awake(b *testing.B) {
	p, err := poller.New("")
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for b.Loop() {
		p.Wake()
	}
}
