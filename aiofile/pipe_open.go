package aiofile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/worlds"
)

// NewPipe takes f over: a pipe's end, a FIFO, a terminal, a socket, a device or even a file ([Open] is better at
// those). If it returns an error, f is still the caller's. Nothing waits.
//
// The flags of f are left alone. O_NONBLOCK belongs to all who share what f stands for: the shell would find its
// terminal broken after the program's end, and a panic or a signal leaves no time to restore it. So:
//
//   - a descriptor that does not block already, as package os opens pipes, is tried on the loop (on a duplicate; f is
//     closed at once);
//   - a pipe or terminal that blocks is opened anew through /proc/self/fd (Linux), for flags of its own;
//   - with all else, a goroutine waits until it is ready and then reads or writes, and is taken back when it is not
//     wanted any more. That costs about 5 µs a call. When such a Write is cancelled while the system is at it, that
//     piece counts as written. (On Windows, and wherever poll(2) cannot tell, a Read that was given up takes what
//     comes next all the same, and keeps it for the next Read.)
func NewPipe(ctx context.Context, f *os.File) (*Pipe, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("open", f.Name(), err)
	}
	p, err := l.Env.Pipes.Adopt(l, f)
	if err != nil {
		return nil, openError(f.Name(), err)
	}
	return newPipe(l, p), nil
}

// openError says of err what was to be opened, once.
func openError(name string, err error) error {
	if path, ok := err.(*fs.PathError); ok {
		err = path.Err
	}
	return pathError("open", name, err)
}

// Stdin returns standard input, which is what os.Stdin refers to by now: a terminal, a pipe, a file. See [NewPipe] for
// how it leaves the flags alone that others see. Close leaves os.Stdin open.
//
// Who reads from several Pipes of the same input at once gets parts in each. A program in the background is stopped
// when it reads from its terminal, as ever.
func Stdin(ctx context.Context) (*Pipe, error) { return standard(ctx, 0, "/dev/stdin") }

// Stdout is [Stdin] for standard output. What a Write has returned for is written: nothing has to be flushed.
func Stdout(ctx context.Context) (*Pipe, error) { return standard(ctx, 1, "/dev/stdout") }

// Stderr is [Stdin] for standard error.
func Stderr(ctx context.Context) (*Pipe, error) { return standard(ctx, 2, "/dev/stderr") }

func standard(ctx context.Context, n int, name string) (*Pipe, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	dev, err := l.Env.Pipes.Standard(l, n)
	if err != nil {
		return nil, openError(name, err)
	}
	p := newPipe(l, dev)
	l.Own(p)
	return p, nil
}

// SyscallConn gives access to the descriptor by its Control method, for what has no method here, as the size of a
// terminal. Its Read and Write block the goroutine and must not be called on the loop.
func (p *Pipe) SyscallConn() (syscall.RawConn, error) {
	f, err := p.dev.File()
	if err != nil {
		return nil, p.fail("control", err)
	}
	rc, err := f.SyscallConn()
	return rc, p.fail("control", err)
}

// isHangup reports whether err is what a terminal says whose other side has gone.
func isHangup(err error) bool { return errors.Is(err, syscall.EIO) }
