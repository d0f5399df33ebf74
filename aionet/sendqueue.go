package aionet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

const (
	// sendAtOnce is how much a task sends between two looks at what has changed.
	sendAtOnce = 32 << 10
	// keepBuffer is the largest buffer that an empty queue keeps.
	keepBuffer = 4 << 10
)

// trier is a connection that can be asked to write without waiting.
type trier interface {
	// tryWrite writes what there is room for, and returns poller.ErrAgain if that is not all. On the loop only.
	tryWrite(p []byte) (int, error)
}

// A sendQueue sends bytes in order, without making anybody wait who adds some: by tries on the loop, and when the
// connection has no room by a task, which is there only as long as there is something to send. It is under Writer,
// and under TLS over connections that are not ours. What is not said to be the loop's is for any goroutine.
type sendQueue struct {
	loop      *engine.Loop
	conn      io.WriteCloser
	try       trier            // conn, if it is one
	sending   worlds.Lock      // whose turn it is to write to conn
	waiting   engine.WaitQueue // the loop's: for room, and for the end
	late      worlds.Deadline  // the loop's: for who waits for room
	soon      func()           // send; made once
	resumable bool             // a write deadline that has passed may be moved on: it breaks nothing
	linger    *engine.Timer    // the loop's: gives up a closed connection

	mu        sync.Mutex // guards all below
	data      []byte     // to be sent, from head on
	head      int
	low, high int   // water marks
	most      int   // a Writer's limit
	full      bool  // above high, and since then not below low
	err       error // ends the queue
	asked     bool  // send is about to be called
	running   bool  // the task is there
	inWrite   bool  // somebody writes from data, without the lock
	moved     bool  // and data is another buffer now
	eof       bool  // CloseWrite follows the data
	eofSent   bool
	closing   bool // Close follows the data
	closed    bool
}

func (q *sendQueue) init(l *engine.Loop, conn io.WriteCloser, low, high int) {
	q.loop, q.conn, q.low, q.high = l, conn, low, high
	q.try, _ = conn.(trier)
	q.soon = q.send
}

func (q *sendQueue) lenLocked() int { return len(q.data) - q.head }

// pending reports whether send has something to do.
func (q *sendQueue) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lenLocked() > 0 && !q.running
}

func (q *sendQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lenLocked()
}

// sendBuffers are large buffers that are in use by no queue.
var sendBuffers sync.Pool

// shareBuffer is the largest buffer that goes there.
const shareBuffer = 256 << 10

// largeBuffer returns an empty buffer.
func largeBuffer(size int) []byte {
	if b, ok := sendBuffers.Get().(*[]byte); ok && cap(*b) >= size {
		return *b
	}
	return make([]byte, 0, size)
}

// shareLarge gives b to other queues. Nobody uses it any more.
func shareLarge(b []byte) {
	if cap(b) > keepBuffer && cap(b) <= shareBuffer {
		b = b[:0]
		sendBuffers.Put(&b)
	}
}

func (q *sendQueue) addLocked(p []byte) {
	if cap(q.data) == 0 && len(p) > keepBuffer {
		q.data = largeBuffer(len(p))
	}
	if q.head > 0 && len(q.data)+len(p) > cap(q.data) {
		q.moveLocked(len(p))
	}
	q.data = append(q.data, p...)
	q.full = q.full || q.lenLocked() > q.high
}

// moveLocked makes room for n bytes by moving what is to be sent to the beginning of a buffer. That is another one if somebody
// is writing from this one, who gives it away then.
func (q *sendQueue) moveLocked(n int) {
	left := q.data[q.head:]
	if !q.inWrite && len(left)+n <= cap(q.data) {
		q.data = q.data[:copy(q.data, left)]
		q.head = 0
		return
	}
	old := q.data
	q.data = append(largeBuffer(2*len(left)+n), left...)
	q.head = 0
	if q.inWrite {
		q.moved = true
	} else {
		shareLarge(old)
	}
}

// askLocked sees to it that send is called, in the next turn.
func (q *sendQueue) askLocked() {
	if q.asked || q.running {
		return
	}
	q.asked = true
	if q.loop.On() {
		q.loop.CallSoon(q.soon)
	} else if err := q.loop.CallSoonThreadsafe(q.soon); err != nil {
		q.failLocked(err)
	}
}

// refusalLocked says why nothing more is taken.
func (q *sendQueue) refusalLocked() error {
	switch {
	case q.err != nil:
		return q.err
	case q.closing:
		return errClosed
	case q.eof:
		return errWriteAfterEOF
	}
	return nil
}

var errWriteAfterEOF = errors.New("WriteEOF was called before")

