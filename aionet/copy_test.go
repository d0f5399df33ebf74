package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func file(t *testing.T, data []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// conformance: sendfile-05 sendfile-07 sendfile-09
func TestReadFrom_fileOrPart_arrivesWhole(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			data := bytes.Repeat([]byte("0123456789"), 1<<20)
			f := file(t, data)
			reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
			if n, err := io.CopyN(a, f, 1000); n != 1000 || err != nil {
				t.Errorf("CopyN = %d, %v", n, err)
			}
			if n, err := io.Copy(a, f); n != int64(len(data)-1000) || err != nil {
				t.Errorf("Copy = %d, %v", n, err)
			}
			if n, err := io.Copy(a, bytes.NewBufferString("the end")); n != 7 || err != nil {
				t.Errorf("Copy of a buffer = %d, %v", n, err)
			}
			a.Close()
			got, err := reader.Await(ctx)
			if !bytes.Equal(got, append(data, "the end"...)) {
				t.Errorf("%d bytes arrived, want %d", len(got), len(data)+7)
			}
			return err
		})
	})
}

// conformance: sendfile-19
func TestReadFrom_cancelled_reportsExactlyWhatWasTakenAndGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		data := bytes.Repeat([]byte("0123456789"), 4<<20)
		f := file(t, data)
		var n int64
		err := asyncio.Timeout(ctx, 30*time.Millisecond, func(context.Context) (err error) {
			n, err = a.ReadFrom(f)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || n == 0 || n == int64(len(data)) {
			t.Errorf("ReadFrom = %d, %v", n, err)
		}
		reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
		if _, err := a.Write([]byte("the end")); err != nil {
			return err
		}
		if _, err := a.ReadFrom(file(t, []byte("!"))); err != nil {
			return err
		}
		a.Close()
		got, err := reader.Await(ctx)
		if !bytes.Equal(got, append(data[:n:n], "the end!"...)) {
			t.Errorf("%d bytes arrived, want %d", len(got), n+8)
		}
		return err
	})
}

func TestWriteTo_betweenTwoConnections_copiesToTheEnd(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			c, d := pipe(t, ctx, network)
			data := bytes.Repeat([]byte("proxy"), 1<<19)
			writer := asyncio.Go(ctx, func(context.Context) error {
				defer a.Close()
				_, err := a.Write(data)
				return err
			})
			proxy := asyncio.Go(ctx, func(context.Context) error {
				defer c.Close()
				_, err := io.Copy(c, b)
				return err
			})
			got, err := io.ReadAll(d)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			_, err = asyncio.Gather(ctx, writer.Await, proxy.Await)
			return err
		})
	})
}

func TestWriteTo_onAGoroutine_copiesToTheEnd(t *testing.T) {
	l := background(t)
	client, server := twoEnds(t, "tcp", l, l)
	defer server.Close()
	go func() {
		client.Write([]byte("hello"))
		client.Close()
	}()
	var got bytes.Buffer
	if _, err := server.(*aionet.Conn).WriteTo(&got); err != nil || got.String() != "hello" {
		t.Fatalf("%q, %v", got.String(), err)
	}
}

// held is a file that is read and written in threads; each call lasts until it is let go.
type held struct {
	io.Seeker
	ctx  context.Context // of who calls; nil: it is in a thread already
	has  chan []byte     // what a thread reads into or writes from
	goOn chan struct{}
}

func (h *held) Read(p []byte) (int, error) {
	return h.use(p, func() int { return copy(p, "late") })
}

func (h *held) Write(p []byte) (int, error) {
	return h.use(p, func() int { return len(p) })
}

func (h *held) use(p []byte, fn func() int) (int, error) {
	call := func() (int, error) {
		h.has <- p
		<-h.goOn
		return fn(), nil
	}
	if h.ctx == nil {
		return call()
	}
	return asyncio.ToThread(h.ctx, call)
}

// Neither the end of the loop nor a cancelled ToThread waits for the thread. A buffer that one still uses is nobody else's
// until then.
func TestCopies_leftWhileAThreadUsesTheBuffer_doNotLendItAgain(t *testing.T) {
	for name, copies := range map[string]func(t *testing.T, ctx context.Context, h *held) error{
		"SendFile": func(t *testing.T, ctx context.Context, h *held) error {
			tr, _ := attach(t, ctx, "tcp", &recorder{})
			return second(tr.SendFile(ctx, h, 0, 100))
		},
		"ReadFrom": func(t *testing.T, ctx context.Context, h *held) error {
			h.ctx = ctx
			a, _ := pipe(t, ctx, "tcp")
			return second(a.ReadFrom(h))
		},
		"WriteTo": func(t *testing.T, ctx context.Context, h *held) error {
			h.ctx = ctx
			a, b := pipe(t, ctx, "tcp")
			_, err := b.Write([]byte("data"))
			must(t, err)
			return second(a.WriteTo(h))
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // with one processor a buffer is used again at once
			goOn := make(chan struct{})
			defer close(goOn)
			var used [2][]byte
			for i := range used {
				h := &held{bytes.NewReader(nil), nil, make(chan []byte, 1), goOn}
				run(t, func(ctx context.Context) error {
					asyncio.Go(ctx, func(ctx context.Context) error { return copies(t, ctx, h) })
					p, _, err := asyncio.Recv(ctx, h.has)
					used[i] = p
					return err
				})
			}
			if &used[0][0] == &used[1][0] {
				t.Error("two threads use one buffer")
			}
		})
	}
}
