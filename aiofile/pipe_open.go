package aiofile

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/term"

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
	return attach(ctx, f, false)
}

// Stdin returns standard input, which is what os.Stdin refers to by now: a terminal, a pipe, a file. See [NewPipe] for
// how it leaves the flags alone that others see. Close leaves os.Stdin open.
//
// Who reads from several Pipes of the same input at once gets parts in each. A program in the background is stopped
// when it reads from its terminal, as ever.
func Stdin(ctx context.Context) (*Pipe, error) {
	return attach(ctx, os.Stdin, true)
}

// Stdout is [Stdin] for standard output. What a Write has returned for is written: nothing has to be flushed.
func Stdout(ctx context.Context) (*Pipe, error) {
	return attach(ctx, os.Stdout, true)
}

// Stderr is [Stdin] for standard error.
func Stderr(ctx context.Context) (*Pipe, error) {
	return attach(ctx, os.Stderr, true)
}

// attach makes a Pipe of f. One that is borrowed stays open at the Pipe's end.
func attach(ctx context.Context, f *os.File, borrowed bool) (*Pipe, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("open", f.Name(), err)
	}
	p := &Pipe{loop: l, name: f.Name()}
	if borrowed {
		l.Own(p)
	}
	info, err := f.Stat() // also finds out whether it is open
	if err != nil {
		return nil, p.fail("open", err)
	}
	private := f // nil: there is none
	err = withDescriptor(f, func(fd int) error {
		p.terminal = term.IsTerminal(fd)
		if borrowed || fd <= 2 || !pollable(f, fd) {
			private = reopen(f, fd, info, p.terminal)
		}
		return nil
	})
	if err != nil {
		return nil, p.fail("open", err)
	}
	if private == nil {
		return p.start(newThreaded(p, f, borrowed, info.Mode().IsRegular())), nil
	}
	dev, err := newPolled(l, private, (*pipeOwner)(p))
	if private != f {
		private.Close()
	}
	if err != nil {
		return nil, p.fail("open", err)
	}
	if !borrowed {
		f.Close()
	}
	return p.start(dev), nil
}

// pollable reports whether f does not block, and Go's netpoller knows it.
func pollable(f *os.File, fd int) bool {
	return doesNotBlock(fd) && f.SetDeadline(time.Time{}) == nil
}

// withDescriptor returns what fn does, for which the descriptor of f is not closed meanwhile.
func withDescriptor(f *os.File, fn func(fd int) error) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	closed := rc.Control(func(fd uintptr) { err = fn(int(fd)) })
	if closed != nil {
		return closed
	}
	return err
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