// tryLocked sends what is queued, and p after it, as far as that needs no waiting; it returns how much of p. On the loop
// only.
func (q *sendQueue) tryLocked(p []byte) (done int) {
	if q.try == nil || !q.sending.TryAcquire() {
		return 0
	}
	defer q.sending.Release(q.loop)
	if q.lenLocked() > 0 {
		q.sentLocked(q.try.tryWrite(q.data[q.head:]))
	}
	if len(p) == 0 || q.lenLocked() > 0 || q.err != nil {
		return 0
	}
	n, err := q.try.tryWrite(p)
	q.sentLocked(0, err)
	return n
}

// tryPartsLocked takes off v what the system takes at once, if nothing is queued before it. On the loop only.
func (q *sendQueue) tryPartsLocked(v *vector) (done int) {
	c, ok := q.try.(*Conn)
	if !ok || q.lenLocked() > 0 || q.refusalLocked() != nil || !q.sending.TryAcquire() {
		return 0
	}
	defer q.sending.Release(q.loop)
	done, err := c.tryWritev(v, worlds.TurnBytes)
	q.sentLocked(0, err)
	return done
}

// send writes what needs no waiting, and lets a task do the rest. On the loop only.
func (q *sendQueue) send() {
	q.mu.Lock()
	q.asked = false
	if q.lenLocked() > 0 {
		q.tryLocked(nil)
	}
	start := q.lenLocked() > 0 && !q.running
	q.running = q.running || start
	q.mu.Unlock()
	if start {
		asyncio.Go(q.loop.Context(), q.run).SetName(q.WaitName())
	}
	q.settle()
}

// run is the task. When the loop ends before what was closed is sent, it has a little more time.
func (q *sendQueue) run(ctx context.Context) error {
	returned := false
	defer func() {
		q.mu.Lock()
		q.running = false
		switch {
		case ctx.Err() != nil:
			q.failLocked(context.Cause(ctx))
		case !returned: // conn.Write has called it
			q.failLocked(asyncio.ErrGoexit)
		}
		q.mu.Unlock()
		q.settle()
	}()
	_ = q.sendAll(ctx)
	if ctx.Err() != nil && q.isClosing() {
		_ = asyncio.Shield(ctx, func(ctx context.Context) error {
			return asyncio.Timeout(ctx, lingerLimit, q.sendAll)
		})
	}
	returned = true
	return nil
}

// sendAll sends until nothing is left, or until that cannot go on.
func (q *sendQueue) sendAll(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		worlds.Step(ctx, q.loop)
		var err error
		if more, err = q.sendInTurn(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (q *sendQueue) sendInTurn(ctx context.Context) (more bool, err error) {
	if err := q.sending.Acquire(ctx, q.loop, q); err != nil {
		return false, err
	}
	defer q.settle()
	defer q.sending.Release(q.loop)
	return q.sendPart(ctx.Err), nil
}

// flush is sendAll on a foreign goroutine, which blocks, and does without the loop.
func (q *sendQueue) flush() error {
	q.sending.AcquireForeign()
	for q.sendPart(func() error { return nil }) {
		continue
	}
	q.sending.Release(q.loop)
	q.mu.Lock()
	err, late := q.err, q.lenLocked() > 0
	q.askLocked() // to wake who waits for room, and to go on if the deadline is moved
	q.mu.Unlock()
	if err == nil && late {
		return errDeadline
	}
	return err
}

// sendPart writes once, for who has its turn, and reports whether to go on.
func (q *sendQueue) sendPart(cancelled func() error) bool {
	q.mu.Lock()
	from := q.data
	part := from[q.head:min(len(from), q.head+sendAtOnce)]
	q.inWrite, q.moved = len(part) > 0, false
	q.mu.Unlock()
	if len(part) == 0 {
		return false
	}
	n, err := q.write(part)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inWrite = false; q.moved && err == nil { // else the Write that failed may still have it
		shareLarge(from)
	}
	if err != nil && (cancelled() != nil || q.resumable && errors.Is(err, errDeadline)) {
		q.sentLocked(n, nil)
		return false
	}
	q.sentLocked(n, err)
	return q.lenLocked() > 0
}

// write is conn.Write. That may be anybody's code: a result that none of an io.Writer can have, or a panic, ends the queue
// as an error does, so that those who wait are told.
func (q *sendQueue) write(p []byte) (n int, err error) {
	err = q.guarded(func() (err error) {
		n, err = q.conn.Write(p)
		return err
	})
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("%T.Write returned %d for %d bytes", q.conn, n, len(p))
	}
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	if q.loop.On() {
		q.loop.Moved(n)
	}
	return n, err
}

// guarded makes an error of a panic in fn, and reports it.
func (q *sendQueue) guarded(fn func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = &asyncio.PanicError{Value: v, Stack: debug.Stack()}
		info := engine.ExceptionInfo{Message: fmt.Sprintf("aionet: a method of %T panicked", q.conn), Err: err}
		if q.loop.On() {
			q.loop.Report(info)
		} else {
			_ = q.loop.CallSoonThreadsafe(func() { q.loop.Report(info) }) // else the caller alone is told
		}
	}()
	return fn()
}

