package asyncio

import (
	"context"
	"runtime"
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
	w, err := running(ctx)
	if err != nil {
		return v, false, err
	}
	if causeNow(ctx) == nil {
		select {
		case v, ok = <-ch:
			return v, ok, nil
		default:
		}
	}
	if ch == nil {
		return v, false, w.State.wait(ctx, nil, waitRecv)
	}
	return recv(ctx, w, ch)
}

// recv is apart from Recv because its variables escape to the helper.
func recv[T any](ctx context.Context, w *worker, ch <-chan T) (v T, ok bool, err error) {
	err = untilDone(ctx, w, waitRecv, func(quit <-chan struct{}) bool {
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
	w, err := running(ctx)
	if err != nil {
		return err
	}
	if causeNow(ctx) == nil {
		select {
		case ch <- v:
			return nil
		default:
		}
	}
	if ch == nil {
		return w.State.wait(ctx, nil, waitSend)
	}
	return send(ctx, w, ch, v)
}

// send is apart from Send because its variables escape to the helper.
func send[T any](ctx context.Context, w *worker, ch chan<- T, v T) error {
	return untilDone(ctx, w, waitSend, func(quit <-chan struct{}) bool {
		select {
		case ch <- v:
			return true
		case <-quit:
			return false
		}
	})
}

var (
	waitRecv Waitable = waitFor("a value from a channel")
	waitSend Waitable = waitFor("a channel to take a value")
)

// helper is a goroutine that does what a coroutine cannot.
type helper struct {
	waiter   WaitQueue
	quit     chan struct{}
	ended    bool // for the loop
	did      bool // what it was to do
	panicked any
}

// untilDone waits until do has done something on a goroutine of its own, and
// reported true; or until ctx ends, and do, told so by quit, reports that it
// has not. It returns nil in the first case, even if ctx has ended meanwhile.
// If do panics, so does untilDone.
func untilDone(ctx context.Context, w *worker, what Waitable, do func(quit <-chan struct{}) bool) error {
	l := w.State.task.scope.loop
	if l.closing || causeNow(ctx) != nil {
		return w.State.wait(ctx, nil, what) // which says so
	}
	h := &helper{quit: make(chan struct{})}
	go h.run(l, do)
	l.handed = true
	l.outside++
	err := w.State.wait(ctx, &h.waiter, what)
	l.outside--
	if err != nil {
		h.dismiss(l, w, what)
	}
	if h.panicked != nil {
		panic(h.panicked)
	}
	if h.did {
		return nil
	}
	return err
}

func (h *helper) run(l *loop, do func(quit <-chan struct{}) bool) {
	defer func() {
		h.panicked = recover()
		l.post(func() {
			h.ended = true
			h.waiter.Wake(1)
		})
	}()
	h.did = do(h.quit)
}

// dismiss sends the goroutine home and waits for its word, without holding the
// loop. That comes soon and for certain, so meanwhile a virtual clock stands
// still and nothing cancels the wait.
func (h *helper) dismiss(l *loop, w *worker, what Waitable) {
	close(h.quit)
	l.threads++
	for !h.ended {
		if l.closing { // and so wakes all who wait, time and again
			runtime.Gosched()
		}
		w.State.join(&h.waiter, what)
	}
	l.threads--
}
