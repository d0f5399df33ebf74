package aionet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// ErrWouldWait is what a Read, Write or Accept returns that would have to wait in a callback of the loop. Start a
// task there instead.
var ErrWouldWait = errors.New("aionet: a callback of the loop must not wait; start a task for that")

// orWouldWait is what a call in a callback returns after its one try.
func orWouldWait(err error) error {
	if err == poller.ErrAgain {
		return ErrWouldWait
	}
	return err
}

var (
	errClosed   = net.ErrClosed
	errDeadline = os.ErrDeadlineExceeded
)

// fail wraps what a call on the connection ended with as package net does. io.EOF stays as it is.
func (c *Conn) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// explain adds to an error of the system what can be done about it.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w (the process has as many files and sockets open as it may; raise \"ulimit -n\")", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w (another program, or this one, listens there already)", err)
	}
	return err
}

func addrString(a net.Addr) string {
	if a == nil {
		return "nowhere"
	}
	if s := a.String(); s != "" {
		return s
	}
	return "an unnamed socket"
}
