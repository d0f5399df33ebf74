package asyncio

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// WaitFor runs fn and gives it d on the loop's clock (asyncio's wait_for, on a
// coroutine). It is [Timeout] for a function that has a result: fn runs in the
// calling task, and its waits fail with a [*TimeoutError] when the time is up.
// WaitFor returns what fn returns, when it returns, so the clean-up is waited
// for: a result is a result although the time was up, and an error of the
// clean-up comes in place of the timeout's.
//
// With a d of zero or less fn is not started; the task yields once, and the
// result is the timeout, or the cause if ctx is done. A cancellation of ctx
// passes through and stays what it is.
//
// To wait for a task or future that goes on if the time is up, give its Await as
// fn; to have it cancelled then, use [WaitForTask].
func WaitFor[T any](ctx context.Context, d time.Duration, fn Coroutine[T]) (v T, err error) {
	if fn == nil {
		panic("asyncio: WaitFor: nil function")
	}
	if d <= 0 {
		return v, Timeout(ctx, d, Yield)
	}
	err = Timeout(ctx, d, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// WaitForTask waits for a task or future at most d on the loop's clock, and owns
// it (asyncio's wait_for, on a task): when the time is up, or ctx is cancelled,
// it is cancelled with that cause, and WaitForTask returns when it has ended.
// Nothing but its end ends that second wait.
//
// What is done gives its result, whatever d and the state of ctx. What ends with
// a result or an error of its own although it was cancelled gives that. If it
// ends cancelled, WaitForTask returns the cause: a [*TimeoutError], or that of
// ctx. With a d of zero or less the time is up at once.
func WaitForTask[T any](ctx context.Context, d time.Duration, aw Awaitable[T]) (v T, err error) {
	if aw == nil {
		panic("asyncio: WaitForTask: the task or future is nil")
	}
	p, err := engine.Step(ctx)
	if err != nil {
		return v, err
	}
	f, ours := aw.(AnyFuture)
	if ours {
		inner, l := f.inner()
		if err := engine.CanAwait("WaitForTask", p.Task(), inner, l); err != nil {
			return v, err
		}
	}
	if aw.Done() {
		return aw.Result()
	}
	var cause error
	err = Timeout(ctx, d, func(ctx context.Context) error {
		_, err := aw.Await(ctx)
		cause = engine.CauseOf(ctx)
		return err
	})
	if aw.Done() {
		return aw.Result()
	}
	if cause == nil { // the loop is closing
		return v, err
	}
	aw.Cancel(cause)
	v, err = aw.Await(context.WithoutCancel(ctx))
	if ours && f.Cancelled() {
		return v, cause
	}
	return v, err
}
