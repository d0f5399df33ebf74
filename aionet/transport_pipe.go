package aionet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/pipe"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// ReadPipe gives the reading end of a pipe, or a FIFO, terminal or the like, to p, and takes f over. The transport
// closes at the end of file whatever p's EOFReceived says, and cannot be written to. Where the system cannot wait for
// any descriptor, as Windows, it is errors.ErrUnsupported.
//
// It waits until p's ConnectionMade has been called, and is ended by ctx; f is closed then.
func ReadPipe(ctx context.Context, f *os.File, p Protocol) (Transport, error) {
	mustProtocol("ReadPipe", p)
	return openPipe(ctx, f, p, finishing|finished)
}

// WritePipe is [ReadPipe] for the writing end. When all readers have gone the transport closes, with a nil error and
// what it had to send unsent, or with syscall.EPIPE if a write finds out first. WriteEOF is Close.
func WritePipe(ctx context.Context, f *os.File, p Protocol) (Transport, error) {
	mustProtocol("WritePipe", p)
	return openPipe(ctx, f, p, 0)
}

func openPipe(ctx context.Context, f *os.File, p Protocol, s state) (Transport, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: pipe %s: %w", f.Name(), err)
	}
	w := &pipeWire{writing: s == 0}
	t := newTransport(l, w)
	t.state |= s
	if w.Watched, err = pipe.Watch(l.Poller(), f, t); err != nil {
		t.discard() // f stays the caller's
		return nil, fmt.Errorf("aionet: pipe %s: %w", f.Name(), err)
	}
	w.f = f
	if err := t.awaitBegin(ctx, p); err != nil {
		return nil, err
	}
	return t, nil
}

// pipeWire is a pipe as a transport's wire.
type pipeWire struct {
	*pipe.Watched
	f       *os.File // nil: not taken over
	writing bool
}

// errReaderGone is what a pipe's writing end has to read.
var errReaderGone = errors.New("nobody reads the pipe any more")

func (w *pipeWire) Read(p []byte) (int, error) {
	if w.writing {
		if w.PeerGone() {
			return 0, errReaderGone
		}
		return 0, poller.ErrAgain
	}
	n, err := w.Watched.Read(p)
	if errors.Is(err, syscall.EIO) { // a terminal that hung up
		err = io.EOF
	}
	return n, err
}

// CloseWrite is left to Close.
func (w *pipeWire) CloseWrite() error { return nil }

func (w *pipeWire) Close() error {
	if w.f == nil {
		return nil
	}
	_ = w.Watched.Close() // fails only if that has been done
	return w.f.Close()
}

func (t *transport) isPipe() bool {
	_, is := t.wire.(*pipeWire)
	return is
}