// sentLocked notes that n bytes were written, and how that ended.
func (q *sendQueue) sentLocked(n int, err error) {
	q.head += n
	if err != nil && err != poller.ErrAgain {
		q.failLocked(err)
	}
	if q.head >= len(q.data) {
		q.emptyLocked()
	}
	if q.lenLocked() <= q.low {
		q.full = false
	}
}

// emptyLocked is called when all was sent, by who sent it, so that nobody uses the buffer any more.
func (q *sendQueue) emptyLocked() {
	q.data, q.head = q.data[:0], 0
	if cap(q.data) > keepBuffer {
		shareLarge(q.data)
		q.data = nil
	}
}

// failLocked ends the queue.
func (q *sendQueue) failLocked(err error) {
	if q.err == nil {
		q.err = err
	}
	q.data, q.head, q.full = nil, 0, false
}

// settle lets happen what follows from a change: who waits goes on, and what comes after the data is done. On the
// loop only.
func (q *sendQueue) settle() {
	q.mu.Lock()
	empty := q.lenLocked() == 0
	eof := q.eof && empty && !q.eofSent && q.err == nil
	end := q.closing && empty && !q.closed
	q.eofSent = q.eofSent || eof
	q.closed = q.closed || end
	wake := !q.full || q.closing
	q.mu.Unlock()
	if eof {
		if err := q.guarded(q.conn.(closeWriter).CloseWrite); err != nil {
			q.fail(err)
		}
	}
	if end {
		q.late.Stop()
		if q.linger != nil {
			q.linger.Stop()
		}
		if err := q.guarded(q.conn.Close); err != nil && !errors.Is(err, net.ErrClosed) {
			q.fail(err)
		}
	}
	if wake {
		q.waiting.WakeAll()
	}
}

type closeWriter interface{ CloseWrite() error }

func (q *sendQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failLocked(err)
}

// waitForRoom waits, if there is more than the high-water mark, for less than the low one.
func (q *sendQueue) waitForRoom(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return q.waiting.Wait(ctx, q) // lets others run, and returns the cause
		}
		q.mu.Lock()
		full, err, closing := q.full, q.err, q.closing
		q.mu.Unlock()
		switch {
		case err != nil:
			return err
		case closing:
			return errClosed
		case q.late.Expired():
			return errDeadline
		case !full:
			return nil
		}
		err = q.waiting.Wait(ctx, q)
		if err != nil {
			return err
		}
	}
}

// close closes the connection once everything is sent, or given up after limit, if that is positive.
func (q *sendQueue) close(limit time.Duration) {
	q.mu.Lock()
	first := !q.closing
	q.closing = true
	q.mu.Unlock()
	if !first {
		return
	}
	end := func() {
		if q.send(); limit > 0 && !q.isClosed() {
			q.linger = q.loop.CallLater(limit, func() { q.cut(errLinger) })
		}
	}
	if q.loop.On() {
		end()
	} else if q.loop.CallSoonThreadsafe(end) != nil {
		_ = q.conn.Close() // the loop has ended: nobody is left to send the rest
	}
}

// waitClosed waits until the connection is closed and returns why not all was sent. If ctx ends first, it cuts off a
// connection that is being closed.
func (q *sendQueue) waitClosed(ctx context.Context) error {
	for !q.isClosed() {
		if err := q.waiting.Wait(ctx, q); err != nil && !q.isClosed() {
			if q.isClosing() {
				q.cut(err)
			}
			return err
		}
	}
	if t, ok := q.conn.(*TLSConn); ok {
		if err := t.waitClosed(ctx); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// cut closes the connection without what has not been sent, and so without a goodbye of TLS. On the loop only.
func (q *sendQueue) cut(err error) {
	q.close(0)
	if !q.isClosed() {
		q.fail(err)
		if t, ok := q.conn.(*TLSConn); ok {
			t.cut(err)
		}
	}
	q.settle()
}

var errLinger = errors.New("the peer did not take what was left at Close in time")

func (q *sendQueue) isClosing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closing
}

func (q *sendQueue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// WaitName says what a task waits for.
func (q *sendQueue) WaitName() string { return "send to " + nameOf(q.conn) }

// nameOf says what a connection is connected with.
func nameOf(c any) string {
	if c, ok := c.(net.Conn); ok && c.RemoteAddr() != nil {
		return c.RemoteAddr().Network() + " " + addrString(c.RemoteAddr())
	}
	if f, ok := c.(interface{ Name() string }); ok {
		return f.Name()
	}
	return "a stream"
}
