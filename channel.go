package asyncio

import (
	"context"
	"runtime"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
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
	return recv(ctx, p, ch)
}

// recv is apart from Recv because its variables escape to the helper.
func recv[T any](ctx context.Context, p *engine.Parking, ch <-chan T) (v T, ok bool, err error) {
	err = untilDone(ctx, p, waitRecv, func(quit <-chan struct{}) bool {
		select {
		case v, ok = <-ch:
			return true
		case <-quit:
			return false
		}
	})
	return v, ok, err
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
	return send(ctx, p, ch, v)
}

// send is apart from Send because its variables escape to the helper.
func send[T any](ctx context.Context, p *engine.Parking, ch chan<- T, v T) error {
	return untilDone(ctx, p, waitSend, func(quit <-chan struct{}) bool {
		select {
		case ch <- v:
			return true
		case <-quit:
			return false
		}
	})
}

var (
	waitRecv engine.Waitable = engine.Named("a value from a channel")
	waitSend engine.Waitable = engine.Named("a channel to take a value")
)

// helper is a goroutine that does what a coroutine cannot.
type helper struct {
	waiter   engine.WaitQueue
	quit     chan struct{}
	ended    bool // for the loop
	did      bool // what it was to do
	panicked any
}

// untilDone waits until do has done something on a goroutine of its own, and
// reported true; or until ctx ends, and do, told so by quit, reports that it
// has not. It returns nil in the first case, even if ctx has ended meanwhile.
// If do panics, so does untilDone.
func untilDone(ctx context.Context, p *engine.Parking, what engine.Waitable, do func(quit <-chan struct{}) bool) error {
	l := p.Loop()
	if l.Closing() || engine.CauseOf(ctx) != nil {
		return p.Wait(ctx, nil, what) // which says so
	}
	h := &helper{quit: make(chan struct{})}
	l.Env.Go(env.Waiter, func() { h.run(l, do) })
	l.HandOver()
	l.BeginOutside()
	err := p.Wait(ctx, &h.waiter, what)
	l.EndOutside()
	if err != nil {
		h.dismiss(l, p, what)
	}
	if h.panicked != nil {
		panic(h.panicked)
	}
	if h.did {
		return nil
	}
	return err
}

func (h *helper) run(l *engine.Loop, do func(quit <-chan struct{}) bool) {
	defer func() {
		h.panicked = recover()
		l.Post(func() {
			h.ended = true
			h.waiter.Wake(1)
		})
	}()
	h.did = do(h.quit)
}

// dismiss sends the goroutine home and waits for its word, without holding the
// loop. That comes soon and for certain, so meanwhile a virtual clock stands
// still and nothing cancels the wait.
func (h *helper) dismiss(l *engine.Loop, p *engine.Parking, what engine.Waitable) {
	close(h.quit)
	l.BeginThread()
	for !h.ended {
		if l.Closing() { // and so wakes all who wait, time and again
			runtime.Gosched()
		}
		p.Join(&h.waiter, what)
	}
	l.EndThread()
}
