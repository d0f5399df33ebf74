//go:build unix

package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func osPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// conformance: pipe-transport-01 pipe-transport-02 pipe-transport-03 pipe-transport-08 pipe-01
func TestReadPipe_dataThenTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, w := osPipe(t)
		r := &recorder{keepOpen: true}
		tr, err := aionet.ReadPipe(ctx, f, r)
		must(t, err)
		r.want(t, "made")
		w.WriteString("hello")
		must(t, r.wait(ctx, "data"))
		if _, err := tr.Write([]byte("x")); err == nil {
			t.Error("wrote to the reading end")
		}
		w.Close()
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made data eof lost")
		if string(r.data) != "hello" || r.err != nil || tr.Protocol() != nil {
			t.Errorf("%q, %v", r.data, r.err)
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the pipe is open: %v", err)
		}
		return nil
	})
}

// conformance: pipe-transport-06 pipe-transport-07 pipe-transport-09
func TestReadPipe_pauseResumeClose(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, w := osPipe(t)
		r := &recorder{}
		r.onMade = func() { r.t.PauseReading() }
		tr, err := aionet.ReadPipe(ctx, f, r)
		must(t, err)
		w.WriteString("held back")
		for range 5 {
			must(t, asyncio.Yield(ctx))
		}
		tr.PauseReading()
		r.want(t, "made")
		tr.ResumeReading()
		tr.ResumeReading()
		must(t, r.wait(ctx, "data"))
		tr.Close()
		tr.Close()
		if r.has("lost") || !tr.IsClosing() || tr.IsReading() {
			t.Errorf("after Close: told %q", r)
		}
		must(t, r.wait(ctx, "lost"))
		tr.PauseReading()
		tr.ResumeReading()
		must(t, asyncio.Yield(ctx))
		r.want(t, "made data lost")
		return nil
	})
}

// conformance: pipe-transport-05
func TestReadPipe_readError_isReported(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		_, w := osPipe(t)
		r := &recorder{}
		_, err := aionet.ReadPipe(ctx, w, r) // which is for writing
		must(t, err)
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made lost")
		if !errors.Is(r.err, syscall.EBADF) || len(*reported) != 1 {
			t.Errorf("told %v, reported %q", r.err, *reported)
		}
		return nil
	})
}

// conformance: pipe-transport-10 pipe-transport-12 pipe-transport-13 pipe-transport-18 pipe-transport-20 pipe-transport-21 pipe-04
func TestWritePipe_sendsInOrderAndClosesWhenAllIsSent(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, w := osPipe(t)
		p := &recorder{}
		tr, err := aionet.WritePipe(ctx, w, p)
		must(t, err)
		tr.Write(nil)
		tr.Write([]byte("at once"))
		got := make([]byte, 7)
		if _, err := io.ReadFull(f, got); string(got) != "at once" {
			t.Errorf("%q, %v", got, err)
		}
		written := jam(t, tr)
		tr.Close()
		tr.Close()
		must(t, asyncio.Yield(ctx))
		if p.has("lost") {
			t.Error("lost before all was sent")
		}
		all, err := asyncio.ToThread(ctx, func() ([]byte, error) { return io.ReadAll(f) })
		if err != nil || !bytes.Equal(all, written) {
			t.Errorf("%d bytes of %d, %v", len(all), len(written), err)
		}
		must(t, p.wait(ctx, "lost"))
		p.want(t, "made pause resume lost")
		return p.err
	})
}

// conformance: pipe-transport-11 pipe-transport-22
func TestWritePipe_WriteEOF_closes(t *testing.T) {
	for _, pending := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			f, w := osPipe(t)
			p := &recorder{}
			tr, err := aionet.WritePipe(ctx, w, p)
			must(t, err)
			var written []byte
			if pending {
				written = jam(t, tr)
			}
			must(t, tr.WriteEOF())
			all, err := asyncio.ToThread(ctx, func() ([]byte, error) { return io.ReadAll(f) })
			if err != nil || !bytes.Equal(all, written) {
				t.Errorf("%d bytes of %d, %v", len(all), len(written), err)
			}
			return p.wait(ctx, "lost")
		})
	}
}

// conformance: pipe-transport-15 pipe-transport-19 pipe-04
func TestWritePipe_theReaderGoes(t *testing.T) {
	for _, abort := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			reported := reports(ctx)
			f, w := osPipe(t)
			p := &recorder{}
			tr, err := aionet.WritePipe(ctx, w, p)
			must(t, err)
			if abort {
				jam(t, tr)
				tr.Abort()
			} else {
				f.Close()
			}
			must(t, p.wait(ctx, "lost"))
			if p.err != nil || tr.WriteBufferSize() != 0 {
				t.Errorf("%v, %d to send", p.err, tr.WriteBufferSize())
			}
			for range 5 {
				if n, err := tr.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
					t.Errorf("%d, %v", n, err)
				}
			}
			if len(*reported) != 1 {
				t.Errorf("reported %q", *reported)
			}
			return nil
		})
	}
}

// conformance: pipe-transport-14 pipe-transport-17
func TestWritePipe_writeError_isToldQuietly(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		f, w := osPipe(t)
		p := &recorder{}
		tr, err := aionet.WritePipe(ctx, w, p)
		must(t, err)
		f.Close()
		if _, err := tr.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
		must(t, p.wait(ctx, "lost"))
		if !errors.Is(p.err, syscall.EPIPE) || len(*reported) != 0 {
			t.Errorf("told %v, reported %q", p.err, *reported)
		}
		return nil
	})
}

func TestReadPipe_ofAFile_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, _ := fileOfSize(t, 1)
		if _, err := aionet.ReadPipe(ctx, f, &recorder{}); err == nil {
			t.Error("a regular file was taken")
		}
		_, err := f.Stat() // it stays the caller's
		return err
	})
}
