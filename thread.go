package asyncio

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-asyncio/asyncio/internal/engine"
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
// (nothing can stop it) and its result is dropped. Where fn itself obeys ctx
// and has to be waited for, call ToThread under [Shield].
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
	c := &threadCall[T]{loop: l, limit: limit}
	l.BeginThread()
	l.HandOver()
	if f.execute == nil {
		go c.run(fn)
	} else {
		c.submit(f.execute, fn)
	}
	if err := p.Wait(ctx, &c.waiter, waitThread); err != nil {
		c.abandon()
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
	abandoned bool
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

// abandon notes that nobody waits any more. The call keeps its permit until it
// ends, but a virtual clock does not wait for it.
func (c *threadCall[T]) abandon() {
	if !c.ended {
		c.abandoned = true
		c.loop.EndThread()
		c.loop.BeginOutside()
	}
}

// done takes the result in on the loop.
func (c *threadCall[T]) done() {
	c.ended = true
	if c.abandoned {
		c.loop.EndOutside()
	} else {
		c.loop.EndThread()
	}
	c.limit.free.Release()
	face(c.loop).calls.end()
	taken := c.waiter.Wake(1) == 1
	if p, ok := c.err.(*PanicError); ok && !taken {
		c.loop.Report(engine.ExceptionInfo{Message: "a call in a thread panicked after its task had been cancelled", Err: p})
	}
}
