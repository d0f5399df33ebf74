package asyncio

import (
	"context"
	"time"
	"unsafe"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Sleep suspends the task for d on the loop's clock. A d of zero or less yields
// once, like [Yield]. It allocates nothing.
//
// If ctx ends first, Sleep returns its cause.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return Yield(ctx)
	}
	p, err := engine.Running(ctx)
	if err != nil {
		return engine.AtOnce(err)
	}
	p.Arm(engine.AddTime(p.Loop().Time(), d))
	err = p.Wait(ctx, nil, engine.TheAlarm)
	p.Disarm()
	return err
}

// Yield lets everybody who is ready have a turn (asyncio's sleep(0)).
//
// If ctx is done then, Yield returns its cause.
func Yield(ctx context.Context) error {
	p, err := engine.Running(ctx)
	if err != nil {
		return engine.AtOnce(err)
	}
	if p.Requeue() { // and not Parking.Yield: a frame less
		p.Suspend()
	}
	return engine.CauseOf(ctx)
}

// afterFuture is a future and its timer in one allocation.
type afterFuture[T any] struct {
	Future[T] // first: see disarm
	alarm     engine.Alarm
}

func (f *afterFuture[T]) Fire() { f.future.Resolve(f.loop, engine.Finished, nil) }

// disarm stops the timer of a future that After has made and that ends before
// its time. Its address is that of the afterFuture: so other futures need no
// room for a way to their timer.
func (f *Future[T]) disarm() {
	a := (*afterFuture[T])(unsafe.Pointer(f))
	a.value = *new(T)
	a.loop.Disarm(&a.alarm)
}

// After returns a future that gets the value v after d. It needs no coroutine:
// a million of them cost some 150 MB, and no stacks.
//
// It is not bound to ctx, which only says on which loop. Cancel the future to
// end it early, or set it: that disarms the timer and leaves nothing behind.
func After[T any](ctx context.Context, d time.Duration, v T) *Future[T] {
	l := engine.MustLoopOf("After", ctx)
	f := &afterFuture[T]{Future: Future[T]{loop: l, value: v}}
	f.future.Timed = true
	f.alarm.Init(f)
	l.Arm(&f.alarm, engine.AddTime(l.Time(), d))
	return &f.Future
}
