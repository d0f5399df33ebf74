package aiofile_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// withLoop runs main on a loop with a time limit, and fails the test with its error.
func withLoop(t *testing.T, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, 60*time.Second, main)
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
}

// openPipe returns the ends of a pipe that are closed with the test's loop.
func openPipe(t testing.TB, ctx context.Context) (r, w *aiofile.Pipe) {
	t.Helper()
	r, w, err := aiofile.OpenPipe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func TestPipe_bytes_arriveInOrderAndThenTheEnd(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		r, w := openPipe(t, ctx)
		text := strings.Repeat("abcdefghij", 100_000)
		writing := asyncio.Go(ctx, func(context.Context) error {
			defer w.Close()
			n, err := io.WriteString(w, text)
			if n != len(text) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			return nil
		})
		got, err := io.ReadAll(r)
		if err != nil || string(got) != text {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		_, err = writing.Await(ctx)
		return err
	})
}

func TestPipe_readerHasGone_isEPIPE(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		r, w := openPipe(t, ctx)
		r.Close()
		n, err := w.Write([]byte("x"))
		var path *fs.PathError
		if n != 0 || !errors.Is(err, syscall.EPIPE) || !errors.As(err, &path) || path.Path != w.Name() {
			t.Errorf("Write = %d, %v", n, err)
		}
		return nil
	})
}

func TestPipe_closedTwice_saysSo(t *testing.T) {
	withLoop(t, func(ctx context.Context) error {
		r, w := openPipe(t, ctx)
		w.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Close again = %v", err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read = %v", err)
		}
		return nil
	})
}
