package aiofile

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/pipe"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A Pipe is one end of a pipe, a FIFO, a terminal or whatever else can be waited for, on a loop. It is an
// io.ReadWriteCloser with deadlines, as an *os.File is, in both worlds: in a coroutine Read and Write suspend that
// coroutine; on any other goroutine they block that goroutine and need nothing from the loop.
//
// Its methods may be called by several coroutines and goroutines at once. Each Write stays in one piece among those of
// this Pipe. In a callback of the loop, which must not wait, calls that would have to fail with [ErrWouldWait].
//
// Errors are an *fs.PathError with the file's name, as those of package os. A Write to a pipe that nobody reads any
// more is syscall.EPIPE, also on standard output, where package os would end the program by SIGPIPE.
type Pipe struct {
	loop *engine.Loop
	name string
	dev  pipe.Pipe

	closed           atomic.Bool
	readers, writers engine.WaitQueue // the loop's
	sending          worlds.Lock      // whose turn it is to write, in either world
	in, out          worlds.Deadline
	remove           func() // from what the loop closes at its end
}

// OpenPipe returns the ends of a new pipe: what is written to w is read from r. Nothing waits.
func OpenPipe(ctx context.Context) (r, w *Pipe, err error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, nil, pathError("open", "pipe", err)
	}
	pr, pw, err := l.Env.Pipes.Open(l)
	if err != nil {
		return nil, nil, pathError("open", "pipe", err)
	}
	return newPipe(l, pr), newPipe(l, pw), nil
}

// newPipe puts a pipe of the environment to use.
func newPipe(l *engine.Loop, dev pipe.Pipe) *Pipe {
	p := &Pipe{loop: l, name: dev.Name(), dev: dev}
	dev.SetOwner((*pipeOwner)(p))
	p.remove = l.AddCloser(loopEnd{p})
	return p
}

func init() {
	pipe.Face = func(h pipe.Host, p pipe.Pipe) any { return newPipe(h.(*engine.Loop), p) }
}

// loopEnd closes the pipe because the loop has ended.
type loopEnd struct{ p *Pipe }

func (e loopEnd) Close() error {
	_ = e.p.Close()
	return nil
}

// Leak names the pipe in the report of what was never closed.
func (e loopEnd) Leak() (any, string) { return e.p, "a pipe (" + e.p.name + ") was never closed" }

// Name returns the name of the file.
func (p *Pipe) Name() string { return p.name }

// pipeOwner is a Pipe as the poller knows it.
type pipeOwner Pipe

// Ready is the poller's call.
func (o *pipeOwner) Ready(m poller.Mode) { (*Pipe)(o).ready(m) }

// ready lets what waits try again.
func (p *Pipe) ready(m poller.Mode) {
	if m&poller.Read != 0 {
		p.readers.WakeAll()
	}
	if m&poller.Write != 0 {
		p.writers.WakeAll()
	}
}

// Read reads up to len(b) bytes, and waits while there are none. It returns io.EOF when all that could write have
// closed their ends; a terminal that hangs up counts as that.
//
// It is ended by the context of the running block, the read deadline and Close, and has taken nothing then.
func (p *Pipe) Read(b []byte) (int, error) {
	ctx := p.loop.CurrentContext()
	if ctx == nil {
		return p.readForeign(b)
	}
	for {
		n, err := p.tryRead(ctx, b)
		if err == poller.ErrAgain {
			if err = p.wait(ctx, poller.Read, &p.readers, (*readWait)(p)); err == nil {
				continue
			}
		}
		if err != nil && p.readers.Empty() {
			p.dev.Leave(poller.Read)
		}
		worlds.Step(ctx, p.loop)
		return n, p.fail("read", err)
	}
}

// wait waits until a try may go better.
func (p *Pipe) wait(ctx context.Context, m poller.Mode, q *engine.WaitQueue, what engine.Waitable) error {
	err := p.dev.Arm(m)
	if err == nil {
		err = q.WaitIO(ctx, what)
	}
	return err
}

