package aiofile

import (
	"context"
	"io/fs"
	"os"

	"github.com/go-asyncio/asyncio"
)

// NewPipe takes f over: a pipe's end, a FIFO, a terminal, a character device.
func NewPipe(ctx context.Context, f *os.File) (*Pipe, error) {
	l := asyncio.RunningLoop(ctx)
	fd, err := descriptor(f)
	if err != nil {
		return nil, err
	}
	p := newPipe(l, f.Name())
	p.terminal = isTerminal(fd)
	dev, err := newPolled(l, f, fd, p)
	if err != nil {
		return nil, &fs.PathError{Op: "watch", Path: f.Name(), Err: err}
	}
	return p.start(dev), nil
}

func descriptor(f *os.File) (fd int, err error) {
	rc, err := f.SyscallConn()
	if err == nil {
		err = rc.Control(func(n uintptr) { fd = int(n) })
	}
	return fd, err
}
