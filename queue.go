package asyncio

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrQueueFull is returned by TryPut on a queue without room.
	ErrQueueFull = errors.New("asyncio: the queue is full")
	// ErrQueueEmpty is returned by TryGet on a queue without items.
	ErrQueueEmpty = errors.New("asyncio: the queue is empty")
)

// A Queue hands items from tasks to tasks, first in, first out. It is fair on
// both sides, a hand-over allocates nothing, and it belongs to one loop.
//
// A task that was woken is certain to get its item or its room: what it was
// promised is set aside, so nobody overtakes, and nothing is lost if it is
// cancelled in the same turn.
type Queue[T any] struct {
	home
	items         []T // a ring
	head          int
	len           int
	max           int // 0: no limit
	getters       WaitQueue
	putters       WaitQueue
	promisedItems int // to getters that were woken
	promisedRoom  int // to putters that were woken
	open          int // items put and not yet reported done
	idle          WaitQueue
}

// NewQueue returns a queue for at most limit items; 0 means any number. It
// panics if limit is negative.
func NewQueue[T any](limit int) *Queue[T] {
	if limit < 0 {
		panic(fmt.Sprintf("asyncio: NewQueue: the limit is %d; it must not be negative", limit))
	}
	return &Queue[T]{max: limit}
}

// Put adds v at the end of the queue, when there is room.
//
// If ctx is done or ends first, Put returns its cause and v is not added.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	w, err := q.running(ctx)
	if err != nil {
		return err
	}
	if q.Full() || causeNow(ctx) != nil {
		if err := w.State.wait(ctx, &q.putters, waitRoom); err != nil {
			return err
		}
		q.promisedRoom--
	}
	q.add(v)
	return nil
}

// TryPut adds v if there is room now, or returns [ErrQueueFull].
func (q *Queue[T]) TryPut(v T) error {
	q.check("Queue.TryPut")
	if q.Full() {
		return ErrQueueFull
	}
	q.add(v)
	return nil
}

// Get removes the first item and returns it, when there is one.
//
// If ctx is done or ends first, Get returns its cause and removes none.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	w, err := q.running(ctx)
	if err == nil && (q.Empty() || causeNow(ctx) != nil) {
		if err = w.State.wait(ctx, &q.getters, waitItem); err == nil {
			q.promisedItems--
		}
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return q.take(), nil
}

// TryGet removes the first item if there is one now, or returns [ErrQueueEmpty].
func (q *Queue[T]) TryGet() (T, error) {
	q.check("Queue.TryGet")
	if q.Empty() {
		var zero T
		return zero, ErrQueueEmpty
	}
	return q.take(), nil
}

// add stores an item, and promises it to the getter that has waited longest.
func (q *Queue[T]) add(v T) {
	if q.len == len(q.items) {
		q.grow()
	}
	q.items[(q.head+q.len)&(len(q.items)-1)] = v
	q.len++
	q.open++
	if q.getters.head != nil {
		q.promisedItems += q.getters.Wake(1)
	}
}

// take removes an item, and promises its room to the putter that has waited
// longest.
func (q *Queue[T]) take() T {
	v := q.items[q.head]
	var zero T
	q.items[q.head] = zero
	q.head = (q.head + 1) & (len(q.items) - 1)
	q.len--
	if q.putters.head != nil {
		q.promisedRoom += q.putters.Wake(1)
	}
	return v
}

func (q *Queue[T]) grow() {
	bigger := make([]T, max(8, 2*len(q.items)))
	for i := range q.len {
		bigger[i] = q.items[(q.head+i)&(len(q.items)-1)]
	}
	q.items, q.head = bigger, 0
}

// Len returns the number of items that are free to be taken.
func (q *Queue[T]) Len() int { return q.len - q.promisedItems }

// Empty reports whether Get would have to wait.
func (q *Queue[T]) Empty() bool { return q.Len() == 0 }

// Full reports whether Put would have to wait.
func (q *Queue[T]) Full() bool { return q.max > 0 && q.len+q.promisedRoom >= q.max }

// Limit returns the most items that the queue holds, 0 if any number.
func (q *Queue[T]) Limit() int { return q.max }

// TaskDone says that the work for one item that was got is done. It panics if
// it is called more often than there were items.
func (q *Queue[T]) TaskDone() {
	q.check("Queue.TaskDone")
	if q.open == 0 {
		panic("asyncio: Queue.TaskDone: called more often than items were put")
	}
	if q.open--; q.open == 0 {
		q.idle.WakeAll()
	}
}

// Join waits until every item that was put has been reported done.
//
// If ctx ends first, Join returns its cause.
func (q *Queue[T]) Join(ctx context.Context) error {
	if q.open == 0 {
		return nil
	}
	w, err := q.running(ctx)
	if err != nil {
		return err
	}
	return w.State.wait(ctx, &q.idle, waitJoin)
}

// String shows how many items there are, and how many tasks wait.
func (q *Queue[T]) String() string {
	s := fmt.Sprintf("a Queue (%d", q.Len())
	if q.max > 0 {
		s += fmt.Sprintf(" of %d", q.max)
	}
	s += " items"
	if n := q.getters.Len(); n > 0 {
		s += fmt.Sprintf(", %d get", n)
	}
	if n := q.putters.Len(); n > 0 {
		s += fmt.Sprintf(", %d put", n)
	}
	return s + ")"
}

var (
	waitRoom Waitable = waitFor("room in a Queue")
	waitItem Waitable = waitFor("an item of a Queue")
	waitJoin Waitable = waitFor("the items of a Queue to be done")
)
