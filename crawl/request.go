package crawl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
)

// keepBufferBytes is how large a buffer may be to be used again.
const keepBufferBytes = 512 << 10

// answer is what came back for one request.
type answer struct {
	status      int
	header      http.Header
	contentType string
	answered    time.Duration // when the header was there
	size        int64
	hash        string        // of what was not kept
	body        *bytes.Buffer // what was kept
}

// redirect returns where an answer from address points to.
func (a answer) redirect(address string) (string, bool) {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", false
	}
	base, err := urls.Parse(address)
	if err != nil || a.header.Get("Location") == "" {
		return "", false
	}
	u, err := resolve(base, a.header.Get("Location"))
	if err != nil || !isWeb(u) {
		return "", false
	}
	return canonical(u), true
}

// isPage reports whether an answer is a page to be parsed. One that does not
// say what it is may be one.
func isPage(a answer) bool {
	return a.status/100 == 2 && (a.contentType == "" || isHTML(a.contentType))
}

// get sends one request. The body is kept if keep says so, else only measured.
// What arrived until an error is in the answer.
func (c *crawler) get(ctx context.Context, address string, limit int64, keep func(answer) bool) (a answer, err error) {
	err = asyncio.Timeout(ctx, c.cfg.Timeout, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return &failure{kind: "address", err: err}
		}
		req.Header["User-Agent"] = c.userAgent
		req.Header["Accept"] = acceptHeader
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		a = answer{
			status:      resp.StatusCode,
			header:      resp.Header,
			contentType: resp.Header.Get("Content-Type"),
			answered:    c.loop.Time(),
		}
		if keep(a) {
			return c.readBody(resp.Body, limit, resp.ContentLength, &a)
		}
		if resp.ContentLength > limit {
			a.size = resp.ContentLength
			return tooLarge(limit)
		}
		return c.measureBody(resp.Body, limit, &a)
	})
	return a, err
}

var acceptHeader = []string{"text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"}

func (c *crawler) readBody(body io.Reader, limit, length int64, a *answer) error {
	a.body = c.buffer()
	if length > 0 { // room for the last read, too, which finds the end
		a.body.Grow(int(min(length, keepBufferBytes-bytes.MinRead)) + bytes.MinRead)
	}
	n, err := a.body.ReadFrom(io.LimitReader(body, limit+1))
	a.size = n
	c.summary.Bytes += n
	if err == nil && n > limit {
		a.body.Truncate(int(limit))
		err = tooLarge(limit)
	}
	return err
}

// scratch are buffers that bodies are hashed through, one for each: a Read may let
// other fetchers run when it has filled its buffer.
var scratch = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (c *crawler) measureBody(body io.Reader, limit int64, a *answer) error {
	hash := sha256.New()
	buf := scratch.Get().(*[32 << 10]byte)
	n, err := io.CopyBuffer(struct{ io.Writer }{hash}, io.LimitReader(body, limit+1), buf[:])
	if err == nil { // else a Read may still have it
		scratch.Put(buf)
	}
	a.size = n
	c.summary.Bytes += n
	if err == nil && n > limit {
		return tooLarge(limit)
	}
	a.hash = hex.EncodeToString(hash.Sum(nil))
	return err
}

func tooLarge(limit int64) error {
	return &failure{kind: "too large", err: fmt.Errorf("more than %d bytes", limit)}
}

func isTooLarge(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.kind == "too large"
}

// buffer returns an empty buffer, a used one if there is one.
func (c *crawler) buffer() *bytes.Buffer {
	if n := len(c.buffers); n > 0 {
		b := c.buffers[n-1]
		c.buffers = c.buffers[:n-1]
		return b
	}
	return new(bytes.Buffer)
}

func (c *crawler) recycle(b *bytes.Buffer) {
	if b.Cap() <= keepBufferBytes {
		b.Reset()
		c.buffers = append(c.buffers, b)
	}
}
