package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// openOfSize returns a file of the loop and what is in it.
func openOfSize(t *testing.T, ctx context.Context, size int) (*aiofile.File, []byte) {
	t.Helper()
	plain, content := fileOfSize(t, size)
	f, err := aiofile.Open(ctx, plain.Name())
	must(t, err)
	return f, content
}

func wantPosition(t *testing.T, f io.Seeker, want int64) {
	t.Helper()
	if at, err := f.Seek(0, io.SeekCurrent); at != want || err != nil {
		t.Errorf("the file is at %d, %v, want %d", at, err, want)
	}
}

func TestCopy_ofAFileOfTheLoop_goesOnFromItsPosition(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		a, b := pipe(t, ctx, network)
		f, content := openOfSize(t, ctx, 3<<20+17)
		reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
		_, err := f.Read(make([]byte, 100))
		must(t, err)
		n, err := io.CopyN(a, f, 1000)
		if n != 1000 || err != nil {
			t.Errorf("CopyN = %d, %v", n, err)
		}
		wantPosition(t, f, 1100)
		n, err = io.Copy(a, f)
		if int(n) != len(content)-1100 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wantPosition(t, f, int64(len(content)))
		n, err = io.Copy(a, f)
		if n != 0 || err != nil {
			t.Errorf("Copy at the end = %d, %v", n, err)
		}
		f.Close()
		if n, err := io.Copy(a, f); n != 0 || err == nil {
			t.Errorf("Copy of a closed file = %d, %v", n, err)
		}
		a.Close()
		got, err := reading.Await(ctx)
		if err != nil || !bytes.Equal(got, content[100:]) {
			t.Errorf("%d bytes arrived, want %d; %v", len(got), len(content)-100, err)
		}
	})
}

func TestCopy_ofAFileOfTheLoop_cancelled_itsPositionIsBehindWhatWasSent(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		a, b := pipe(t, ctx, network)
		f, content := openOfSize(t, ctx, 32<<20)
		var n int64
		err := asyncio.Timeout(ctx, 20*time.Millisecond, func(context.Context) (err error) {
			n, err = io.Copy(a, f)
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || n == 0 || int(n) >= len(content) {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wantPosition(t, f, n)
		reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
		_, err = io.Copy(a, f)
		must(t, err)
		a.Close()
		got, err := reading.Await(ctx)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes arrived, want %d; %v", len(got), len(content), err)
		}
	})
}

func TestTransport_SendFile_ofAFileOfTheLoopOrAnythingElse(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		f, content := openOfSize(t, ctx, 1<<20)
		tr, peer := attach(t, ctx, network, &recorder{})
		reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(peer) })
		var opts []aionet.SendFileOption
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "epoll" {
			opts = append(opts, aionet.WithoutFallback()) // it fails where sendfile is not used
		}
		n, err := tr.SendFile(ctx, f, 1000, math.MaxInt64, opts...)
		if int(n) != len(content)-1000 || err != nil {
			t.Errorf("SendFile = %d, %v", n, err)
		}
		wantPosition(t, f, int64(len(content)))
		n, err = tr.SendFile(ctx, f, 10, 20, opts...)
		if n != 20 || err != nil {
			t.Errorf("a part: %d, %v", n, err)
		}
		wantPosition(t, f, 30)
		memory := bytes.NewReader(content)
		if _, err := tr.SendFile(ctx, memory, 0, 1, aionet.WithoutFallback()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("memory without fallback: %v", err)
		}
		if n, err := tr.SendFile(ctx, memory, 30, 70_000); n != 70_000 || err != nil {
			t.Errorf("memory: %d, %v", n, err)
		}
		wantPosition(t, memory, 70_030)
		tr.Close()
		got, err := reading.Await(ctx)
		if err != nil || !bytes.Equal(got, bytes.Join([][]byte{content[1000:], content[10:70_030]}, nil)) {
			t.Errorf("%d bytes arrived, %v", len(got), err)
		}
	})
}

func TestTransport_SendFile_theEndComesWithTheLastPart_whichIsSent(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		tr, peer := attach(t, ctx, network, &recorder{})
		memory := strings.NewReader("the whole of it")
		file := struct {
			io.Reader
			io.Seeker
		}{iotest.DataErrReader(memory), memory}
		if n, err := tr.SendFile(ctx, file, 4, math.MaxInt64); n != 11 || err != nil {
			t.Errorf("SendFile = %d, %v", n, err)
		}
		tr.Close()
		if got, err := io.ReadAll(peer); string(got) != "whole of it" || err != nil {
			t.Errorf("arrived: %q, %v", got, err)
		}
	})
}
