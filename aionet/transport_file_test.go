package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// fileOfSize returns an open file and what is in it.
func fileOfSize(t *testing.T, size int) (*os.File, []byte) {
	t.Helper()
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, content, 0o600))
	f, err := os.Open(name)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, content
}

func position(t *testing.T, f *os.File) int {
	t.Helper()
	at, err := f.Seek(0, io.SeekCurrent)
	must(t, err)
	return int(at)
}

// conformance: sendfile-09 sendfile-10 sendfile-12 sendfile-14 sendfile-15
func TestTransport_SendFile(t *testing.T) {
	for name, attached := range map[string]func(context.Context, aionet.Protocol) (aionet.Transport, net.Conn){
		"tcp": func(ctx context.Context, p aionet.Protocol) (aionet.Transport, net.Conn) {
			return attach(t, ctx, "tcp", p)
		},
		"unix": func(ctx context.Context, p aionet.Protocol) (aionet.Transport, net.Conn) {
			return attach(t, ctx, "unix", p)
		},
		"TLS": func(ctx context.Context, p aionet.Protocol) (aionet.Transport, net.Conn) { return attachTLS(t, ctx, p) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				f, content := fileOfSize(t, 3<<20+17)
				r := &recorder{}
				tr, peer := attached(ctx, r)
				reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(peer) })
				jammed := jam(t, tr)
				n, err := tr.SendFile(ctx, f, 0, math.MaxInt64)
				if int(n) != len(content) || err != nil || position(t, f) != len(content) {
					t.Errorf("%d, %v, at %d", n, err, position(t, f))
				}
				tr.Write([]byte("between"))
				n, err = tr.SendFile(ctx, f, 1000, 100_000)
				if n != 100_000 || err != nil || position(t, f) != 101_000 {
					t.Errorf("a part: %d, %v, at %d", n, err, position(t, f))
				}
				n, err = tr.SendFile(ctx, f, int64(len(content)), 1)
				if n != 0 || err != nil {
					t.Errorf("nothing: %d, %v", n, err)
				}
				tr.Write([]byte("after"))
				tr.Close()
				got, err := reading.Await(ctx)
				want := bytes.Join([][]byte{jammed, content, []byte("between"), content[1000:101_000], []byte("after")}, nil)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("the peer got %d bytes of %d, %v", len(got), len(want), err)
				}
				must(t, r.wait(ctx, "lost"))
				if r.err != nil {
					t.Error(r.err)
				}
				return nil
			})
		})
	}
}

// conformance: sendfile-11
func TestTransport_SendFile_withoutFallback(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, _ := fileOfSize(t, 10)
		tr, peer := attachTLS(t, ctx, &recorder{})
		if n, err := tr.SendFile(ctx, f, 0, 10, aionet.WithoutFallback()); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%d, %v", n, err)
		}
		tr.Write([]byte("still well"))
		tr.Close()
		if got, err := io.ReadAll(peer); string(got) != "still well" {
			t.Errorf("%q, %v", got, err)
		}
		return nil
	})
}

// conformance: sendfile-13
func TestTransport_SendFile_refusals(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, _ := fileOfSize(t, 10)
		tr, peer := attach(t, ctx, "tcp", &recorder{})
		if _, err := tr.SendFile(ctx, f, -1, 1); err == nil {
			t.Error("a negative offset")
		}
		if _, err := tr.SendFile(ctx, f, 0, -1); err == nil {
			t.Error("a negative count")
		}
		tr.Close()
		if n, err := tr.SendFile(ctx, f, 0, 10); n != 0 || !errors.Is(err, net.ErrClosed) || position(t, f) != 0 {
			t.Errorf("%d, %v", n, err)
		}
		if got, err := io.ReadAll(peer); len(got) != 0 {
			t.Errorf("%q, %v", got, err)
		}
		return nil
	})
}

// conformance: sendfile-17
func TestTransport_SendFile_nothingElseIsWrittenMeanwhile(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		f, content := fileOfSize(t, 16<<20)
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return tr.SendFile(ctx, f, 0, math.MaxInt64) })
		must(t, asyncio.Yield(ctx))
		if n, err := tr.Write([]byte("x")); n != 0 || err == nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if _, err := tr.SendFile(ctx, f, 0, 1); err == nil {
			t.Error("a second file")
		}
		tr.Close() // when the file has been sent
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("the peer got %d bytes of %d, %v", len(got), len(content), err)
		}
		if n, err := sending.Await(ctx); int(n) != len(content) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made lost")
	})
}

// conformance: sendfile-16
func TestTransport_SendFile_toAPeerThatLeaves(t *testing.T) {
	for _, secure := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			f, content := fileOfSize(t, 32<<20)
			r := &recorder{}
			var tr aionet.Transport
			var peer net.Conn
			if secure {
				tr, peer = attachTLS(t, ctx, r)
			} else {
				tr, peer = attach(t, ctx, "tcp", r)
			}
			sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return tr.SendFile(ctx, f, 0, math.MaxInt64) })
			_, err := readN(peer, 100_000)
			must(t, err)
			peer.Close()
			n, err := sending.Await(ctx)
			if err == nil || int(n) >= len(content) || position(t, f) != int(n) || !tr.IsClosing() {
				t.Errorf("%d, %v, at %d, closing %v", n, err, position(t, f), tr.IsClosing())
			}
			return r.wait(ctx, "lost")
		})
	}
}

func TestTransport_SendFile_cancelled_theTransportGoesOn(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		f, content := fileOfSize(t, 32<<20)
		tr, peer := attach(t, ctx, network, &recorder{})
		sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return tr.SendFile(ctx, f, 0, math.MaxInt64) })
		_, err := readN(peer, 1000)
		must(t, err)
		sending.Cancel()
		n, err := sending.Await(ctx)
		if !errors.Is(err, context.Canceled) || int(n) >= len(content) || n < 1000 {
			n, _ := sending.Await(ctx)
			t.Errorf("%d, %v", n, err)
		}
		tr.Write([]byte("goes on"))
		tr.Close()
		if got, err := io.ReadAll(peer); err != nil || !bytes.HasSuffix(got, []byte("goes on")) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestTransport_Abort_stopsSendFile(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		f, _ := fileOfSize(t, 32<<20)
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return tr.SendFile(ctx, f, 0, math.MaxInt64) })
		_, err := readN(peer, 1000)
		must(t, err)
		tr.Abort()
		if _, err := sending.Await(ctx); err == nil {
			t.Error("SendFile says that all is well")
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made lost")
	})
}
