package asyncio

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-asyncio/asyncio/internal/engine"
)

var (
	// ErrQueueFull is returned by TryPut on a queue without room.
	ErrQueueFull = errors.New("asyncio: the queue is full")
	// ErrQueueEmpty is returned by TryGet on a queue without items.
	ErrQueueEmpty = errors.New("asyncio: the queue is empty")
	// ErrQueueShutDown is returned by Put on a queue that was shut down, and by
	// Get when such a queue is empty.
	ErrQueueShutDown = errors.New("asyncio: the queue is shut down")
)

// A Queue hands items from tasks to tasks, first in, first out. It is fair on
// both sides, a hand-over allocates nothing, and it belongs to one loop.
//
// A task that was woken is certain to get its item or its room: what it was
// promised is set aside, so nobody overtakes, and nothing is lost if it is
// cancelled in the same turn.
//
// The queues that hand out the last item first, and the least, are [LifoQueue]
// and [PriorityQueue]. [NewRendezvous] makes one that holds nothing.
type Queue[T any] struct{ queue[T] }

// NewQueue returns a queue for at most limit items; 0 means any number. It
// panics if limit is negative.
func NewQueue[T any](limit int) *Queue[T] {
	q := &Queue[T]{}
	q.init("NewQueue", limit)
	return q
}

// queue is what all queues are: those who wait, for items and for room. Where
// the items are and which one comes next is the matter of the store.
type queue[T any] struct {
	home     engine.Home
	kind     queueKind
	down     bool
	fifo     fifo[T]
	store    store[T] // in place of fifo; nil in a Queue
	max      int      // 0: no limit; rendezvous
	free     int      // items that are nobody's
	promised int      // items of getters that were woken
	room     int      // for the items of putters that were woken
	open     int      // items put and not yet reported done
	senders  int      // those of Sender that are not closed
	spare    *offer[T]
	getters  engine.WaitQueue
	putters  engine.WaitQueue
	idle     engine.WaitQueue
}

// A store keeps the items of a queue, in the order in which they come out.
type store[T any] interface {
	push(v T)
	pop() T     // there is one
	keep(n int) // drops all but the n that would come out next
}

func (q *queue[T]) init(call string, limit int) {
	if limit < 0 {
		panic(fmt.Sprintf("asyncio: %s: the limit is %d; it must not be negative", call, limit))
	}
	q.max = limit
}

// Put adds v to the queue, when there is room.
//
// If ctx is done or ends first, Put returns its cause; if the queue is or gets
// shut down, [ErrQueueShutDown]. Then v is not added.
func (q *queue[T]) Put(ctx context.Context, v T) error {
	switch p, err := q.home.Step(ctx); {
	case err != nil:
		return err
	case !q.Full() && !q.down && engine.CauseOf(ctx) == nil:
	case q.down && engine.CauseOf(ctx) == nil:
		return ErrQueueShutDown
	case q.max == rendezvous:
		return q.meetGetter(ctx, p, v)
	default:
		if err := p.Wait(ctx, &q.putters, roomIn(q.kind)); err != nil {
			return err
		}
		q.room--
		if q.down {
			return ErrQueueShutDown
		}
	}
	q.add(v)
	return nil
}

// TryPut adds v if there is room now, or returns [ErrQueueFull], or
// [ErrQueueShutDown].
func (q *queue[T]) TryPut(v T) error {
	q.check("TryPut")
	if q.down {
		return ErrQueueShutDown
	}
	if q.Full() {
		if q.max == rendezvous && q.handOver(v) {
			return nil
		}
		return ErrQueueFull
	}
	q.add(v)
	return nil
}

// Get removes the next item and returns it, when there is one.
//
// If ctx is done or ends first, Get returns its cause; if the queue is empty
// and is or gets shut down, [ErrQueueShutDown]. Then it removes none.
func (q *queue[T]) Get(ctx context.Context) (T, error) {
	var zero T
	switch p, err := q.home.Step(ctx); {
	case err != nil:
		return zero, err
	case q.free > 0 && engine.CauseOf(ctx) == nil:
		q.free--
	case q.down && engine.CauseOf(ctx) == nil:
		return zero, ErrQueueShutDown
	default:
		if q.max == rendezvous && engine.CauseOf(ctx) == nil {
			if v, ok := q.meetPutter(); ok {
				return v, nil
			}
		}
		if err := p.Wait(ctx, &q.getters, q.item()); err != nil {
			return zero, err
		}
		q.promised--
	}
	return q.take(), nil
}

// TryGet removes the next item if there is one now, or returns
// [ErrQueueEmpty], or [ErrQueueShutDown] if none will come.
func (q *queue[T]) TryGet() (T, error) {
	q.check("TryGet")
	if q.free > 0 {
		q.free--
		return q.take(), nil
	}
	if q.max == rendezvous {
		if v, ok := q.meetPutter(); ok {
			return v, nil
		}
	}
	var zero T
	if q.down {
		return zero, ErrQueueShutDown
	}
	return zero, ErrQueueEmpty
}

