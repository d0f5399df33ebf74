package aioexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/pipe"
)

// copying is one stream that a coroutine copies.
type copying struct {
	name string
	run  func() error
	task *asyncio.Task[asyncio.None]
	in   bool
}

// connect gives the process its streams.
func (c *Cmd) connect(ctx context.Context) (err error) {
	if c.inner.Stdin, err = c.input(ctx); err != nil {
		return err
	}
	if c.inner.Stdout, err = c.output(ctx, "stdout", c.Stdout); err != nil {
		return err
	}
	if c.Stderr != nil && same(c.Stderr, c.Stdout) {
		c.inner.Stderr = c.inner.Stdout
		return nil
	}
	c.inner.Stderr, err = c.output(ctx, "stderr", c.Stderr)
	return err
}

// same reports whether both are one writer.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // of a type that cannot be compared: they are not
	return a == b
}

// passesOn reports whether the process itself gets a stream: a file, or its end of one of our pipes.
func (c *Cmd) passesOn(stream any) bool {
	if _, ok := stream.(*os.File); ok {
		return true
	}
	w, ok := stream.(io.Writer)
	return ok && slices.ContainsFunc(c.theirs, func(end io.ReadWriteCloser) bool { return same(end, w) })
}

func (c *Cmd) input(ctx context.Context) (io.Reader, error) {
	if c.Stdin == nil {
		return nil, nil
	}
	if c.passesOn(c.Stdin) {
		return c.Stdin, nil
	}
	theirs, ours, err := c.pipe(ctx, true)
	if err != nil {
		return nil, err
	}
	from := c.Stdin
	if _, ok := from.(io.WriterTo); !ok {
		from = feed{from}
	}
	c.addCopy("stdin", ours, func() error {
		_, err := io.Copy(ours, from)
		if errors.Is(err, syscall.EPIPE) {
			err = nil // the process does not want more
		}
		return err
	})
	return theirs, nil
}

func (c *Cmd) output(ctx context.Context, name string, to io.Writer) (io.Writer, error) {
	if to == nil {
		return nil, nil
	}
	if c.passesOn(to) {
		return to, nil
	}
	theirs, ours, err := c.pipe(ctx, false)
	if err != nil {
		return nil, err
	}
	c.addCopy(name, ours, func() error {
		_, err := io.Copy(to, ours)
		return err
	})
	return theirs, nil
}

// addCopy notes what a coroutine is to copy. Our end of the pipe is closed whatever becomes of that, so that the
// process does not wait for it.
func (c *Cmd) addCopy(name string, ours *aiofile.Pipe, run func() error) {
	c.copies = append(c.copies, copying{name: name, in: name == "stdin", run: func() (err error) {
		defer func() { err = errors.Join(err, ours.Close()) }()
		return run()
	}})
}

// pipe opens a pipe, with one end for the process, which reads or writes there, and one for us. If Start fails both
// are closed.
func (c *Cmd) pipe(ctx context.Context, reads bool) (theirs io.ReadWriteCloser, ours *aiofile.Pipe, err error) {
	running, err := engine.Running(ctx)
	if err != nil {
		return nil, nil, engine.AtOnce(err)
	}
	l := running.Loop()
	p, theirs, err := l.Env.Pipes.ForProcess(l, reads)
	if err != nil {
		return nil, nil, fmt.Errorf("open a pipe: %w", err)
	}
	ours = pipe.Face(l, p).(*aiofile.Pipe)
	c.theirs, c.pipes = append(c.theirs, theirs), append(c.pipes, ours)
	return theirs, ours, nil
}

// feed is a reader that does not try again and again what gives nothing, as io.Copy would: that would hold the loop.
type feed struct{ from io.Reader }

// emptyReads is how many reads in a row may give nothing.
const emptyReads = 100

func (f feed) Read(p []byte) (n int, err error) {
	for range emptyReads {
		if n, err = f.from.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// beginCopies starts the coroutines that copy. The end of ctx does not reach them: a process that is asked to end may
// still have something to say.
func (c *Cmd) beginCopies(ctx context.Context) {
	for i := range c.copies {
		y := &c.copies[i]
		y.task = asyncio.Go(context.WithoutCancel(ctx), func(context.Context) error { return y.run() },
			asyncio.Name(c.name()+" "+y.name))
	}
}

// StdinPipe returns the end of a pipe to which to write what the process is to read. Close it to end that. It must be
// called before Start, and Stdin must be nil.
func (c *Cmd) StdinPipe(ctx context.Context) (*aiofile.Pipe, error) {
	theirs, ours, err := c.userPipe(ctx, "stdin of", c.Stdin != nil, true)
	if err == nil {
		c.Stdin = theirs
	}
	return ours, err
}

// StdoutPipe returns the end of a pipe from which to read what the process writes. It must be called before Start, and
// Stdout must be nil. Nobody else closes it; it may be read after the process's end.
func (c *Cmd) StdoutPipe(ctx context.Context) (*aiofile.Pipe, error) {
	return c.outputPipe(ctx, "stdout of", &c.Stdout)
}

// StderrPipe is [Cmd.StdoutPipe] for standard error.
func (c *Cmd) StderrPipe(ctx context.Context) (*aiofile.Pipe, error) {
	return c.outputPipe(ctx, "stderr of", &c.Stderr)
}

func (c *Cmd) outputPipe(ctx context.Context, what string, field *io.Writer) (*aiofile.Pipe, error) {
	theirs, ours, err := c.userPipe(ctx, what, *field != nil, false)
	if err == nil {
		*field = theirs
	}
	return ours, err
}

// userPipe opens a pipe of which the user gets our end.
func (c *Cmd) userPipe(ctx context.Context, what string, set, reads bool) (theirs io.ReadWriteCloser, ours *aiofile.Pipe, err error) {
	switch {
	case set:
		err = engine.AtOnce(errors.New("the field is set already"))
	case c.inner != nil:
		err = engine.AtOnce(ErrStarted)
	default:
		theirs, ours, err = c.pipe(ctx, reads)
	}
	return theirs, ours, c.fail(what, err)
}

func closeAll[C io.Closer](closers []C) {
	for _, c := range closers {
		c.Close()
	}
}