// tryRead is a Read that returns poller.ErrAgain where it would wait.
func (p *Pipe) tryRead(ctx context.Context, b []byte) (int, error) {
	if err := p.may(ctx, &p.readers, &p.in); err != nil {
		return 0, err
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := p.dev.Read(b)
	p.loop.Moved(n)
	return n, err
}

// may reports why the next step of a Read or Write may not be taken.
func (p *Pipe) may(ctx context.Context, q *engine.WaitQueue, d *worlds.Deadline) error {
	if p.closed.Load() {
		return fs.ErrClosed
	}
	if ctx.Err() != nil {
		return q.WaitIO(ctx, (*readWait)(p)) // lets others run, and returns the cause
	}
	if d.Expired() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Write writes all of b, and waits while there is no room. It returns fewer than len(b) only with an error: then that
// many bytes are on their way.
//
// It is ended by the context of the running block, the write deadline and Close.
func (p *Pipe) Write(b []byte) (int, error) {
	ctx := p.loop.CurrentContext()
	if ctx == nil {
		return p.writeForeign(b)
	}
	if err := p.sending.Acquire(ctx, p.loop, (*writeWait)(p)); err != nil {
		return 0, p.fail("write", err)
	}
	n, err := p.writeAll(ctx, b)
	if err != nil {
		n += p.dev.Leave(poller.Write)
	}
	p.sending.Release(p.loop)
	worlds.Step(ctx, p.loop)
	return n, p.fail("write", err)
}

func (p *Pipe) writeAll(ctx context.Context, b []byte) (done int, err error) {
	for {
		if err := p.may(ctx, &p.writers, &p.out); err != nil {
			return done, err
		}
		if len(b) == 0 {
			return 0, nil
		}
		n, err := p.dev.Write(b[done:min(done+worlds.TurnBytes, len(b))])
		done += n
		p.loop.Moved(n)
		switch {
		case err == nil && done == len(b):
			return done, nil
		case err == nil:
			worlds.Step(ctx, p.loop)
		case err == poller.ErrAgain:
			err = p.wait(ctx, poller.Write, &p.writers, (*writeWait)(p))
		}
		if err != nil {
			return done, err
		}
	}
}

// Close closes this end and ends every Read and Write with fs.ErrClosed. Any goroutine may call it; it does not wait.
func (p *Pipe) Close() error {
	if p.closed.Swap(true) {
		return p.fail("close", fs.ErrClosed)
	}
	if p.loop.On() {
		p.dev.Close()
	}
	err := p.fail("close", p.dev.Abort())
	if p.loop.On() || p.loop.CallSoonThreadsafe(p.shut) != nil {
		p.shut() // the second is a loop that has ended, so that nobody else does
	}
	return err
}

func (p *Pipe) shut() {
	if p.loop.On() {
		p.remove()
		p.in.Stop()
		p.out.Stop()
		p.ready(poller.Read | poller.Write)
	}
	p.dev.Close()
}

// SetDeadline sets the read and the write deadline.
func (p *Pipe) SetDeadline(t time.Time) error { return p.setDeadline(poller.Read|poller.Write, t) }

// SetReadDeadline ends each Read at t, and those after it, with an error that is os.ErrDeadlineExceeded and whose
// Timeout method returns true. The zero time removes it. Setting it again costs no allocation.
//
// Coroutines see t on the loop's clock ([asyncio.Loop.Now]), which tests may let run faster; other goroutines on the
// real one.
func (p *Pipe) SetReadDeadline(t time.Time) error { return p.setDeadline(poller.Read, t) }

// SetWriteDeadline is [Pipe.SetReadDeadline] for Write.
func (p *Pipe) SetWriteDeadline(t time.Time) error { return p.setDeadline(poller.Write, t) }

func (p *Pipe) setDeadline(m poller.Mode, t time.Time) error {
	if p.closed.Load() {
		return p.fail("set deadline", fs.ErrClosed)
	}
	if err := p.dev.SetDeadline(m, t); err != nil {
		return p.fail("set deadline", err)
	}
	if m&poller.Read != 0 {
		p.in.Set(p.loop, &p.readers, t)
	}
	if m&poller.Write != 0 {
		p.out.Set(p.loop, &p.writers, t)
	}
	return nil
}

// fail wraps what a call ended with as package os does. io.EOF stays as it is.
func (p *Pipe) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if path, ok := err.(*fs.PathError); ok {
		err = path.Err
	}
	if op == "read" && p.dev.Terminal() && isHangup(err) {
		return io.EOF
	}
	if op == "write" && isBrokenPipe(err) {
		err = syscall.EPIPE
	}
	if p.closed.Load() && op != "close" {
		err = fs.ErrClosed // whatever it was that ended it
	}
	return &fs.PathError{Op: op, Path: p.name, Err: err}
}

// String says what the pipe is; it works at any time.
func (p *Pipe) String() string {
	if p.closed.Load() {
		return fmt.Sprintf("aiofile.Pipe(%s, closed)", p.name)
	}
	return fmt.Sprintf("aiofile.Pipe(%s)", p.name)
}

// readWait and writeWait say what a task waits for, should anybody ask.
type (
	readWait  Pipe
	writeWait Pipe
)

func (p *readWait) WaitName() string  { return "read from " + p.name }
func (p *writeWait) WaitName() string { return "write to " + p.name }