// All returns an iterator that gets items until the queue is shut down and
// empty. If ctx ends, it yields the cause, with the zero item, and ends. Who
// breaks out of the loop leaves what is in the queue to others.
//
// An item is yours as from Get: where somebody waits in Join, call
// TaskDone at the end of the loop's body, and before each break and continue.
func (q *queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if err == ErrQueueShutDown && q.down { // and not ctx's cause, from another queue
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// add stores an item, and promises it to the getter that has waited longest.
func (q *queue[T]) add(v T) {
	if q.store == nil {
		q.fifo.push(v)
	} else {
		q.store.push(v)
	}
	q.open++
	if !q.getters.Empty() && q.getters.WakeFirst() != nil {
		q.promised++
	} else {
		q.free++
	}
}

// take removes an item, and promises its room to the putter that has waited
// longest.
func (q *queue[T]) take() (v T) {
	if q.store == nil {
		v = q.fifo.pop()
	} else {
		v = q.store.pop()
	}
	if !q.putters.Empty() && q.max != rendezvous && q.putters.WakeFirst() != nil {
		q.room++
	}
	return v
}

// Len returns the number of items that are free to be taken.
func (q *queue[T]) Len() int { return q.free }

// Empty reports whether there is no item that is free to be taken.
func (q *queue[T]) Empty() bool { return q.free == 0 }

// Full reports whether there is no room that is free for an item.
func (q *queue[T]) Full() bool { return q.max != 0 && q.free+q.promised+q.room >= q.max }

// Limit returns the most items that the queue holds, 0 if any number, -1 if it is a
// rendezvous ([NewRendezvous]) and holds none.
func (q *queue[T]) Limit() int { return q.max }

// TaskDone says that the work for one item that was got is done. It panics if
// it is called more often than there were items.
func (q *queue[T]) TaskDone() {
	q.check("TaskDone")
	if q.open == 0 {
		panic(fmt.Sprintf("asyncio: %v.TaskDone: called more often than items were put", q.kind))
	}
	q.done(1)
}

func (q *queue[T]) done(n int) {
	if q.open -= n; q.open == 0 {
		q.idle.WakeAll()
	}
}

// Join waits until every item that was put has been reported done, or dropped
// by Shutdown. If that is so already it returns nil, whatever the state of ctx.
//
// If ctx ends first, Join returns its cause.
func (q *queue[T]) Join(ctx context.Context) error {
	p, err := q.home.Step(ctx)
	if err != nil || q.open == 0 {
		return err
	}
	return p.Wait(ctx, &q.idle, workOf(q.kind))
}

// Shutdown ends the queue (asyncio's shutdown): nothing can be added any more,
// and who waits for room is told so at once. Items that are there can still be
// got; then Get fails, and All ends.
//
// If it is immediate, items that nobody was promised are dropped, and count as
// done. Items that were got and are not done yet still hold up Join. Shutting
// down again does nothing, but it may be immediate then.
func (q *queue[T]) Shutdown(immediate bool) {
	q.check("Shutdown")
	q.down = true
	if immediate && q.free > 0 {
		q.drop()
	}
	q.getters.Fail(ErrQueueShutDown) // they wait, so there is no item
	q.putters.Fail(ErrQueueShutDown)
}

// drop removes the items that are free.
func (q *queue[T]) drop() {
	if q.store == nil {
		q.fifo.keep(q.promised)
	} else {
		q.store.keep(q.promised)
	}
	dropped := q.free
	q.free = 0
	q.done(dropped)
}

// check panics if the caller is not on the queue's loop.
func (q *queue[T]) check(method string) {
	if !q.home.On() { // or else the message is not needed
		q.home.Check(q.kind.String() + "." + method)
	}
}

// String shows how many items there are, and how many tasks wait.
func (q *queue[T]) String() string {
	s := fmt.Sprintf("a %v (%d", q.kind, q.Len())
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
	if q.senders > 0 {
		s += fmt.Sprintf(", %d senders", q.senders)
	}
	if q.down {
		s += ", shut down"
	}
	return s + ")"
}

// queueKind is what a queue is, for messages; by default a Queue.
type queueKind uint8

const (
	kindLifo queueKind = 1 + iota
	kindPriority
	kindRendezvous
)

func (k queueKind) String() string {
	return [...]string{"Queue", kindLifo: "LifoQueue", kindPriority: "PriorityQueue", kindRendezvous: "rendezvous Queue"}[k]
}

// What tasks wait for at a queue.
type (
	roomIn queueKind
	itemOf queueKind
	workOf queueKind
)

func (k roomIn) WaitName() string { return "room in a " + queueKind(k).String() }
func (k itemOf) WaitName() string { return "an item of a " + queueKind(k).String() }
func (k workOf) WaitName() string { return "the items of a " + queueKind(k).String() + " to be done" }

// fifo is a ring, as the ready queue is (ring.go). One generic type for both
// would keep the loop's push from being inlined.
type fifo[T any] struct {
	items []T // its length is a power of two
	head  int
	n     int
}

func (f *fifo[T]) push(v T) {
	if f.n == len(f.items) {
		f.grow()
	}
	f.items[(f.head+f.n)&(len(f.items)-1)] = v
	f.n++
}

func (f *fifo[T]) pop() T {
	at := &f.items[f.head]
	v := *at
	*at = *new(T)
	f.head = (f.head + 1) & (len(f.items) - 1)
	f.n--
	return v
}

// first returns the item that is next to be popped; there is one.
func (f *fifo[T]) first() T { return f.items[f.head] }

func (f *fifo[T]) keep(n int) {
	for ; f.n > n; f.n-- {
		f.items[(f.head+f.n-1)&(len(f.items)-1)] = *new(T)
	}
}

func (f *fifo[T]) grow() {
	bigger := make([]T, max(8, 2*len(f.items)))
	for i := range f.n {
		bigger[i] = f.items[(f.head+i)&(len(f.items)-1)]
	}
	f.items, f.head = bigger, 0
}
