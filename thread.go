package asyncio

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// A ThreadLimiter bounds how many calls run in threads at once: the loop has
// one of 64, and a kind of work that should not be in the way of others gets
// its own. It belongs to one loop.
type ThreadLimiter struct{ free *Semaphore }

// NewThreadLimiter returns a limiter for n calls at once. It panics if n < 1.
func NewThreadLimiter(n int) *ThreadLimiter {
	if n < 1 {
		panic(fmt.Sprintf("asyncio: NewThreadLimiter: the limit is %d; it must be at least 1", n))
	}
	return &ThreadLimiter{free: NewSemaphore(n)}
}

// ToThread runs fn on a goroutine of its own and waits for its result: the way
// to call what blocks, or computes for long, without holding the loop
// (asyncio.to_thread). It costs about 1 µs if fn is short and the loop
// has nothing else to do, and 3 µs if not. A panic of fn is returned as
// [*PanicError].
//
// If ctx ends first, ToThread returns its cause at once; fn runs to its end
// (nothing can stop it) and its result is dropped. It is abandoned then: others
// may run in its place, but [Loop.Threads] counts and names it, and with too many
// of them ToThread returns [ErrTooManyThreads]. Where fn itself obeys ctx and has
// to be waited for, call ToThread under [Shield].
func ToThread[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	return ToThreadIn(ctx, nil, fn)
}

// ToThreadIn is [ToThread] with a limit of its own; nil is the loop's.
func ToThreadIn[T any](ctx context.Context, limit *ThreadLimiter, fn func() (T, error)) (T, error) {
	var zero T
	p, err := engine.Step(ctx)
	if err != nil {
		return zero, err
	}
	l := p.Loop()
	f := face(l)
	if limit == nil {
		limit = f.limiter
	}
	if f.calls.refused && engine.CauseOf(ctx) == nil {
		return zero, ErrThreadsShutDown
	}
	f.calls.n++
	if err := limit.free.Acquire(ctx); err != nil {
		f.calls.end()
		return zero, err
	}
	if err := f.full(); err != nil {
		limit.free.Release()
		f.calls.end()
		return zero, err
	}
	c := &threadCall[T]{loop: l, limit: limit}
	f.calls.running++
	l.BeginThread()
	l.HandOver()
	if f.execute == nil {
		l.Env.Go(env.Thread, func() { c.run(fn) })
	} else {
		c.submit(f.execute, p.Task(), fn)
	}
	if err := p.Wait(ctx, &c.waiter, waitThread); err != nil {
		c.abandon(p.Task())
		return zero, err
	}
	return c.value, c.err
}

var waitThread engine.Waitable = engine.Named("a thread")

type threadCall[T any] struct {
	loop      *engine.Loop
	limit     *ThreadLimiter
	waiter    engine.WaitQueue
	value     T
	err       error
	ended     bool
	abandoned *AbandonedCall // nil: it was not
}

// run calls fn. It is on the goroutine that was made for it, or an executor's.
func (c *threadCall[T]) run(fn func() (T, error)) {
	c.err = ErrGoexit // if fn calls runtime.Goexit nothing else is set
	defer func() {
		if v := recover(); v != nil {
			c.err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		c.loop.Post(c.done)
	}()
	c.value, c.err = fn()
}

// abandon notes that its task, t, does not wait any more. The call may go on for
// ever: so it gives its permit back now, and a virtual clock does not wait for
// it.
func (c *threadCall[T]) abandon(t *engine.Task) {
	if !c.ended {
		c.abandoned = face(c.loop).abandon(t)
		c.limit.free.Release()
		c.loop.EndThread()
		c.loop.BeginOutside()
	}
}

// done takes the result in on the loop.
func (c *threadCall[T]) done() {
	c.ended = true
	calls := &face(c.loop).calls
	if c.abandoned != nil {
		calls.returned(c.abandoned)
		c.loop.EndOutside()
	} else {
		c.limit.free.Release()
		c.loop.EndThread()
	}
	calls.running--
	calls.end()
	taken := c.waiter.Wake(1) == 1
	if p, ok := c.err.(*PanicError); ok && !taken {
		c.loop.Report(engine.ExceptionInfo{Message: "a call in a thread panicked after its task had been cancelled", Err: p})
	}
}
