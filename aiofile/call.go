package aiofile

import (
	"context"
	"errors"
	"sync"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A call is a function that runs in a thread for a coroutine, and what the two agree on when the coroutine is
// cancelled meanwhile. There are two kinds of coroutines: those that look leave at once, and the thread must not touch
// anything of theirs any more; those that change something tell the thread to stop, and wait for it.
type call struct {
	fn func(c *call)

	mu    sync.Mutex
	begun bool   // the thread has called fn
	over  bool   // the results are stored
	ended bool   // fn has returned, or panicked
	left  bool   // the coroutine has gone, or wants to
	wake  func() // tells the coroutine of the end
}

// errStopped is what a function in a thread returns that has stopped because the coroutine wants to go.
var errStopped = errors.New("aiofile: stopped")

// run is what the thread does.
func (c *call) run() (asyncio.None, error) {
	c.mu.Lock()
	c.begun = !c.left
	begun := c.begun
	c.mu.Unlock()
	if begun {
		defer c.end()
		c.fn(c)
	}
	return asyncio.None{}, nil
}

func (c *call) end() {
	c.mu.Lock()
	c.ended = true
	wake := c.wake
	c.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// gone reports, in the thread, whether the coroutine has left or wants to.
func (c *call) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// touch runs fn, in the thread, unless the coroutine has left. It does not leave meanwhile, so fn must be short.
func (c *call) touch(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		fn()
	}
	return !c.left
}

// settle is the touch with which the thread hands over the results: from now on the coroutine will take them, even if
// it is cancelled.
func (c *call) settle(store func()) bool {
	return c.touch(func() {
		store()
		c.over = true
	})
}

// await runs the call and leaves it if ctx ends. Without an error the results are there.
func (c *call) await(ctx context.Context, l *engine.Loop) error {
	_, err := asyncio.ToThreadIn(ctx, sharedOf(l).limit, c.run)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	c.left = true
	return err
}

// awaitEnd runs the call; if ctx ends, it does not begin or is told to stop, and has ended when awaitEnd returns.
// Without an error the results are there.
func (c *call) awaitEnd(ctx context.Context, l *engine.Loop) error {
	_, err := asyncio.ToThreadIn(ctx, sharedOf(l).limit, c.run)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	c.left = true
	if c.over || c.ended || !c.begun {
		over := c.over
		c.mu.Unlock()
		if over {
			return nil
		}
		return err
	}
	end := asyncio.NewFuture[asyncio.None](l.Face.(*asyncio.Loop))
	c.wake = func() { _ = l.CallSoonThreadsafe(func() { _ = end.SetResult(asyncio.None{}) }) }
	c.mu.Unlock()
	failed := asyncio.Shield(ctx, func(ctx context.Context) error {
		_, failed := end.Await(ctx)
		return failed
	})
	if failed != nil {
		return failed // the loop ends
	}
	if !c.over {
		return err // fn panicked, which the loop reports
	}
	return nil
}

// result is what a function in a thread has returned.
type result[T any] struct {
	v   T
	err error
}

// look runs fn, which changes nothing, in a thread. If ctx ends, look returns its cause at once, and what fn returns
// in the end is given to drop, if there is one.
func look[T any](
	ctx context.Context, l *engine.Loop, op, name string, fn func(gone func() bool) (T, error), drop func(T),
) (T, error) {
	var r result[T]
	c := &call{fn: func(c *call) {
		got, failed := fn(c.gone)
		if !c.settle(func() { r = result[T]{got, failed} }) && drop != nil && failed == nil {
			drop(got)
		}
	}}
	if failed := c.await(ctx, l); failed != nil {
		var zero T
		return zero, pathError(op, name, failed)
	}
	return r.v, r.err
}

// change runs fn, which changes something, in a thread. If ctx ends, fn does not begin, or stop tells it to end with
// errStopped, and change waits for that.
func change[T any](
	ctx context.Context, l *engine.Loop, op, name string, fn func(stop func() bool) (T, error),
) (T, error) {
	var r result[T]
	c := &call{fn: func(c *call) {
		got, failed := fn(c.gone)
		c.mu.Lock()
		defer c.mu.Unlock()
		r, c.over = result[T]{got, failed}, true
	}}
	if failed := c.awaitEnd(ctx, l); failed != nil {
		var zero T
		return zero, pathError(op, name, failed)
	}
	if r.err == errStopped {
		r.err = pathError(op, name, context.Cause(ctx))
	}
	return r.v, r.err
}

// lookup is look for a function that takes a context.
func lookup[T any](ctx context.Context, op, name string, fn func(files env.Files) (T, error)) (T, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		var zero T
		return zero, pathError(op, name, err)
	}
	return look(ctx, l, op, name, func(func() bool) (T, error) { return fn(l.Env.Files) }, nil)
}

// alter is change for a function that takes a context.
func alter[T any](
	ctx context.Context, op, name string, fn func(files env.Files, stop func() bool) (T, error),
) (T, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		var zero T
		return zero, pathError(op, name, err)
	}
	return change(ctx, l, op, name, func(stop func() bool) (T, error) { return fn(l.Env.Files, stop) })
}

// lookFrom is look in a coroutine; on a goroutine that is not the loop's, fn runs right here.
func lookFrom[T any](l *engine.Loop, op, name string, fn func() (T, error)) (T, error) {
	ctx := l.CurrentContext()
	if ctx == nil {
		return plainly(l, op, name, fn)
	}
	return look(ctx, l, op, name, func(func() bool) (T, error) { return fn() }, nil)
}

// changeFrom is change in a coroutine, in one step; on a goroutine that is not the loop's, fn runs right here.
func changeFrom[T any](l *engine.Loop, op, name string, fn func() (T, error)) (T, error) {
	ctx := l.CurrentContext()
	if ctx == nil {
		return plainly(l, op, name, fn)
	}
	return change(ctx, l, op, name, func(func() bool) (T, error) { return fn() })
}

// plainly runs fn right here, but not in a callback of the loop.
func plainly[T any](l *engine.Loop, op, name string, fn func() (T, error)) (T, error) {
	if l.On() {
		var zero T
		return zero, pathError(op, name, ErrWouldWait)
	}
	return fn()
}
