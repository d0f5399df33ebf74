package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// NewRendezvous returns a queue that holds no items (Go's unbuffered channel): a Put
// returns when a Get has taken its item, and both wait for each other, first come,
// first served. TryPut and TryGet succeed if somebody waits on the other side. Len is
// always 0 and Full always true.
//
// A Put that is cancelled has not handed its item over, and one that has returned nil
// has: the item is another task's, or will be in its next turn, even if that is
// cancelled now.
func NewRendezvous[T any]() *Queue[T] {
	return &Queue[T]{queue[T]{kind: kindRendezvous, max: rendezvous}}
}

// rendezvous is the limit of a queue whose putters wait for getters. Their items are
// with them.
const rendezvous = -1

// offering is what a putter waits with: getters take the item from there.
type offering[T any] interface{ offered() T }

// offer is a Put that waits.
type offer[T any] struct {
	v    T
	next *offer[T] // of those that the queue keeps for reuse
}

func (o *offer[T]) offered() T       { return o.v }
func (o *offer[T]) WaitName() string { return "a Get of a " + kindRendezvous.String() }

// offerCase is a Put in a Select that waits.
type offerCase[T any] QueuePut[T]

func (c *offerCase[T]) offered() T       { return c.Value }
func (c *offerCase[T]) WaitName() string { return (*offer[T])(nil).WaitName() }

// meetGetter hands v to a getter, and waits for one if none waits.
func (q *queue[T]) meetGetter(ctx context.Context, p *engine.Parking, v T) error {
	if engine.CauseOf(ctx) == nil && q.handOver(v) {
		return nil
	}
	o := q.spare
	if o == nil {
		o = &offer[T]{}
	} else {
		q.spare = o.next
	}
	o.v = v
	err := p.Wait(ctx, &q.putters, o)
	*o = offer[T]{next: q.spare}
	q.spare = o
	return err
}

// handOver gives v to the getter that has waited longest, if one waits.
func (q *queue[T]) handOver(v T) bool {
	if q.getters.WakeFirst() == nil {
		return false
	}
	q.fifo.push(v)
	q.open++
	q.promised++
	return true
}

// meetPutter takes the item of the putter that has waited longest, if one waits.
func (q *queue[T]) meetPutter() (v T, ok bool) {
	o, ok := q.putters.WakeFirstFor().(offering[T])
	if !ok {
		return v, false
	}
	q.open++
	return o.offered(), true
}
