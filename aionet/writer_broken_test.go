package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// broken is what a Writer may be put on: somebody else's code, with mistakes in it.
type broken struct {
	write, close func() (int, error)
	closed       bool
}

func (b *broken) Write(p []byte) (int, error) {
	if b.write == nil {
		return len(p), nil
	}
	return b.write()
}

func (b *broken) Close() error {
	b.closed = true
	if b.close == nil {
		return nil
	}
	_, err := b.close()
	return err
}

func TestWriter_overWhatIsBroken_endsWithAnError(t *testing.T) {
	panics := func() (int, error) { panic("boom") }
	isPanic := func(err error) bool { _, ok := errors.AsType[*asyncio.PanicError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for _, c := range []struct {
		name    string
		conn    *broken
		want    func(err error) bool
		reports int
	}{
		{"nothing is written", &broken{write: func() (int, error) { return 0, nil }}, is(io.ErrShortWrite), 0},
		{"a part is written", &broken{write: func() (int, error) { return 2, nil }}, is(io.ErrShortWrite), 0},
		{"more is written than there is", &broken{write: func() (int, error) { return 100, nil }}, isError, 0},
		{"less than nothing is written", &broken{write: func() (int, error) { return -1, nil }}, isError, 0},
		{"Write panics", &broken{write: panics}, isPanic, 1},
		{"Write ends its task", &broken{write: func() (int, error) { runtime.Goexit(); return 0, nil }}, is(asyncio.ErrGoexit), 0},
		{"Close panics", &broken{close: panics}, isPanic, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				w := aionet.NewWriter(ctx, c.conn)
				w.WriteString("hello")
				w.Close()
				if err := w.WaitClosed(ctx); !c.want(err) {
					t.Errorf("WaitClosed: %v", err)
				}
				if !c.conn.closed || len(*reported) != c.reports {
					t.Errorf("closed %v, reported %q", c.conn.closed, *reported)
				}
				if err := w.Drain(ctx); err == nil {
					t.Error("Drain after the end returns nil")
				}
				return nil
			})
		})
	}
}

func isError(err error) bool { return err != nil }

// After a panic of its source a Reader is not left in use.
func TestReader_sourcePanics_mayBeReadAgain(t *testing.T) {
	src := &panicsOnce{}
	r := aionet.NewReader(src)
	mustPanicWith(t, "boom", func() { r.ReadLine() })
	line, err := r.ReadLine()
	wantBytes(t, "ReadLine", line, err, "line\n")
}

type panicsOnce struct{ called bool }

func (p *panicsOnce) Read(b []byte) (int, error) {
	if !p.called {
		p.called = true
		panic("boom")
	}
	return copy(b, "line\n"), nil
}

// crypto/tls asks for ever where there is neither data nor an error.
func TestStartTLS_overAConnectionThatReadsNothing_fails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := aionet.StartTLS(ctx, idler{}, clientConfig(), aionet.ClientSide)
		if !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
		return nil
	})
}

// idler takes everything, and reads nothing at once.
type idler struct{}

func (idler) Read([]byte) (int, error)         { return 0, nil }
func (idler) Write(p []byte) (int, error)      { return len(p), nil }
func (idler) Close() error                     { return nil }
func (idler) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (idler) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (idler) SetDeadline(time.Time) error      { return nil }
func (idler) SetReadDeadline(time.Time) error  { return nil }
func (idler) SetWriteDeadline(time.Time) error { return nil }
