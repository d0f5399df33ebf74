package aionet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// sendNow is how much a Writer gathers before it tries to send, within one turn of the loop.
const sendNow = 16 << 10

// A Writer writes to a stream without waiting, and lets a task wait for the stream where it wants to (asyncio's
// StreamWriter). What is written in one turn of the loop goes out together: at its end, or with the Drain before it.
//
//	w.Write(header)
//	w.Write(body)
//	err := w.Drain(ctx)
//
// Who writes much calls Drain often. A Write that finds more than 16 MiB waiting, or what [WithBufferLimit] says, fails
// with [ErrBufferLimit], and with it the Writer: a peer that does not read cannot make it grow for ever. Errors of the connection come out at Drain and
// WaitClosed; Write returns them from then on. Sending needs no coroutine while the connection has room, and an idle
// Writer has no buffer of more than 4 KiB.
//
// A Writer may be written to by several tasks, and also by other goroutines, which cannot wait in Drain. It must be
// closed; in debug mode one that was dropped without is reported.
type Writer struct {
	q       *sendQueue
	conn    io.WriteCloser
	cleanup runtime.Cleanup
}

// NewWriter returns a Writer to conn, which may be a connection of this package, a pipe, or whatever else can be
// written to, and belongs to the loop of ctx; nobody else may write to it. [WithWaterMarks] is its option.
func NewWriter(ctx context.Context, conn io.WriteCloser, opts ...StreamOption) *Writer {
	if conn == nil {
		panic("aionet: NewWriter: nil connection")
	}
	o := streamOptionsOf(opts)
	w := &Writer{q: new(sendQueue), conn: conn}
	w.q.init(engine.MustLoopOf("aionet.NewWriter", ctx), conn, o.low, o.high)
	w.q.most = o.most
	w.watchDrop()
	return w
}

// watchDrop reports, in debug mode, a Writer that nobody holds any more and nobody has closed.
func (w *Writer) watchDrop() {
	l := w.q.loop
	if !l.Debug {
		return
	}
	made := callerOutside()
	w.cleanup = runtime.AddCleanup(w, func(what string) {
		info := asyncio.ExceptionInfo{Message: "aionet: a Writer to " + what + " was dropped and not closed", Err: errDropped, Created: made}
		if l.CallSoonThreadsafe(func() { l.Report(engine.ExceptionInfo(info)) }) != nil {
			slog.Warn(info.Message+", and its loop has ended", slog.String("created", made))
		}
	}, nameOf(w.conn))
}

var errDropped = errors.New("close the Writer when it is not needed any more")

