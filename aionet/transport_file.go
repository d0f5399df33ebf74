package aionet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/scratch"
)

// A SendFileOption changes how Transport.SendFile works.
type SendFileOption func(*sendFile)

// WithoutFallback lets SendFile fail with errors.ErrUnsupported, and send nothing, where the system cannot send the
// file by itself, as over TLS, instead of reading and writing it.
func WithoutFallback() SendFileOption { return func(s *sendFile) { s.nativeOnly = true } }

// sendFile is one call of SendFile.
type sendFile struct {
	t          *transport
	f          io.ReadSeeker
	nativeOnly bool
}

func (t *transport) SendFile(ctx context.Context, f io.ReadSeeker, offset, n int64, opts ...SendFileOption) (int64, error) {
	if err := t.onLoop(ctx); err != nil {
		return 0, fmt.Errorf("aionet: Transport.SendFile: %w", err)
	}
	defer t.step()
	if offset < 0 || n < 0 {
		return 0, fmt.Errorf("aionet: Transport.SendFile: negative offset %d or count %d", offset, n)
	}
	if err := t.mayWrite(); err != nil {
		return 0, err
	}
	s := &sendFile{t: t, f: f}
	for _, set := range opts {
		set(s)
	}
	t.state |= fileOnWire
	sent, err := s.lent(ctx, offset, n)
	t.state &^= fileOnWire
	t.flushed() // closes, if that was asked for meanwhile
	return sent, err
}

// lent is run with the system's file, if that has to be borrowed.
func (s *sendFile) lent(ctx context.Context, offset, n int64) (sent int64, err error) {
	l, ok := s.f.(lender)
	if !ok {
		return s.run(ctx, offset, n)
	}
	err = asyncio.Enter(ctx, func() error {
		return l.Lend(func(f *os.File) (err error) {
			s.f = f
			sent, err = s.run(ctx, offset, n)
			return err
		})
	})
	return sent, err
}

func (s *sendFile) run(ctx context.Context, offset, n int64) (sent int64, err error) {
	if err := s.t.drained(ctx); err != nil {
		return 0, err
	}
	if err := s.seek(ctx, offset); err != nil {
		return 0, err
	}
	err = errors.ErrUnsupported
	sock, isSocket := s.t.wire.(poller.Socket)
	if f, isFile := s.f.(poller.File); isSocket && isFile {
		sent, err = s.native(ctx, sock, f, n)
	}
	if errors.Is(err, errors.ErrUnsupported) && sent == 0 {
		if s.nativeOnly {
			return 0, fmt.Errorf("aionet: Transport.SendFile: the system cannot send the file by itself: %w", errors.ErrUnsupported)
		}
		sent, err = s.copy(ctx, n)
		if sought := s.seek(context.WithoutCancel(ctx), offset+sent); err == nil {
			err = sought
		}
	}
	return sent, err
}

func (s *sendFile) seek(ctx context.Context, offset int64) error {
	return inAThread(ctx, func() error {
		_, err := s.f.Seek(offset, io.SeekStart)
		return err
	})
}

// native waits for the thread even when cancelled, as only it knows how much was sent; it is told to stop.
func (s *sendFile) native(ctx context.Context, sock poller.Socket, f poller.File, n int64) (sent int64, err error) {
	var mu sync.Mutex
	over := false
	forget := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			sock.SetDeadline(poller.Write, time.Unix(1, 0))
		}
	})
	sent, err, failed := finishInThread(ctx, func() (int64, error) { return sendFileBy(sock, f, n, s.t.wrote) })
	forget()
	mu.Lock()
	over = true
	mu.Unlock()
	sock.SetDeadline(poller.Write, time.Time{})
	switch {
	case failed != nil:
		return sent, failed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return sent, context.Cause(ctx)
	case err != nil && !errors.Is(err, errors.ErrUnsupported):
		s.t.fatal("sendfile", err)
		err = s.t.fail("sendfile", err)
	}
	return sent, err
}

// copy reads the file in threads, and sends each part before it reads the next one. The end may come with the last part.
func (s *sendFile) copy(ctx context.Context, n int64) (sent int64, err error) {
	return scratch.Lend(copyBuffers, func(buf []byte) (int64, error) { return s.copyBy(ctx, inThread{ctx, s.f}, buf, n) })
}

func (s *sendFile) copyBy(ctx context.Context, in io.Reader, buf []byte, n int64) (sent int64, err error) {
	var end error
	for sent < n && end == nil {
		var k int
		k, end = in.Read(buf[:min(n-sent, int64(len(buf)))])
		err := context.Cause(ctx)
		if err == nil && s.t.is(lost) {
			err = s.t.drained(ctx)
		}
		if err != nil {
			return sent, err
		}
		if _, err := s.t.send(buf[:k]); err != nil {
			return sent, err
		}
		if err = s.t.drained(ctx); err != nil && s.t.is(lost) {
			return sent, err
		}
		if sent += int64(k); err != nil { // what is left is still sent
			return sent, err
		}
	}
	if end == io.EOF {
		end = nil
	}
	return sent, end
}

func inAThread(ctx context.Context, fn func() error) error {
	var err error
	_, failed := asyncio.ToThread(ctx, func() (asyncio.None, error) {
		err = fn()
		return asyncio.None{}, nil
	})
	if failed != nil {
		return failed
	}
	return err
}
