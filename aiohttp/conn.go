package aiohttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"golang.org/x/net/http/httpguts"
)

const (
	// defaultHeaderBytes is Transport.MaxResponseHeaderBytes' default.
	defaultHeaderBytes = 1 << 20

	// maxInlineBody is the largest body that is sent together with the header,
	// and not by a task of its own, in bytes. A socket takes that much at once.
	maxInlineBody = 4 << 10

	// lastWordTimeout is how long a peer that does not take the request may keep
	// us waiting for a response that explains it.
	lastWordTimeout = time.Second
)

// A conn is a connection to a server or proxy, and the exchange that it is
// used for now.
type conn struct {
	pool   *pool
	closed func() // ends that debug mode follows the body
	host   *host
	nc     net.Conn
	raw    net.Conn             // what was dialed, under nc
	tls    *tls.ConnectionState // nil without TLS

	isIdle     bool
	idleSince  time.Duration // on the loop's clock
	prev, next *conn         // in the pool's idleList
	stirred    func()        // closes it when something comes while it is idle
	reused     bool

	*buffers // while an exchange is under way
	exchange
}

// An exchange is the state of one request and its response.
type exchange struct {
	block    context.Context // around the call
	target   *target
	upload   *upload       // of a body that is sent by a task; nil: none
	held     *heldBody     // of one that waits for the server's consent
	wroteErr error         // the header could not be sent
	got      bool          // a byte of the response has come
	waiting  bool          // for the response's header
	deadline time.Duration // that the next read is under; 0: none
	pace     time.Duration // deadline for each read of the body
	noWait   bool          // reads get what is buffered only
}

var errWouldWait = errors.New("nothing buffered")

// Read reads for the exchange's bufio.Reader.
func (c *conn) Read(p []byte) (int, error) {
	if c.noWait {
		return 0, errWouldWait
	}
	if c.pace > 0 {
		c.limitRead(c.pace)
	}
	n, err := c.nc.Read(p)
	c.got = c.got || n > 0
	return n, err
}

// limitRead sets a deadline for reads from now on, one that is under way
// included. 0 sets none.
func (c *conn) limitRead(d time.Duration) {
	if c.deadline == 0 && d == 0 {
		return
	}
	c.deadline = d
	if d == 0 {
		c.nc.SetReadDeadline(time.Time{})
	} else {
		c.nc.SetReadDeadline(c.pool.loop.Now().Add(d))
	}
}

// roundTrip makes one exchange. It sees to it that the request's body is closed,
// and that c goes back to its pool at the end, which may be that of the
// response's body. With an error, again says whether req may be sent again.
func (c *conn) roundTrip(
	ctx, block context.Context, req *http.Request, g *target, trace *httptrace.ClientTrace,
) (resp *http.Response, again bool, err error) {
	c.exchange = exchange{block: block, target: g, waiting: true}
	c.pool.takeBuffers(c)
	handedOn := false // to the response
	defer func() {
		if !handedOn { // because of an error, or of a panic in the body or the trace
			again = c.mayRetry(ctx, req, err) // finish forgets what that depends on
			c.finish(false)
		}
	}()
	w := c.pool.t.wishes(req)
	if err := c.send(ctx, req, w, trace); err != nil {
		return nil, false, err
	}
	resp, frame, err := c.receive(req, trace)
	c.waiting = false
	if err != nil || c.upload.failed() {
		return nil, false, c.headerError(ctx, err)
	}
	c.limitRead(0)
	if c.held != nil {
		c.held.drop()
	}
	if c.upload != nil && resp.StatusCode >= 300 {
		c.upload.stop() // it will not be wanted
	}
	resp.TLS = c.tls
	handedOn = true
	c.attachBody(resp, req, frame, w)
	return resp, false, nil
}

// wishes returns what to ask for. Compression that is asked for here is undone
// again.
func (t *Transport) wishes(req *http.Request) wishes {
	return wishes{
		close: req.Close || t.DisableKeepAlives,
		gzip: !t.DisableCompression && req.Method != http.MethodHead &&
			req.Header.Get("Accept-Encoding") == "" && req.Header.Get("Range") == "",
	}
}

// send sends the request, or begins to: a body that may wait for something is
// sent by a task of its own, so that a response can come before its end.
func (c *conn) send(ctx context.Context, req *http.Request, w wishes, trace *httptrace.ClientTrace) (err error) {
	length := bodyLength(req)
	inline := length == 0 || length > 0 && length <= maxInlineBody && !expectsContinue(req)
	c.head, err = appendHead(c.head[:0], req, c.target, w)
	if err == nil && inline {
		err = c.inlineBody(req, length)
	}
	if inline || err != nil {
		closeBody(req)
	}
	if err != nil {
		return c.fail(PhaseRequest, err)
	}
	_, c.wroteErr = c.nc.Write(c.head)
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	switch {
	case inline:
		c.wroteRequest(c.wroteErr, trace)
	case c.wroteErr != nil:
		closeBody(req)
		c.wroteRequest(c.wroteErr, trace)
	case expectsContinue(req) && c.pool.t.ExpectContinueTimeout > 0:
		c.holdBody(req, trace)
	default:
		c.sendBody(req, trace)
	}
	if c.wroteErr != nil && ctx.Err() != nil {
		return c.fail(PhaseWrite, context.Cause(ctx))
	}
	return nil
}

func expectsContinue(req *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(req.Header["Expect"], "100-continue")
}

// inlineBody appends a small body to the header.
func (c *conn) inlineBody(req *http.Request, length int64) error {
	if length == 0 {
		return nil
	}
	w := appendWriter{&c.head}
	_, err := writeSized(w, req.Body, length, make([]byte, length+1))
	return err
}

