package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// This file is how coroutines use Go channels. Nobody but a goroutine can wait
// for a channel, so where one has to be waited for it gets one, for as long as
// that takes.

// Recv receives from ch without holding the loop: v, ok := <-ch. What is there
// already it takes at once, with 0 allocations and no goroutine; to wait costs a
// goroutine, 1 to 3 µs. A nil channel waits until ctx ends.
//
// The loop does not know who sends. So a Recv that waits is never part of a
// deadlock, unless the channel is nil; and a virtual clock does not stand still
// for it, as the time-out around it could never fire then. To make the clock
// wait for a goroutine that is sure to send, receive in [ToThread].
//
// If ctx is done or ends first, Recv returns its cause, and has received
// nothing: a value that came at the very moment is returned instead. No
// goroutine is left behind.
func Recv[T any](ctx context.Context, ch <-chan T) (v T, ok bool, err error) {
	p, err := engine.Step(ctx)
	if err != nil {
		return v, false, err
	}
	if engine.CauseOf(ctx) == nil {
		select {
		case v, ok = <-ch:
			return v, ok, nil
		default:
		}
	}
	if ch == nil {
		return v, false, p.Wait(ctx, nil, waitRecv)
	}
	c := &receiveCase[T]{ch: ch}
	err = p.AwaitChannel(ctx, c)
	return c.Value, c.OK, err
}

// Send sends v on ch without holding the loop: ch <- v. When there is a receiver
// or room it does so at once, with 0 allocations and no goroutine; to wait costs
// a goroutine, 1 to 3 µs. A nil channel waits until ctx ends. If ch is closed,
// or is closed meanwhile, Send panics, as any send does. See [Recv] for
// deadlocks and virtual clocks.
//
// If ctx is done or ends first, Send returns its cause, and v has not been sent:
// if it was taken at the very moment, Send returns nil. No goroutine is left
// behind.
func Send[T any](ctx context.Context, ch chan<- T, v T) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	if engine.CauseOf(ctx) == nil {
		select {
		case ch <- v:
			return nil
		default:
		}
	}
	if ch == nil {
		return p.Wait(ctx, nil, waitSend)
	}
	return p.AwaitChannel(ctx, &sendCase[T]{Value: v, ch: ch})
}

var (
	waitRecv engine.Waitable = engine.Named("a value from a channel")
	waitSend engine.Waitable = engine.Named("a channel to take a value")
)
