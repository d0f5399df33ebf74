package aionet

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/go-asyncio/asyncio"
)

// OpenConnection connects as [Dial] does, or with [WithTLS] as [DialTLS], and returns the two halves of the stream
// (asyncio's open_connection and open_unix_connection). Closing the Writer closes both.
//
// It waits, and is ended by ctx; nothing is left open then.
func OpenConnection(ctx context.Context, network, address string, opts ...StreamOption) (*Reader, *Writer, error) {
	o := streamOptionsOf(opts)
	var c net.Conn
	var err error
	if o.tls != nil {
		c, err = DialTLS(ctx, network, address, o.tls, o.socket...)
	} else {
		c, err = Dial(ctx, network, address, o.socket...)
	}
	if err != nil {
		return nil, nil, err
	}
	r, w := newStream(ctx, c, o)
	return r, w, nil
}

func newStream(ctx context.Context, c net.Conn, o *streamOptions) (*Reader, *Writer) {
	same := func(given *streamOptions) { *given = *o }
	return NewReader(c, same), NewWriter(ctx, c, same)
}

// A StreamHandler serves one connection, in a task of its own.
type StreamHandler = func(ctx context.Context, r *Reader, w *Writer) error

// handler makes a StreamHandler one of Serve. The connection is closed when it returns, once what it wrote is sent.
func (o *streamOptions) handler(h StreamHandler) Handler {
	return func(ctx context.Context, c net.Conn) error {
		r, w := newStream(ctx, c, o)
		limit := closeBy(w)
		defer func() {
			w.Close()
			_ = asyncio.Timeout(ctx, limit, w.WaitClosed) // a peer that does not stay for the end is no failure of ours
		}()
		return h(ctx, r, w)
	}
}

// StartServer listens at address, as [Listen] does or with [WithTLS] as [ListenTLS], and returns a [Server] that runs h for
// each connection, with its two halves (asyncio's start_server and start_unix_server). It has been started. When h returns,
// also with an error, the connection is closed, once what h wrote is sent; if h was cancelled, at once.
//
// It waits as Listen does. [WithServe] hands on options of the server.
func StartServer(ctx context.Context, network, address string, h StreamHandler, opts ...StreamOption) (*Server, error) {
	if h == nil {
		panic("aionet: StartServer: nil handler")
	}
	o := streamOptionsOf(opts)
	var ln *Listener
	var err error
	if o.tls != nil {
		ln, err = ListenTLS(ctx, network, address, o.tls, o.socket...)
	} else {
		ln, err = Listen(ctx, network, address, o.socket...)
	}
	if err != nil {
		return nil, err
	}
	s := NewServer(ctx, o.handler(h), o.serve...)
	if err := s.AddListener(ln); err != nil {
		ln.Close()
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// A StreamOption changes how a stream, or one of its halves, is made.
type StreamOption func(*streamOptions)

type streamOptions struct {
	limit     int
	low, high int
	most      int
	tls       *tls.Config
	socket    []Option
	serve     []ServeOption
}

// WithLimit sets how long what [Reader.ReadLine] and [Reader.ReadUntil] look for may be, in bytes without the separator:
// 64 KiB by default. It panics if n is not positive.
func WithLimit(n int) StreamOption {
	if n <= 0 {
		panic(fmt.Sprintf("aionet: WithLimit: the limit must be positive, not %d", n))
	}
	return func(o *streamOptions) { o.limit = n }
}

// WithWaterMarks sets between which sizes of the buffer [Writer.Drain] waits, in bytes: it begins above high, 64 KiB by
// default, and ends at low, 16 KiB by default, or below. It panics unless 0 <= low <= high.
func WithWaterMarks(low, high int) StreamOption {
	checkWaterMarks("WithWaterMarks", low, high)
	return func(o *streamOptions) { o.low, o.high = low, high }
}

func checkWaterMarks(call string, low, high int) {
	if low < 0 || high < low {
		panic(fmt.Sprintf("aionet: %s: the marks must be 0 <= low <= high, not %d and %d", call, low, high))
	}
}

// WithTLS makes the stream one of TLS. A client's configuration may be empty: see [DialTLS].
func WithTLS(config *tls.Config) StreamOption {
	if config == nil {
		panic("aionet: WithTLS: nil configuration")
	}
	return func(o *streamOptions) { o.tls = config }
}

// WithSocket hands on options of Dial or Listen.
func WithSocket(opts ...Option) StreamOption {
	return func(o *streamOptions) { o.socket = append(o.socket, opts...) }
}

// WithServe hands on options of Serve.
func WithServe(opts ...ServeOption) StreamOption {
	return func(o *streamOptions) { o.serve = append(o.serve, opts...) }
}

func streamOptionsOf(opts []StreamOption) *streamOptions {
	o := &streamOptions{limit: defaultLimit, low: 16 << 10, high: 64 << 10, most: bufferMost}
	for _, set := range opts {
		set(o)
	}
	return o
}