// callerOutside returns who called this package, as file:line.
func callerOutside() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !more || !strings.Contains(f.Function, "/aionet.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// Write takes p, in the order of the calls, and never waits. It returns len(p), or 0 and why nothing can be sent any more:
// the connection is lost, or was closed here.
func (w *Writer) Write(p []byte) (int, error) {
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	w.limitLocked()
	return w.writeLocked(p)
}

// limitLocked ends a Writer in which too much waits already.
func (w *Writer) limitLocked() {
	q := w.q
	if q.lenLocked() > q.most && q.loop.On() {
		q.tryLocked(nil)
	}
	if q.lenLocked() > q.most {
		q.failLocked(bufferLimit(q.lenLocked(), q.most))
		q.askLocked() // for those who wait in Drain
	}
}

func (w *Writer) writeLocked(p []byte) (int, error) {
	q := w.q
	if err := q.refusalLocked(); err != nil {
		return 0, fmt.Errorf("aionet: write to %s: %w", nameOf(w.conn), err)
	}
	rest := p
	if q.lenLocked()+len(p) >= sendNow && q.loop.On() {
		rest = p[q.tryLocked(p):]
	}
	if len(rest) > 0 && q.err == nil {
		q.addLocked(rest)
		q.askLocked()
	}
	return len(p), nil
}

// Writev is Write for several parts, which go out as one (asyncio's writelines).
func (w *Writer) Writev(parts ...[]byte) (n int, err error) {
	v := vectorOf(parts)
	defer v.free()
	w.q.mu.Lock() // to the end, so that no other goroutine's data comes in between
	defer w.q.mu.Unlock()
	w.limitLocked()
	if sizeOf(v.parts) >= sendNow && w.q.loop.On() {
		n = w.q.tryPartsLocked(v)
	}
	for _, p := range v.parts {
		k, err := w.writeLocked(p)
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// WriteString is Write for a string.
func (w *Writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Drain sends what there is room for, and waits, if more than the high-water mark is left, until no more than the low one
// is. Several tasks may wait at a time, and go on together. If the connection is lost, or closed here, each of them
// and each Drain from then on gets the error; it lets the others have a turn first, so that a loop of failing calls does
// not stop them.
//
// It is ended by ctx; what was written stays, and is sent.
func (w *Writer) Drain(ctx context.Context) error {
	engine.Stir(ctx)
	q := w.q
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("aionet: send to %s: %w", nameOf(w.conn), err)
	}
	if q.pending() {
		q.send()
	}
	err := q.waitForRoom(ctx)
	if err == nil {
		worlds.Step(q.loop.CurrentContext(), q.loop)
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if cause := asyncio.Yield(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("aionet: send to %s: %w", nameOf(w.conn), err)
}

// check says why a call may not wait with ctx.
func (w *Writer) check(ctx context.Context) error {
	if _, err := engine.LoopOf(ctx); err != nil {
		return err
	}
	if !w.q.loop.On() {
		return errOtherLoop
	}
	return nil
}

// WriteEOF tells the peer, once what was written is sent, that nothing more will come; reading goes on. Then Write and a
// second WriteEOF fail. errors.ErrUnsupported if the connection has no CloseWrite.
func (w *Writer) WriteEOF() error {
	if _, ok := w.conn.(closeWriter); !ok {
		return fmt.Errorf("aionet: end writing to %s: %w", nameOf(w.conn), errors.ErrUnsupported)
	}
	q := w.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.refusalLocked(); err != nil {
		return fmt.Errorf("aionet: end writing to %s: %w", nameOf(w.conn), err)
	}
	q.eof = true
	q.askLocked()
	return nil
}

// Close closes the connection once what was written is sent. It does not wait for that, though the end of the loop does,
// for up to 5 s; a peer that takes nothing can hold it up for ever until then. [Writer.WaitClosed] waits, and can give up.
// Closing again does nothing.
func (w *Writer) Close() error {
	w.cleanup.Stop()
	w.q.close(0)
	return nil
}

// WaitClosed waits until the connection, which was or will be closed, is so. The error is that of the connection, if it
// was lost before all was sent.
//
// It is ended by ctx, and the connection is cut off then, with what was not sent, if it is being closed.
func (w *Writer) WaitClosed(ctx context.Context) error {
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("aionet: close %s: %w", nameOf(w.conn), err)
	}
	err := w.q.waitClosed(ctx)
	worlds.Step(w.q.loop.CurrentContext(), w.q.loop)
	if err == nil || context.Cause(ctx) != nil {
		return err
	}
	return fmt.Errorf("aionet: close %s: %w", nameOf(w.conn), err)
}

// IsClosing reports whether the Writer was closed, or its connection is lost.
func (w *Writer) IsClosing() bool {
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	return w.q.closing || w.q.err != nil
}

// Buffered returns how many bytes were written and not handed on to the connection yet.
func (w *Writer) Buffered() int { return w.q.len() }

// SetWaterMarks changes the water marks, in bytes; see [WithWaterMarks].
func (w *Writer) SetWaterMarks(low, high int) {
	checkWaterMarks("Writer.SetWaterMarks", low, high)
	q := w.q
	q.mu.Lock()
	q.low, q.high = low, high
	q.full = q.lenLocked() > high || q.full && q.lenLocked() > low
	q.mu.Unlock()
	if q.loop.On() {
		q.settle()
	}
}

// Conn returns the connection, for its addresses and options. After [Writer.StartTLS] it is a [TLSConn].
func (w *Writer) Conn() io.WriteCloser { return w.conn }

// String shows the state, for reports.
func (w *Writer) String() string {
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	s := fmt.Sprintf("Writer(%s, %d bytes", nameOf(w.conn), w.q.lenLocked())
	switch {
	case w.q.closed:
		s += ", closed"
	case w.q.closing:
		s += ", closing"
	case w.q.full:
		s += ", full"
	}
	if w.q.err != nil {
		s += fmt.Sprintf(", lost: %v", w.q.err)
	}
	return s + ")"
}

// StartTLS makes the stream, whose Reader is r, one of TLS in the middle (asyncio's start_tls): as its client, or its
// server. It sends what was written before, shakes hands, and lets r and w go on over TLS. What r had read beyond what
// was taken is the beginning of TLS: so nothing is lost, and nobody can slip in plain text that would be taken for
// encrypted. Options are those of [StartTLS].
//
// It waits, and is ended by ctx. After an error the connection is closed, unless that is one of the arguments.
func (w *Writer) StartTLS(ctx context.Context, r *Reader, config *tls.Config, side TLSSide, opts ...Option) error {
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("aionet: start TLS with %s: %w", nameOf(w.conn), err)
	}
	defer func() { worlds.Step(w.q.loop.CurrentContext(), w.q.loop) }()
	o := optionsOf(opts)
	conn, ok := w.conn.(net.Conn)
	if !ok || r.src != io.Reader(conn) || r.busy {
		return fmt.Errorf("aionet: start TLS with %s: the Reader is not that of the Writer's connection, or another task reads", nameOf(w.conn))
	}
	if err := o.secure.check(); err != nil {
		return fmt.Errorf("aionet: start TLS with %s: %w", nameOf(w.conn), err)
	}
	if err := w.sendAll(ctx); err != nil {
		w.q.cut(err)
		return err
	}
	early, _ := r.Peek(r.Buffered())
	t, err := startTLS(ctx, conn, append([]byte(nil), early...), config, side, o.secure)
	r.drop(len(early))
	if err != nil {
		r.err = err
		w.q.fail(err)
		return err
	}
	r.setSource(t)
	w.conn = t
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	w.q.conn, w.q.try = t, t
	return nil
}

// sendAll waits until nothing is buffered.
func (w *Writer) sendAll(ctx context.Context) error {
	q := w.q
	q.mu.Lock()
	low, high := q.low, q.high
	q.mu.Unlock()
	w.SetWaterMarks(0, 0)
	defer w.SetWaterMarks(low, high)
	return w.Drain(ctx)
}
