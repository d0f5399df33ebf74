package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A QueueSender is one of those who put items into a queue: when the last of them is
// closed, the queue is shut down. What is in it can still be got; then the getters
// get [ErrQueueShutDown], and All ends (tokio's mpsc channels).
//
// Make all of them before the first may be closed, or keep one as long as others are
// made. A QueueSender that is forgotten keeps the getters waiting; deadlock reports
// say how many are open.
type QueueSender[T any] struct{ queue *queue[T] } // nil: it is closed

// errSenderClosed is what a Put by a closed sender returns.
var errSenderClosed = fmt.Errorf("asyncio: QueueSender: it is closed: %w", ErrQueueShutDown)

// Sender returns one more sender of the queue. Those who put without one are not
// counted.
func (q *queue[T]) Sender() *QueueSender[T] {
	q.check("Sender")
	q.senders++
	return &QueueSender[T]{q}
}

// Put is the Put of the queue. After Close it returns an error that is an
// [ErrQueueShutDown].
func (s *QueueSender[T]) Put(ctx context.Context, v T) error {
	if s.queue == nil {
		return engine.AtOnce(errSenderClosed)
	}
	return s.queue.Put(ctx, v)
}

// TryPut is the TryPut of the queue, with the error of Put after Close.
func (s *QueueSender[T]) TryPut(v T) error {
	if s.queue == nil {
		return errSenderClosed
	}
	return s.queue.TryPut(v)
}

// Putting returns the case for [Select] that puts v, as that of the queue; nil after
// Close.
func (s *QueueSender[T]) Putting(v T) *QueuePut[T] {
	if s.queue == nil {
		return nil
	}
	return s.queue.Putting(v)
}

// Close says that this sender puts nothing more. If it is the last that is open, it
// shuts the queue down, not immediately: a Put that waits for room fails then.
// Closing again does nothing.
func (s *QueueSender[T]) Close() {
	q := s.queue
	if q == nil {
		return
	}
	q.check("QueueSender.Close")
	s.queue = nil
	if q.senders--; q.senders == 0 {
		q.Shutdown(false)
	}
}

// item is what a getter waits for.
func (q *queue[T]) item() engine.Waitable {
	if q.senders == 0 {
		return itemOf(q.kind)
	}
	return (*sentItem[T])(q)
}

// sentItem is a queue with senders as what a getter waits for.
type sentItem[T any] queue[T]

// WaitName names the queue, and says in reports how many senders are not closed.
func (q *sentItem[T]) WaitName() string {
	return fmt.Sprintf("%s (%d of its senders are open)", itemOf(q.kind).WaitName(), q.senders)
}
