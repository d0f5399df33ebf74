package aiohttp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/scratch"
)

// An upload is a task that sends a request's body while the response is waited
// for, and even read: servers may answer before they have read all, and programs
// may talk both ways.
type upload struct {
	task *asyncio.Task[asyncio.None]
	done bool
	halt bool   // it was told to end
	then func() // what waits for its end
	err  error  // why it ended early
	sent error  // the part of the connection in that; nil: the body's fault
}

const copyBufferBytes = 32 << 10

var copyBuffers = scratch.Of(copyBufferBytes)

// sendBody begins to send the body.
func (c *conn) sendBody(req *http.Request, trace *httptrace.ClientTrace) {
	up := &upload{err: errBodyPanicked} // unless we get further
	c.upload = up
	loop, block := c.pool.loop, c.block
	up.task = asyncio.Go(block, func(context.Context) error {
		defer c.sentBody(up, trace)
		defer closeBody(req)
		send := func(context.Context) error {
			up.sent, up.err = c.writeBody(req)
			return nil
		}
		if same(req.Context(), block) { // which this task ends with anyway
			send(block)
		} else if err := within(loop, req.Context(), send); err != nil {
			up.sent, up.err = err, err
		}
		return nil
	}, asyncio.Name("aiohttp: send body"))
}

var errBodyPanicked = errors.New("the request's body panicked")

func (c *conn) writeBody(req *http.Request) (sent, err error) {
	return scratch.Lend(copyBuffers, func(buf []byte) (sent, err error) {
		if n := bodyLength(req); n != unknownLength {
			return writeSized(c.nc, req.Body, n, buf)
		}
		return writeChunked(c.nc, req, buf)
	})
}

// sentBody acts on the end of the sending, unless the exchange is over.
func (c *conn) sentBody(up *upload, trace *httptrace.ClientTrace) {
	up.done = true
	if up.then != nil {
		up.then()
		return
	}
	if c.upload != up || up.halt {
		return
	}
	if up.failed() {
		c.nc.Close() // the server must not take what it got for the whole
	}
	c.wroteRequest(up.err, trace)
}

// failed reports whether the body could not be read to its end, or was not what
// the request said. The exchange has failed then, whatever the server answers.
func (u *upload) failed() bool { return u != nil && u.done && !u.halt && u.err != nil && u.sent == nil }

// uploadGrace is how long a connection whose response has ended is kept for its
// upload to end as well. The server has the body then, as a rule, and only our
// task has yet to hear of it.
const uploadGrace = 50 * time.Millisecond

// awaitEnd calls then when the sending has ended, or has to.
func (u *upload) awaitEnd(loop *engine.Loop, then func()) {
	timer := loop.CallLater(uploadGrace, func() {
		u.then = nil
		u.stop()
		then()
	})
	u.then = func() {
		timer.Stop()
		then()
	}
}

// stop ends the sending, if it has not ended.
func (u *upload) stop() {
	if !u.done {
		u.halt = true
		u.task.Cancel()
	}
}

// A heldBody waits for the server's consent (Expect: 100-continue), or for
// ExpectContinueTimeout to pass without an answer.
type heldBody struct {
	send  func()
	sent  bool
	close func()
	timer *engine.Timer
}

func (c *conn) holdBody(req *http.Request, trace *httptrace.ClientTrace) {
	if trace.Wait100Continue != nil {
		trace.Wait100Continue()
	}
	h := &heldBody{close: func() { closeBody(req) }}
	h.send = func() {
		if !h.sent {
			h.sent = true
			h.timer.Stop()
			c.sendBody(req, trace)
		}
	}
	h.timer = c.pool.loop.CallLater(c.pool.t.ExpectContinueTimeout, h.send)
	c.held = h
}

// drop gives up on a body that has not been sent. The connection can be used no
// more: the server may still take what comes next for that body.
func (h *heldBody) drop() {
	if !h.sent && h.close != nil {
		h.timer.Stop()
		h.close()
		h.close = nil
	}
}
