package standin

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/pipe"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// pipes are those of a world: connections. There are no terminals, and of the standard streams there is the output.
type pipes struct {
	env.Pipes // all that is not below: nil
	w         *World
}

// pair returns two streams that are connected with each other.
func pair(h pipe.Host) (a, b *stream) {
	e := end{n: h.Poller().(*network), local: &net.UnixAddr{Name: "pipe"}}
	a, b = &stream{end: e}, &stream{end: e}
	a.peer, b.peer = b, a
	return a, b
}

func (pipes) Open(h pipe.Host) (r, w pipe.Pipe, err error) {
	a, b := pair(h)
	return &pipeEnd{a}, &pipeEnd{b}, nil
}

func (p pipes) Standard(h pipe.Host, n int) (pipe.Pipe, error) {
	if n != 1 {
		return nil, errors.ErrUnsupported
	}
	a, b := pair(h)
	p.w.output = b
	return &pipeEnd{a}, nil
}

// Adopt is for files of the system.
func (pipes) Adopt(pipe.Host, *os.File) (pipe.Pipe, error) { return nil, errors.ErrUnsupported }

func (pipes) ForProcess(h pipe.Host, _ bool) (ours pipe.Pipe, theirs io.ReadWriteCloser, err error) {
	a, b := pair(h)
	return &pipeEnd{a}, &processEnd{stream: b}, nil
}

// pipeEnd is a loop's end of a pipe.
type pipeEnd struct{ *stream }

var _ pipe.Pipe = (*pipeEnd)(nil)

func (e *pipeEnd) Name() string                             { return "pipe" }
func (e *pipeEnd) Terminal() bool                           { return false }
func (e *pipeEnd) Leave(poller.Mode) int                    { return 0 }
func (e *pipeEnd) SetDeadline(poller.Mode, time.Time) error { return nil }
func (e *pipeEnd) BlockRead([]byte) (int, error)            { return 0, errors.ErrUnsupported }
func (e *pipeEnd) BlockWrite([]byte) (int, error)           { return 0, errors.ErrUnsupported }
func (e *pipeEnd) File() (*os.File, error)                  { return nil, errors.ErrUnsupported }
func (e *pipeEnd) Abort() error                             { return e.stream.Close() }
func (e *pipeEnd) Close()                                   {}

// processEnd is a process's end of a pipe, which also the one that starts the process closes.
type processEnd struct {
	*stream
	inherited bool
}

func (e *processEnd) Close() error {
	if e.inherited {
		e.inherited = false
		return nil
	}
	return e.stream.Close()
}

// processes start programs that have pipes for all their streams, read all of the input, write something, and end.
func (w *World) processes() env.Processes {
	ended := map[*exec.Cmd]func(){}
	return env.Processes{
		Start: func(c *exec.Cmd) error {
			program := w.Programs[c.Path]
			if program == nil {
				return syscall.ENOENT
			}
			c.Process = &os.Process{Pid: 1}
			in, out, e := c.Stdin.(*processEnd), c.Stdout.(*processEnd), c.Stderr.(*processEnd)
			in.inherited, out.inherited, e.inherited = true, true, true
			var run func()
			run = func() {
				if !in.ended {
					w.send(new(time.Duration), run)
					return
				}
				w.note("%s has its input", c.Path)
				_, _ = out.Write([]byte(program(string(in.in))))
				_, _ = out.Close(), e.Close()
				ended[c]()
			}
			w.send(new(time.Duration), run)
			return nil
		},
		Watch: func(p poller.Poller, c *exec.Cmd, fn func()) (stop func(), err error) {
			n := p.(*network)
			ended[c] = func() { n.due = append(n.due, fn) }
			return func() {}, nil
		},
		Wait: func(*exec.Cmd) error { return nil },
	}
}
