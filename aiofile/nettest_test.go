//go:build linux

package aiofile_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/conntest"
)

// duplex is a connection of two pipes, or of one terminal, which is both.
type duplex struct{ r, w *aiofile.Pipe }

func (d duplex) Read(p []byte) (int, error)         { return asNet(d.r.Read(p)) }
func (d duplex) Write(p []byte) (int, error)        { return asNet(d.w.Write(p)) }
func (d duplex) LocalAddr() net.Addr                { return &net.UnixAddr{Net: "pipe"} }
func (d duplex) RemoteAddr() net.Addr               { return &net.UnixAddr{Net: "pipe"} }
func (d duplex) SetReadDeadline(t time.Time) error  { return d.r.SetReadDeadline(t) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.w.SetWriteDeadline(t) }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.r.SetReadDeadline(t), d.w.SetWriteDeadline(t))
}

func (d duplex) Close() error {
	if d.r == d.w {
		return d.r.Close()
	}
	return errors.Join(d.r.Close(), d.w.Close())
}

// asNet makes a net.Error of one of package os.
func asNet(n int, err error) (int, error) {
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, &net.OpError{Op: "use", Net: "pipe", Err: err}
}

// takeOver makes a Pipe of f on a loop that runs elsewhere.
func takeOver(t *testing.T, l *asyncio.Loop, f *os.File) *aiofile.Pipe {
	t.Helper()
	p, err := asyncio.RunThreadsafe(l, func(ctx context.Context) (*aiofile.Pipe, error) {
		return aiofile.NewPipe(ctx, f)
	}).Wait(context.Background())
	must(t, err)
	return p
}

func TestPipe_twoOfThem_areANetConn(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			conntest.Run(t, func(a, b *asyncio.Loop) (c1, c2 net.Conn, err error) {
				r1, w2 := k.open(t)
				r2, w1 := k.open(t)
				c1 = duplex{takeOver(t, a, r1), takeOver(t, a, w1)}
				c2 = duplex{takeOver(t, b, r2), takeOver(t, b, w2)}
				return c1, c2, nil
			})
		})
	}
}

// The program's side comes first: when the terminal's own side closes, what the program has not read is gone.
func TestOpenPTY_bothSides_areANetConn(t *testing.T) {
	conntest.Run(t, func(a, b *asyncio.Loop) (c1, c2 net.Conn, err error) {
		var secondary *os.File
		primary, err := asyncio.RunThreadsafe(b, func(ctx context.Context) (primary *aiofile.Pipe, err error) {
			primary, secondary = openPTY(t, ctx)
			return primary, nil
		}).Wait(context.Background())
		program := takeOver(t, a, secondary)
		return duplex{program, program}, duplex{primary, primary}, err
	})
}
