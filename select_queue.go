package asyncio

import "github.com/go-asyncio/asyncio/internal/engine"

// A QueueGet is the case of a Get: see [Queue.Getting].
type QueueGet[T any] struct {
	Value T // the item that was got, when the case was chosen without an error
	queue *queue[T]
}

// Getting returns the case for [Select] that gets an item, which is in its Value
// then. It can be used again and again.
func (q *queue[T]) Getting() *QueueGet[T] { return &QueueGet[T]{queue: q} }

func (c *QueueGet[T]) selecting() engine.Case {
	if c == nil || c.queue == nil {
		return nil
	}
	return (*getCase[T])(c)
}

type getCase[T any] QueueGet[T]

func (c *getCase[T]) Try(p *engine.Parking) (bool, error) {
	q := c.queue
	if err := q.home.Admit(p); err != nil {
		return true, err
	}
	switch {
	case q.free > 0:
		q.free--
		c.Value = q.take()
		return true, nil
	case q.down:
		return true, ErrQueueShutDown
	case q.max == rendezvous:
		v, ok := q.meetPutter()
		if ok {
			c.Value = v
		}
		return ok, nil
	}
	return false, nil
}

func (c *getCase[T]) Enter(s *engine.Selection) { s.Line(&c.queue.getters, c.queue.item()) }

func (c *getCase[T]) Woken(*engine.Parking) (bool, error) {
	c.queue.promised--
	c.Value = c.queue.take()
	return true, nil
}

// A QueuePut is the case of a Put: see [Queue.Putting].
type QueuePut[T any] struct {
	Value T // the item to put
	queue *queue[T]
}

// Putting returns the case for [Select] that puts v. It can be used again and
// again, with another Value if you like.
func (q *queue[T]) Putting(v T) *QueuePut[T] { return &QueuePut[T]{Value: v, queue: q} }

func (c *QueuePut[T]) selecting() engine.Case {
	if c == nil || c.queue == nil {
		return nil
	}
	return (*putCase[T])(c)
}

type putCase[T any] QueuePut[T]

func (c *putCase[T]) Try(p *engine.Parking) (bool, error) {
	q := c.queue
	if err := q.home.Admit(p); err != nil {
		return true, err
	}
	switch {
	case q.down:
		return true, ErrQueueShutDown
	case !q.Full():
		q.add(c.Value)
		return true, nil
	case q.max == rendezvous:
		return q.handOver(c.Value), nil
	}
	return false, nil
}

func (c *putCase[T]) Enter(s *engine.Selection) {
	if c.queue.max == rendezvous {
		s.Line(&c.queue.putters, (*offerCase[T])(c))
	} else {
		s.Line(&c.queue.putters, roomIn(c.queue.kind))
	}
}

func (c *putCase[T]) Woken(*engine.Parking) (bool, error) {
	if c.queue.max == rendezvous { // and who has woken it has the item
		return true, nil
	}
	c.queue.room--
	if c.queue.down {
		return true, ErrQueueShutDown
	}
	c.queue.add(c.Value)
	return true, nil
}
