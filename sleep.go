package asyncio

import (
	"context"
	"time"
	"unsafe"
)

// Sleep suspends the task for d on the loop's clock. A d of zero or less yields
// once, like [Yield]. It allocates nothing.
//
// If ctx ends first, Sleep returns its cause.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return Yield(ctx)
	}
	w, err := running(ctx)
	if err != nil {
		return err
	}
	p := &w.State
	l := p.task.scope.loop
	p.timer.when = addTime(l.now(), d)
	l.timers.arm(&p.timer)
	err = p.wait(ctx, nil, waitTimer)
	p.timer.disarm()
	return err
}

var waitTimer Waitable = waitFor("a timer")

// Yield lets everybody who is ready have a turn (asyncio's sleep(0)).
//
// If ctx is done then, Yield returns its cause.
func Yield(ctx context.Context) error {
	w, err := running(ctx)
	if err != nil {
		return err
	}
	// Not by parking.yield: see coro.Worker.Switch on what a frame costs.
	t := w.State.task
	if l := t.scope.loop; l.closing {
		w.State.refuse()
	} else {
		l.ready.push(t)
		if to := l.successor(); to != w {
			w.Switch(to)
		}
	}
	return causeNow(ctx)
}

// causeNow returns why ctx is done, or nil.
func causeNow(ctx context.Context) error {
	if s, ok := ctx.(*scope); ok {
		if s.ext.Load() == nil {
			return nil
		}
		return s.Cause()
	}
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// afterFuture is a future and its timer in one allocation.
type afterFuture[T any] struct {
	Future[T] // first: see disarm
	timer     Timer
}

func (f *afterFuture[T]) fire(*Timer) {
	f.settle(f.loop, finished, nil)
}

// disarm stops the timer of a future that After has made and that ends before
// its time. Its address is that of the afterFuture: so other futures need no
// room for a way to their timer.
func (f *Future[T]) disarm() {
	a := (*afterFuture[T])(unsafe.Pointer(f))
	a.value = *new(T)
	a.loop.timers.disarm(&a.timer)
}

// After returns a future that gets the value v after d. It needs no coroutine:
// a million of them cost some 150 MB, and no stacks.
//
// It is not bound to ctx, which only says on which loop. Cancel the future to
// end it early, or set it: that disarms the timer and leaves nothing behind.
func After[T any](ctx context.Context, d time.Duration, v T) *Future[T] {
	l := loopOf("After", ctx)
	f := &afterFuture[T]{Future: Future[T]{loop: l, value: v}}
	f.timed = true
	f.timer = newTimer(l, f)
	f.timer.when = addTime(l.now(), d)
	l.timers.arm(&f.timer)
	return &f.Future
}
