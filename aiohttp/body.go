package aiohttp

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// A body is a response's body. It may be read by any coroutine or goroutine,
// one at a time, and closed by another one meanwhile.
type body struct {
	c        *conn
	ctx      context.Context // of the request
	resp     *http.Response
	frame    framing
	left     int64 // of a body by length
	chunks   chunks
	reusable bool // is the connection after this
	state    atomic.Int32
	err      error // that every Read returns from now on
}

// The states of a body.
const (
	bodyOpen int32 = iota
	bodyReading
	bodyEnded  // the connection is gone from it
	bodyClosed // by Close, which let a Read that was under way do the rest
)

// Read returns what has come, or suspends the coroutine until something has. It
// fails when the request's context has ended, or the block around the call.
func (b *body) Read(p []byte) (n int, err error) {
	b.step(0)
	if !b.state.CompareAndSwap(bodyOpen, bodyReading) {
		return 0, b.refuse()
	}
	if len(p) > 0 {
		n, err = b.readWithin(p)
	}
	if err == nil && b.state.CompareAndSwap(bodyReading, bodyOpen) {
		return n, nil
	}
	return n, b.end(err)
}

// step counts a read, and bytes that did not come from the connection, in the turn
// of the coroutine that reads: what has come, or has ended, is read without waiting.
func (b *body) step(bytes int) {
	if l := b.c.pool.loop; l.CurrentContext() != nil {
		l.Moved(bytes)
		l.CurrentParking().Step()
	}
}

// refuse says why a body is not to be read.
func (b *body) refuse() error {
	switch b.state.Load() {
	case bodyEnded:
		return b.err
	case bodyClosed:
		return http.ErrBodyReadAfterClose
	}
	return errors.New("aiohttp: two reads of a response's body at once")
}

// leakedBody is a body in the report of what was never closed.
type leakedBody body

func (b *leakedBody) Leak() (any, string) {
	return b, "the body of the response to " + b.resp.Request.Method + " " + b.resp.Request.URL.Redacted() + " was never closed"
}

func (b *body) readWithin(p []byte) (n int, err error) {
	loop := b.c.pool.loop
	if block := loop.CurrentContext(); block == nil || same(b.ctx, block) {
		return b.read(p)
	}
	err = within(loop, b.ctx, func(context.Context) error {
		n, err = b.read(p)
		return err
	})
	return n, err
}

// read reads according to the framing. io.EOF is the body's proper end.
func (b *body) read(p []byte) (n int, err error) {
	r := b.c.r
	switch b.frame {
	case byChunks:
		return b.chunks.read(r, p)
	case untilClose:
		return r.Read(p)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err = r.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		err = io.EOF
	case err == io.EOF:
		err = fmt.Errorf("%d of %d bytes missing: %w", b.left, b.resp.ContentLength, io.ErrUnexpectedEOF)
	}
	return n, err
}

// end ends the exchange because of err, and returns what Read is to return.
func (b *body) end(err error) error {
	if err == io.EOF {
		b.takeTrailer()
	} else if err != nil {
		err = b.explain(err)
	}
	b.err = err
	if b.state.CompareAndSwap(bodyReading, bodyEnded) {
		b.c.finish(err == io.EOF && b.reusable)
		return err
	}
	b.c.finish(false)
	return http.ErrBodyReadAfterClose
}

func (b *body) explain(err error) error {
	if up := b.c.upload; up.failed() {
		return b.c.fail(PhaseRequest, up.err)
	}
	return b.c.fail(PhaseBody, err)
}

func (b *body) takeTrailer() {
	for key, values := range b.chunks.trailer {
		if b.resp.Trailer == nil {
			b.resp.Trailer = http.Header{}
		}
		b.resp.Trailer[key] = values
	}
}

// Close ends the exchange if Read has not come to the end. It does not wait:
// the connection stays open only if the rest of the body has come already.
func (b *body) Close() error {
	switch b.state.Swap(bodyClosed) {
	case bodyReading:
		b.c.nc.Close() // which ends that Read, which does the rest
	case bodyOpen:
		b.c.finish(b.drain() && b.reusable)
	}
	return nil
}

// drain reads what is buffered and reports whether that is all.
func (b *body) drain() bool {
	if b.frame == untilClose {
		return false
	}
	b.c.noWait = true
	var scrap [512]byte
	for {
		if _, err := b.read(scrap[:]); err != nil {
			return err == io.EOF
		}
	}
}

// upgraded is the body of a response that ends HTTP on its connection (101). It
// is an [io.ReadWriteCloser] and belongs to no request any more.
type upgraded struct {
	c      *conn
	r      *bufio.Reader
	closed bool
}

func (u *upgraded) Read(p []byte) (int, error)  { return u.r.Read(p) }
func (u *upgraded) Write(p []byte) (int, error) { return u.c.nc.Write(p) }

// Close closes the connection.
func (u *upgraded) Close() error {
	if u.closed {
		return nil
	}
	u.closed = true
	u.c.buffers = nil // a Read may be under way
	u.c.finish(false)
	return nil
}

// decompress makes resp what it would be without compression.
func decompress(resp *http.Response, body *body) {
	resp.Body = &gunzipper{body: body, addr: body.c.target.addr()}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	resp.Uncompressed = true
}

// A gunzipper decompresses a body as it is read.
type gunzipper struct {
	body *body
	addr string
	zr   *gzip.Reader
	err  error
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (g *gunzipper) Read(p []byte) (int, error) {
	if g.err != nil {
		g.body.step(0)
		return 0, g.err
	}
	if g.zr == nil {
		zr := gzipReaders.Get().(*gzip.Reader)
		if err := zr.Reset(g.body); err != nil {
			return 0, g.fail(err)
		}
		g.zr = zr
	}
	n, err := g.zr.Read(p)
	g.body.step(n)
	if err != nil {
		gzipReaders.Put(g.zr)
		g.zr = nil
		err = g.fail(err)
	}
	return n, err
}

// fail makes err what every Read returns from now on.
func (g *gunzipper) fail(err error) error {
	if _, known := errors.AsType[*Error](err); !known && err != io.EOF && err != http.ErrBodyReadAfterClose {
		err = &Error{PhaseBody, g.addr, err}
	}
	g.err = err
	return err
}

// Close closes the body. A Read that is under way may go on using zr, which is
// why only Read gives it back.
func (g *gunzipper) Close() error { return g.body.Close() }
