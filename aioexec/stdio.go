package aioexec

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
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

func (c *Cmd) input(ctx context.Context) (io.Reader, error) {
	if c.Stdin == nil {
		return nil, nil
	}
	if f, ok := c.Stdin.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.theirs = append(c.theirs, r)
	p, err := c.ours(ctx, w)
	if err != nil {
		return nil, err
	}
	c.copies = append(c.copies, copying{name: "stdin", in: true, run: func() error {
		_, err := io.Copy(p, c.Stdin)
		if errors.Is(err, syscall.EPIPE) {
			err = nil // the process does not want more
		}
		return errors.Join(err, p.Close())
	}})
	return r, nil
}

func (c *Cmd) output(ctx context.Context, name string, to io.Writer) (io.Writer, error) {
	if to == nil {
		return nil, nil
	}
	if f, ok := to.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.theirs = append(c.theirs, w)
	p, err := c.ours(ctx, r)
	if err != nil {
		return nil, err
	}
	c.copies = append(c.copies, copying{name: name, run: func() error {
		_, err := io.Copy(to, p)
		return errors.Join(err, p.Close())
	}})
	return w, nil
}

// ours takes over our end of a pipe.
func (c *Cmd) ours(ctx context.Context, f *os.File) (*aiofile.Pipe, error) {
	p, err := aiofile.NewPipe(ctx, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	c.pipes = append(c.pipes, p)
	return p, nil
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
	if c.Stdin != nil {
		return nil, c.fail("stdin of", errors.New("the field Stdin is set already"))
	}
	r, w, err := c.pipe("stdin of")
	if err != nil {
		return nil, err
	}
	c.Stdin = r
	c.theirs = append(c.theirs, r)
	return c.handed(ctx, "stdin of", w)
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
	if *field != nil {
		return nil, c.fail(what, errors.New("it is set already"))
	}
	r, w, err := c.pipe(what)
	if err != nil {
		return nil, err
	}
	*field = w
	c.theirs = append(c.theirs, w)
	return c.handed(ctx, what, r)
}

func (c *Cmd) pipe(what string) (r, w *os.File, err error) {
	if c.inner != nil {
		return nil, nil, c.fail(what, ErrStarted)
	}
	r, w, err = os.Pipe()
	return r, w, c.fail(what, err)
}

// handed takes over an end of a pipe that the user gets. If Start fails it is closed, too.
func (c *Cmd) handed(ctx context.Context, what string, f *os.File) (*aiofile.Pipe, error) {
	p, err := c.ours(ctx, f)
	return p, c.fail(what, err)
}

func closeAll[C io.Closer](closers []C) {
	for _, c := range closers {
		c.Close()
	}
}
