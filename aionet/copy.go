package aionet

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/scratch"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// copyBuffers are shared by all connections: one that has nothing to copy holds none.
var copyBuffers = scratch.Of(64 << 10)

// fileAtOnce is how much of a file is sent between two looks at whether to go on.
const fileAtOnce = 256 << 10

// ReadFrom writes all that r gives; io.Copy uses it. A file is sent by the system itself (sendfile) where that can
// be, from a thread, so that a slow disk does not stop the loop.
//
// It is ended as Write is.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	c.step()
	if sent, err := c.readFromLender(r); sent > 0 || !errors.Is(err, errors.ErrUnsupported) {
		return sent, err
	}
	if f, n, ok := fileOf(r); ok {
		sent, err := c.sendFile(f, n)
		took(r, sent)
		if !errors.Is(err, errors.ErrUnsupported) {
			return sent, err
		}
		if ctx := c.loop.CurrentContext(); ctx != nil {
			r = inThread{ctx, r}
		}
	}
	return scratch.Lend(copyBuffers, func(buf []byte) (int64, error) { return io.CopyBuffer(onlyWriter{c}, r, buf) })
}

// A lender is a file that knows its position itself, an aiofile.File: it lends the system's file for as long as fn runs.
type lender interface {
	Lend(fn func(f *os.File) error) error
}

// readFromLender is ReadFrom for what a lender has; errors.ErrUnsupported if r is none, or does not lend.
func (c *Conn) readFromLender(r io.Reader) (sent int64, err error) {
	inner, n := limitOf(r)
	l, ok := inner.(lender)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	err = l.Lend(func(f *os.File) error {
		start, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		sent, err = c.ReadFrom(io.LimitReader(f, n))
		_, sought := f.Seek(start+sent, io.SeekStart) // a copy may have read more than it sent
		return cmp.Or(err, sought)
	})
	took(r, sent)
	return sent, err
}

// limitOf returns what r reads from, and how much of it at most.
func limitOf(r io.Reader) (io.Reader, int64) {
	if l, ok := r.(*io.LimitedReader); ok {
		return l.R, l.N
	}
	return r, math.MaxInt64
}

// took notes that n bytes were taken from below the limit of r, if it has one.
func took(r io.Reader, n int64) {
	if l, ok := r.(*io.LimitedReader); ok {
		l.N -= n
	}
}

type onlyWriter struct{ io.Writer }

// inThread reads a file where the disk does not keep the loop waiting. Only if the loop ends, a thread may still read into
// what Read was given.
type inThread struct {
	ctx context.Context
	r   io.Reader
}

func (t inThread) Read(p []byte) (int, error) {
	n, err, failed := finishInThread(t.ctx, func() (int, error) { return t.r.Read(p) })
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// finishInThread runs fn in a thread, and waits for it even when cancelled. It returns what fn returns, unless it has failed
// to wait, at the end of the loop: then fn may still be running, so that it must not write to what the caller has.
func finishInThread[N int | int64](ctx context.Context, fn func() (N, error)) (n N, err, failed error) {
	type result struct {
		n   N
		err error
	}
	var r result
	failed = asyncio.Shield(ctx, func(ctx context.Context) (failed error) {
		r, failed = asyncio.ToThread(ctx, func() (result, error) {
			n, err := fn()
			return result{n, err}, nil
		})
		return failed
	})
	return r.n, r.err, failed
}

// fileOf returns the regular file that r reads, and how much of it.
func fileOf(r io.Reader) (f poller.File, n int64, ok bool) {
	r, n = limitOf(r)
	if f, ok = r.(poller.File); !ok || n <= 0 {
		return nil, 0, false
	}
	info, err := f.Stat()
	return f, n, err == nil && info.Mode().IsRegular()
}

func (c *Conn) sendFile(f poller.File, n int64) (sent int64, err error) {
	ctx := c.loop.CurrentContext()
	if ctx == nil {
		if c.loop.On() {
			return 0, c.fail("write", ErrWouldWait)
		}
		c.sending.AcquireForeign()
		defer c.sending.Release(c.loop)
		sent, err = sendFileBy(c.sock, f, n, c.wrote)
		return sent, c.fail("write", err)
	}
	if err := c.sending.Acquire(ctx, c.loop, (*writeWait)(c)); err != nil {
		return 0, c.fail("write", err)
	}
	defer c.sending.Release(c.loop)
	if err := c.may(ctx, &c.writers, &c.out); err != nil {
		return 0, c.fail("write", err)
	}
	if c.served != nil {
		c.served.waitsToWrite(true)
		defer c.served.waitsToWrite(false)
	}
	sent, err = c.sendFileInThread(ctx, f, n)
	return sent, c.fail("write", err)
}

// sendFileInThread waits for the thread even when cancelled, as only it knows how much was sent; it is told to stop.
func (c *Conn) sendFileInThread(ctx context.Context, f poller.File, n int64) (sent int64, err error) {
	var mu sync.Mutex
	var stopped, over bool
	forget := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			stopped = true
			c.sock.SetDeadline(poller.Write, time.Unix(1, 0))
		}
	})
	sent, err, failed := finishInThread(ctx, func() (int64, error) { return sendFileBy(c.sock, f, n, c.wrote) })
	forget()
	mu.Lock()
	defer mu.Unlock()
	over = true
	if stopped {
		c.sock.SetDeadline(poller.Write, c.out.Time())
		if errors.Is(err, errDeadline) {
			err = context.Cause(ctx)
		}
	}
	if failed != nil {
		return 0, failed
	}
	return sent, err
}

func sendFileBy(sock poller.Socket, f poller.File, n int64, wrote func(n int)) (sent int64, err error) {
	for sent < n {
		part := min(n-sent, fileAtOnce)
		k, err := sock.SendFile(f, part)
		wrote(int(k))
		sent += k
		if err != nil || k < part {
			return sent, err
		}
	}
	return sent, nil
}

// WriteTo reads until the end and writes to w; io.Copy uses it. While nothing comes it holds no buffer, so that
// thousands of idle connections can be copied from.
//
// It is ended as Read is.
func (c *Conn) WriteTo(w io.Writer) (done int64, err error) {
	for {
		n, err := c.writeSome(w)
		done += int64(n)
		if err == io.EOF {
			return done, nil
		}
		if err == poller.ErrAgain {
			err = c.fail("read", c.waitRead(c.loop.CurrentContext()))
		}
		if err != nil {
			return done, err
		}
	}
}

// writeSome hands on what one read gives.
func (c *Conn) writeSome(w io.Writer) (written int, err error) {
	var ended error // of the read, which leaves nobody with the buffer
	written, err = scratch.Lend(copyBuffers, func(buf []byte) (n int, err error) {
		if n, ended = c.readSome(buf); n == 0 {
			return 0, nil
		}
		k, err := w.Write(buf[:n])
		if err == nil && k < n {
			err = io.ErrShortWrite
		}
		return k, err
	})
	return written, cmp.Or(err, ended)
}

// readSome is a Read that returns poller.ErrAgain where it would wait, unless it may block.
func (c *Conn) readSome(p []byte) (int, error) {
	ctx := c.loop.CurrentContext()
	if ctx == nil {
		return c.readForeign(p)
	}
	worlds.Step(ctx, c.loop)
	n, err := c.tryRead(ctx, p)
	if err != poller.ErrAgain {
		err = c.fail("read", err)
	}
	return n, err
}
