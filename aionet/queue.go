package aionet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

const (
	// queueRoom is how much may be queued before writers wait.
	queueRoom = 64 << 10
	// queueMost ends a connection whose peer makes us answer and does not read: nobody waits for room then.
	queueMost = 1 << 20
	// lingerLimit is how long a closed connection goes on sending what is queued.
	lingerLimit = 5 * time.Second
)

var errQueueFull = errors.New("the peer does not read: 1 MiB is waiting to be sent")

// writeQueue is what crypto/tls has for a connection: its Write never waits. It tries the socket and queues the rest,
// which is sent when there is room, by the loop or by a goroutine that waits for room.
type writeQueue struct {
	*Conn
	mu      sync.Mutex
	queued  []byte
	err     error // ends the queue
	closing bool
	limit   time.Duration // how long a closed one goes on sending
	until   time.Time     // closing: when to give up
	linger  *engine.Timer
}

func newWriteQueue(c *Conn) *writeQueue {
	q := &writeQueue{Conn: c, limit: lingerLimit}
	attach := func() { c.over = q }
	if c.loop.On() {
		attach()
	} else {
		_ = c.loop.CallSoonThreadsafe(attach) // a loop that has ended needs neither
	}
	return q
}

// Read lets crypto/tls go on after a cancelled read: nothing is lost by that.
func (q *writeQueue) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err == io.EOF {
		err = errTruncated
	}
	if err == nil || final(err) {
		return n, err
	}
	return n, &temporary{err}
}

// final reports whether the connection is broken, in contrast to a wait that was.
func final(err error) bool {
	_, broken := errors.AsType[syscall.Errno](err)
	return broken || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) || isTLSError(err)
}

// Write never waits, in either world.
func (q *writeQueue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil && q.closed.Load() {
		q.err = errClosed
	}
	if q.err == nil && len(q.queued)+len(p) > queueMost {
		q.err = errQueueFull
	}
	if q.err != nil {
		return 0, q.fail("write", q.err)
	}
	if !q.loop.On() {
		q.writeForeignLocked(p)
		return len(p), nil
	}
	if len(q.queued) > 0 {
		q.queued = append(q.queued, p...)
		return len(p), nil
	}
	n, err := q.send(q.sock, p)
	if err != nil {
		return n, q.fail("write", err)
	}
	if n < len(p) {
		q.queued = append(q.queued, p[n:]...)
		q.err = q.sock.Arm(poller.Write)
	}
	return len(p), nil
}

// writeForeignLocked queues, and tries once. The rest is sent by the loop, or by the caller's [writeQueue.flush].
func (q *writeQueue) writeForeignLocked(p []byte) {
	q.queued = append(q.queued, p...)
	_ = q.sock.Try(q.flushLocked) // fails if it is closed, which the next call will see
	if len(q.queued) > 0 {
		q.nudge()
	}
}

// nudge lets the loop send, and wake who waits for room there.
func (q *writeQueue) nudge() {
	_ = q.loop.CallSoonThreadsafe(func() {
		if !q.closed.Load() {
			_ = q.sock.Arm(poller.Write)
			q.ready(poller.Write)
		}
	})
}

// send writes as much of p as there is room for.
func (q *writeQueue) send(t poller.Tryer, p []byte) (done int, err error) {
	for done < len(p) {
		n, err := t.Write(p[done:])
		q.wrote(n)
		done += n
		if err == poller.ErrAgain {
			break
		}
		if err != nil {
			q.err = err
			return done, err
		}
	}
	return done, nil
}

func (q *writeQueue) flushLocked(t poller.Tryer) {
	n, _ := q.send(t, q.queued) // it keeps its error
	q.queued = q.queued[:copy(q.queued, q.queued[n:])]
	if len(q.queued) == 0 || q.err != nil {
		q.queued = nil // idle connections keep no buffer
	}
}

// sendOnLoop is called when the socket has room. It never waits.
func (q *writeQueue) sendOnLoop() {
	q.mu.Lock()
	if len(q.queued) > 0 && !q.closed.Load() {
		q.flushLocked(q.sock)
	}
	sent := q.closing && len(q.queued) == 0
	q.mu.Unlock()
	if sent && !q.closed.Load() {
		q.end()
	}
}

// room says without waiting whether there is room.
func (q *writeQueue) room() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil && len(q.queued) >= queueRoom {
		return poller.ErrAgain
	}
	return q.err
}

// waitForRoom waits until little is queued.
func (q *writeQueue) waitForRoom(ctx context.Context) error {
	for {
		if err := q.may(ctx, &q.writers, &q.out); err != nil {
			return err
		}
		q.mu.Lock()
		room, err := len(q.queued) < queueRoom, q.err
		q.mu.Unlock()
		if room || err != nil {
			return err
		}
		if err := q.waitWrite(ctx); err != nil {
			return err
		}
	}
}

// flush blocks a foreign goroutine until everything is sent, without help from the loop.
func (q *writeQueue) flush() (err error) {
	blocked := q.sock.Block(poller.Write, func(t poller.Tryer) bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.flushLocked(t)
		err = q.err
		return len(q.queued) == 0
	})
	q.nudge() // for coroutines that wait for room
	if blocked != nil {
		return blocked
	}
	return err
}

// mayForeign reports why nothing can be sent: the deadline, or the end.
func (q *writeQueue) mayForeign() error {
	return q.sock.Block(poller.Write, func(poller.Tryer) bool { return true })
}

// Close closes the connection when everything queued has been sent.
func (q *writeQueue) Close() error {
	q.mu.Lock()
	wait := len(q.queued) > 0 && q.err == nil
	first := !q.closing
	q.closing = true
	q.until = q.loop.Env.Now().Add(q.limit)
	q.mu.Unlock()
	if !first || q.closed.Load() {
		return nil
	}
	if !wait {
		return q.Conn.Close()
	}
	_ = q.SetReadDeadline(time.Unix(1, 0)) // Close ends reads at once
	if q.loop.On() {
		q.startLinger()
		return nil
	}
	if q.loop.CallSoonThreadsafe(q.startLinger) != nil {
		return q.Conn.Close()
	}
	return nil
}

func (q *writeQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued)
}

func (q *writeQueue) isClosing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closing
}

func (q *writeQueue) startLinger() {
	q.linger = q.loop.CallLater(q.limit, q.end)
	q.sendOnLoop()
}

// finish sends what is left of a closed connection when the loop ends. It blocks, at most until the same time.
func (q *writeQueue) finish() {
	q.mu.Lock()
	left := q.closing && len(q.queued) > 0 && q.err == nil
	q.mu.Unlock()
	if left {
		q.sock.SetDeadline(poller.Write, q.until)
		_ = q.flush() // nobody is left to be told
	}
}

func (q *writeQueue) waitClosed(ctx context.Context) error {
	for !q.closed.Load() {
		if err := q.writers.WaitIO(ctx, (*writeWait)(q.Conn)); err != nil {
			if q.isClosing() {
				q.cut(err)
			}
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

func (q *writeQueue) setLinger(d time.Duration) { q.limit = d }

// cut closes without what is queued, of which nobody is told: who wrote it is closing.
func (q *writeQueue) cut(error) {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.end()
}

func (q *writeQueue) end() {
	if q.linger != nil {
		q.linger.Stop()
	}
	_ = q.Conn.Close()
}

// SetWriteDeadline does nothing; see [carrier].
func (q *writeQueue) SetWriteDeadline(time.Time) error { return nil }

func (q *writeQueue) limitWrites(t time.Time) error { return q.Conn.SetWriteDeadline(t) }