type appendWriter struct{ b *[]byte }

func (w appendWriter) Write(p []byte) (int, error) {
	*w.b = append(*w.b, p...)
	return len(p), nil
}

// wroteRequest begins the wait for the response's header.
func (c *conn) wroteRequest(err error, trace *httptrace.ClientTrace) {
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	switch {
	case !c.waiting:
	case err != nil:
		c.limitRead(lastWordTimeout)
	case c.pool.t.ResponseHeaderTimeout > 0:
		c.limitRead(c.pool.t.ResponseHeaderTimeout)
	}
}

// receive reads the response's header, and takes in those that announce it.
func (c *conn) receive(req *http.Request, trace *httptrace.ClientTrace) (*http.Response, framing, error) {
	limit := c.pool.t.MaxResponseHeaderBytes
	if limit <= 0 {
		limit = defaultHeaderBytes
	}
	if trace.GotFirstResponseByte != nil {
		if _, err := c.r.Peek(1); err == nil {
			trace.GotFirstResponseByte()
		}
	}
	for left := limit; ; {
		head, err := readHead(c.r, c.head[:0], left)
		c.head = head
		if err == errHeadTooLarge {
			err = ProtocolError(fmt.Sprintf("response header exceeds %d bytes", limit))
		}
		if err != nil {
			return nil, noBody, err
		}
		resp, frame, err := parseResponse(string(head), req)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, frame, err
		}
		left -= int64(len(head))
		if err := c.informed(resp, trace); err != nil {
			return nil, noBody, err
		}
	}
}

// informed passes on a response that only announces the one to come.
func (c *conn) informed(resp *http.Response, trace *httptrace.ClientTrace) error {
	if resp.StatusCode == http.StatusContinue {
		if trace.Got100Continue != nil {
			trace.Got100Continue()
		}
		if c.held != nil {
			c.held.send()
		}
	}
	if trace.Got1xxResponse != nil {
		return trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header))
	}
	return nil
}

// attachBody gives resp its Body. When there is none to read, the exchange is
// over.
func (c *conn) attachBody(resp *http.Response, req *http.Request, frame framing, w wishes) {
	reusable := !resp.Close && !w.close
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		resp.Body = &upgraded{c: c, r: c.r}
	case frame == noBody:
		resp.Body = http.NoBody
		c.finish(reusable)
	default:
		c.pace = c.pool.t.ReadTimeout
		b := &body{c: c, ctx: req.Context(), resp: resp, frame: frame, left: resp.ContentLength, reusable: reusable}
		resp.Body = b
		c.closed = c.pool.loop.Opened((*leakedBody)(b))
		if w.gzip && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
			decompress(resp, b)
		}
	}
}

// finish ends the exchange, on any goroutine.
func (c *conn) finish(reusable bool) {
	if loop := c.pool.loop; !loop.On() {
		if loop.CallSoonThreadsafe(func() { c.finish(reusable) }) != nil {
			c.nc.Close() // the loop has ended
		}
		return
	}
	if c.held != nil {
		c.held.drop()
	}
	if up := c.upload; up != nil && !up.done {
		if reusable && !up.halt {
			up.awaitEnd(c.pool.loop, func() { c.finish(up.done) })
			return
		}
		up.stop()
	}
	reusable = reusable && c.sentAll() && c.buffers != nil && c.r.Buffered() == 0
	if reusable {
		c.limitRead(0)
	}
	c.exchange = exchange{}
	if c.closed != nil {
		c.closed()
		c.closed = nil
	}
	c.pool.release(c, reusable)
}

// sentAll reports whether the whole request has been sent.
func (c *conn) sentAll() bool {
	if c.wroteErr != nil || c.held != nil && !c.held.sent {
		return false
	}
	return c.upload == nil || c.upload.done && c.upload.err == nil
}

// fail says in which phase of the exchange err came up.
func (c *conn) fail(phase Phase, err error) error {
	if c.deadline > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = &asyncio.TimeoutError{After: c.deadline}
	}
	if op, ok := err.(*net.OpError); ok && (op.Op == "read" || op.Op == "write") {
		err = op.Err // the rest of it would say the same as Error
	}
	return &Error{phase, c.target.addr(), err}
}

// headerError explains why no response came. A failure to send comes first.
func (c *conn) headerError(ctx context.Context, err error) error {
	up := c.upload
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
		if up != nil && (!up.done || up.err != nil) {
			return c.fail(PhaseWrite, err)
		}
	case up.failed():
		return c.fail(PhaseRequest, up.err)
	case c.got:
		return c.fail(PhaseHeader, err)
	case c.wroteErr != nil:
		return c.fail(PhaseWrite, c.wroteErr)
	case up != nil && up.sent != nil:
		return c.fail(PhaseWrite, up.sent)
	case err == io.EOF:
		err = errNoResponse
	}
	return c.fail(PhaseHeader, err)
}

var errNoResponse = fmt.Errorf("the server closed the connection without a response: %w", io.EOF)

// mayRetry reports whether req, which failed with err, may be sent again on
// another connection: this one was closed by the server while it was idle, and
// the request cannot have been acted on, or may be acted on twice.
func (c *conn) mayRetry(ctx context.Context, req *http.Request, err error) bool {
	e, ok := err.(*Error)
	if !ok || !c.reused || c.got || e.Phase == PhaseRequest || e.Timeout() || ctx.Err() != nil {
		return false
	}
	return idempotent(req) && (bodyLength(req) == 0 || req.GetBody != nil)
}

func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	_, key := req.Header["Idempotency-Key"]
	_, xkey := req.Header["X-Idempotency-Key"]
	return key || xkey
}
