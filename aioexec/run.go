package aioexec

import (
	"bytes"
	"context"
	"errors"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Run starts the process and waits for its end; see [Cmd.Wait] on the error. If ctx ends, the process is cancelled,
// and Run returns the cause when it has ended; it returns nil if it nevertheless exits with status 0.
func (c *Cmd) Run(ctx context.Context) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	return c.Wait(context.WithoutCancel(ctx))
}

// Output runs the process and returns what it writes to its standard output. If Stderr is nil, an [*exec.ExitError]
// has the beginning and the end of what it wrote there.
func (c *Cmd) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, engine.AtOnce(c.fail("output of", errors.New("the field Stdout is set already")))
	}
	var out bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.tail = &tail{}
		c.Stderr = c.tail
	}
	err := c.Run(ctx)
	return out.Bytes(), err
}

// CombinedOutput runs the process and returns what it writes to its standard output and its standard error, in the
// order in which it writes.
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, engine.AtOnce(c.fail("output of", errors.New("the field Stdout or Stderr is set already")))
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// Communicate runs the process, writes input to its standard input, and returns what it writes to its standard output
// and its standard error (asyncio's communicate). All of it goes on at once, so no full pipe stops anything. A nil
// input is none. A stream for which the Cmd has a reader or writer set goes there, and comes back as nil.
func (c *Cmd) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte, err error) {
	if input != nil {
		if c.Stdin != nil {
			return nil, nil, engine.AtOnce(c.fail("communicate with", errors.New("the field Stdin is set already")))
		}
		c.Stdin = bytes.NewReader(input)
	}
	var out, errs bytes.Buffer
	wantOut, wantErrs := c.Stdout == nil, c.Stderr == nil
	if wantOut {
		c.Stdout = &out
	}
	if wantErrs {
		c.Stderr = &errs
	}
	err = c.Run(ctx)
	if wantOut {
		stdout = append([]byte{}, out.Bytes()...)
	}
	if wantErrs {
		stderr = append([]byte{}, errs.Bytes()...)
	}
	return stdout, stderr, err
}

// tail keeps the beginning and the end of what is written to it.
type tail struct {
	start, end []byte
	left       int // out, in between
}

const tailSize = 32 << 10

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	room := min(tailSize-len(t.start), len(p))
	t.start = append(t.start, p[:room]...)
	t.end = append(t.end, p[room:]...)
	if over := len(t.end) - tailSize; over > 0 {
		t.left += over
		t.end = append(t.end[:0], t.end[over:]...)
	}
	return n, nil
}

func (t *tail) bytes() []byte {
	b := append([]byte{}, t.start...)
	if t.left > 0 {
		b = append(b, "\n... left out ...\n"...)
	}
	return append(b, t.end...)
}
