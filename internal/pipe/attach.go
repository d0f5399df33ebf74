package pipe

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/term"
)

// attach makes a Pipe of f. One that is borrowed stays open at the Pipe's end.
//
// The flags of f are left alone, since they belong to all who share what f stands for. So a descriptor that does not
// block already is tried on a duplicate; one that blocks is opened anew where that can be, for flags of its own; and
// with all else goroutines wait.
func attach(h Host, f *os.File, borrowed bool) (Pipe, error) {
	info, err := f.Stat() // also finds out whether it is open
	if err != nil {
		return nil, err
	}
	private := f // nil: there is none
	terminal := false
	err = WithDescriptor(f, func(fd int) error {
		terminal = term.IsTerminal(fd)
		if borrowed || fd <= 2 || !pollable(f, fd) {
			private = reopen(f, fd, info, terminal)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if private == nil {
		return newThreaded(h, f, terminal, borrowed, info.Mode().IsRegular()), nil
	}
	p, err := newPolled(h.Poller(), private, terminal)
	if private != f {
		private.Close()
	}
	if err != nil {
		return nil, err
	}
	if !borrowed {
		f.Close()
	}
	return p, nil
}

// pollable reports whether f does not block, and Go's netpoller knows it.
func pollable(f *os.File, fd int) bool {
	return doesNotBlock(fd) && f.SetDeadline(time.Time{}) == nil
}

// WithDescriptor returns what fn does, for which the descriptor of f is not closed meanwhile.
func WithDescriptor(f syscall.Conn, fn func(fd int) error) error {
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
