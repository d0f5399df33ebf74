package asyncio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrBroadcastClosed is returned by [Broadcast.Send] on a Broadcast that is
// closed, and by [Subscription.Recv] when nothing is left to receive there.
var ErrBroadcastClosed = errors.New("asyncio: the broadcast is closed")

// A LaggedError tells a subscriber of a [Broadcast] that it was too slow. It goes
// on with the oldest value that is still there.
type LaggedError struct {
	Lost int // values that it has not received
}

func (e *LaggedError) Error() string {
	return fmt.Sprintf("asyncio: the subscriber was too slow for the broadcast: %d values are lost", e.Lost)
}

// A Broadcast gives each value to everybody who has subscribed before it was sent
// (tokio's broadcast channel). Sending never waits: the Broadcast keeps the last
// values, and a subscriber that is further behind than that is told how many it has
// lost.
//
// A [Subscription] is no more than a place in the stream: the Broadcast does not
// know it, and it needs no end. Sending costs a few nanoseconds, and a wake-up for
// each subscriber that waits, with 0 allocations. A Broadcast belongs to one loop.
// The zero Broadcast keeps 16 values.
type Broadcast[T any] struct {
	home   engine.Home
	queue  engine.WaitQueue // subscribers that have received all
	keep   int              // how many values; 0: 16
	ring   []T
	sent   int // values, ever
	closed bool
}

// NewBroadcast returns a Broadcast that keeps so many values. It panics if keep is
// less than 1.
func NewBroadcast[T any](keep int) *Broadcast[T] {
	if keep < 1 {
		panic(fmt.Sprintf("asyncio: NewBroadcast: it is to keep %d values; it must be at least 1", keep))
	}
	return &Broadcast[T]{keep: keep}
}

// Send gives v to all who have subscribed. It does not wait. On a closed Broadcast
// it returns [ErrBroadcastClosed].
func (b *Broadcast[T]) Send(v T) error {
	b.home.Check("Broadcast.Send")
	if b.closed {
		return ErrBroadcastClosed
	}
	if b.ring == nil {
		b.ring = make([]T, cmp.Or(b.keep, 16))
	}
	b.ring[b.sent%len(b.ring)] = v
	b.sent++
	b.queue.WakeAll()
	return nil
}

// Close says that nothing more will be sent: subscribers receive what is there,
// and then [ErrBroadcastClosed].
func (b *Broadcast[T]) Close() {
	b.home.Check("Broadcast.Close")
	b.closed = true
	b.queue.Fail(ErrBroadcastClosed) // they wait, so they have received all
}

// Subscribe returns a Subscription that receives what is sent from now on.
func (b *Broadcast[T]) Subscribe() *Subscription[T] {
	b.home.Check("Broadcast.Subscribe")
	return &Subscription[T]{of: b, next: b.sent}
}

// String shows how many values it keeps and were sent, and how many tasks wait.
func (b *Broadcast[T]) String() string {
	s := fmt.Sprintf("a Broadcast (keeps %d, %d sent", cmp.Or(b.keep, 16), b.sent)
	if b.closed {
		s += ", closed"
	}
	return s + b.queue.Waiting()
}

// A Subscription receives what a [Broadcast] sends after it was made. If several
// tasks use it, each value goes to one of them.
type Subscription[T any] struct {
	of   *Broadcast[T]
	next int // which value it receives next
}

// Recv waits for the next value and returns it. If values were lost since the last
// call, it returns a [*LaggedError] once, and the next call goes on behind them.
//
// If ctx is done or ends first, Recv returns its cause, and has received nothing.
// When the Broadcast is closed and all was received, it returns
// [ErrBroadcastClosed].
func (s *Subscription[T]) Recv(ctx context.Context) (v T, err error) {
	err = receive(ctx, &s.of.home, &s.of.queue, waitBroadcast, func() (bool, error) { return s.try(&v) })
	return v, err
}

// receive waits in line, again and again, until try has nothing to wait for, and
// returns its error. Under a done context it does not try.
func receive(ctx context.Context, home *engine.Home, q *engine.WaitQueue, what engine.Waitable, try func() (done bool, err error)) error {
	p, err := home.Step(ctx)
	if err != nil {
		return err
	}
	if engine.CauseOf(ctx) != nil {
		return p.Wait(ctx, nil, what)
	}
	for {
		if done, err := try(); done {
			return err
		}
		if err := p.Wait(ctx, q, what); err != nil {
			return err
		}
	}
}

// try receives a value if there is one, and reports whether there is nothing to
// wait for.
func (s *Subscription[T]) try(v *T) (done bool, err error) {
	b := s.of
	if s.next == b.sent {
		if b.closed {
			return true, ErrBroadcastClosed
		}
		return false, nil
	}
	if lost := b.sent - s.next - len(b.ring); lost > 0 {
		s.next += lost
		return true, &LaggedError{Lost: lost}
	}
	*v = b.ring[s.next%len(b.ring)]
	s.next++
	return true, nil
}

// All returns an iterator that receives values until the Broadcast is closed and
// all was received. Where values were lost it yields a [*LaggedError], and goes on
// if the loop does. If ctx ends, it yields the cause, and ends.
func (s *Subscription[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := s.Recv(ctx)
			if err == ErrBroadcastClosed && s.of.closed { // and not ctx's cause
				return
			}
			_, lagged := err.(*LaggedError)
			if !yield(v, err) || err != nil && !lagged {
				return
			}
		}
	}
}

// A BroadcastReceive is the case of a Recv: see [Subscription.Receiving].
type BroadcastReceive[T any] struct {
	Value T // what was received, when the case was chosen without an error
	from  *Subscription[T]
}

// Receiving returns the case for [Select] that receives a value, which is in its
// Value then. It can be used again and again.
func (s *Subscription[T]) Receiving() *BroadcastReceive[T] { return &BroadcastReceive[T]{from: s} }

func (c *BroadcastReceive[T]) selecting() engine.Case {
	if c == nil || c.from == nil {
		return nil
	}
	return (*broadcastCase[T])(c)
}

type broadcastCase[T any] BroadcastReceive[T]

func (c *broadcastCase[T]) Try(p *engine.Parking) (bool, error) {
	if err := c.from.of.home.Admit(p); err != nil {
		return true, err
	}
	return c.from.try(&c.Value)
}

func (c *broadcastCase[T]) Enter(s *engine.Selection) { s.SharedLine(&c.from.of.queue, waitBroadcast) }
func (c *broadcastCase[T]) Woken(*engine.Parking) (bool, error) {
	return c.from.try(&c.Value)
}

var waitBroadcast engine.Waitable = engine.Named("a value from a Broadcast")
