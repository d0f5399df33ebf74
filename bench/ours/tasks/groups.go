package main

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

// inGroups measures fn, which runs a group of n tasks.
func inGroups(n int, fn func()) {
	groups := max(1, rounds/n)
	measure.Ops(groups*n, func() {
		for range groups {
			fn()
		}
	})
}

func number(context.Context) (int, error) { return 1, nil }

func gather(ctx context.Context, fns []asyncio.Coroutine[int]) {
	_, err := asyncio.Gather(ctx, fns...)
	must(err)
}

// timeout arms and disarms a timeout around a call that returns at once.
func timeout(ctx context.Context, _ int) {
	for range rounds {
		must(asyncio.Timeout(ctx, time.Second, nothing))
	}
}

func timeoutYield(ctx context.Context, _ int) {
	for range rounds {
		must(asyncio.Timeout(ctx, time.Second, asyncio.Yield))
	}
}

// cancelEach returns how long it takes to cancel n tasks that wait, one by one,
// and to await their end.
func cancelEach(ctx context.Context, n int) time.Duration {
	wait, waiting := waiter()
	tasks := make([]*asyncio.Task[asyncio.None], n)
	for i := range tasks {
		tasks[i] = asyncio.Go(ctx, wait)
	}
	for *waiting < n {
		must(asyncio.Yield(ctx))
	}
	start := time.Now()
	for _, task := range tasks {
		task.Cancel()
	}
	for _, task := range tasks {
		if _, err := task.Await(ctx); err == nil {
			panic("a task was not cancelled")
		}
	}
	return time.Since(start)
}

// cancelGroup is cancelEach for a group that is cancelled as a whole.
func cancelGroup(ctx context.Context, n int) time.Duration {
	wait, waiting := waiter()
	var start time.Time
	must(asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for range n {
			g.Go(wait)
		}
		for *waiting < n {
			must(asyncio.Yield(ctx))
		}
		start = time.Now()
		g.Cancel()
		return nil
	}))
	return time.Since(start)
}

// waiter returns a coroutine that waits until it is cancelled, and the count of
// those that do.
func waiter() (wait func(context.Context) error, waiting *int) {
	var never asyncio.Event
	waiting = new(int)
	return func(ctx context.Context) error {
		*waiting++
		return never.Wait(ctx)
	}, waiting
}
