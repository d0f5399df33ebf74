package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// Gather2 is [Gather] for functions whose results have different types. With an
// error, the results are zero values.
//
//go:noinline
func Gather2[A, B any](ctx context.Context, fa Coroutine[A], fb Coroutine[B]) (a A, b B, err error) {
	if fa == nil || fb == nil {
		panic("asyncio: Gather2: nil function")
	}
	origin := callerpc.Get()
	var ta *Task[A]
	var tb *Task[B]
	err = Group(ctx, func(_ context.Context, g *TaskGroup) error {
		ta, tb = spawn(g, fa, origin), spawn(g, fb, origin)
		return nil
	})
	if err == nil {
		a, b = ta.value, tb.value
	}
	return a, b, err
}

// Gather3 is [Gather2] for three functions.
//
//go:noinline
func Gather3[A, B, C any](ctx context.Context, fa Coroutine[A], fb Coroutine[B], fc Coroutine[C]) (a A, b B, c C, err error) {
	if fa == nil || fb == nil || fc == nil {
		panic("asyncio: Gather3: nil function")
	}
	origin := callerpc.Get()
	var ta *Task[A]
	var tb *Task[B]
	var tc *Task[C]
	err = Group(ctx, func(_ context.Context, g *TaskGroup) error {
		ta, tb, tc = spawn(g, fa, origin), spawn(g, fb, origin), spawn(g, fc, origin)
		return nil
	})
	if err == nil {
		a, b, c = ta.value, tb.value, tc.value
	}
	return a, b, c, err
}

// Gather4 is [Gather2] for four functions.
//
//go:noinline
func Gather4[A, B, C, D any](ctx context.Context, fa Coroutine[A], fb Coroutine[B], fc Coroutine[C], fd Coroutine[D]) (a A, b B, c C, d D, err error) {
	if fa == nil || fb == nil || fc == nil || fd == nil {
		panic("asyncio: Gather4: nil function")
	}
	origin := callerpc.Get()
	var ta *Task[A]
	var tb *Task[B]
	var tc *Task[C]
	var td *Task[D]
	err = Group(ctx, func(_ context.Context, g *TaskGroup) error {
		ta, tb, tc, td = spawn(g, fa, origin), spawn(g, fb, origin), spawn(g, fc, origin), spawn(g, fd, origin)
		return nil
	})
	if err == nil {
		a, b, c, d = ta.value, tb.value, tc.value, td.value
	}
	return a, b, c, d, err
}
