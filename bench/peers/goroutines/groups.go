package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

// inGroups measures fn, which runs a group of n goroutines.
func inGroups(n int, fn func()) {
	groups := max(1, rounds/n)
	measure.Ops(groups*n, func() {
		for range groups {
			fn()
		}
	})
}

func number(context.Context) (int, error) { return 1, nil }

// gather collects the results of n goroutines in order.
func gather(n int) []int {
	ctx := context.Background()
	results, errs := make([]int, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { results[i], errs[i] = number(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		must(err)
	}
	return results
}

func nothing(context.Context) error { return nil }

func group(n int) {
	g, ctx := errgroup.WithContext(context.Background())
	for range n {
		g.Go(func() error { return nothing(ctx) })
	}
	must(g.Wait())
}

// timeout arms and disarms a timeout around a call that returns at once.
func timeout(int) {
	for range rounds {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		must(nothing(ctx))
		cancel()
	}
}

func timeoutYield(int) {
	for range rounds {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		runtime.Gosched()
		must(ctx.Err())
		cancel()
	}
}

// cancelEach returns how long it takes to cancel n goroutines that wait, each by
// a context of its own, and to await their end.
func cancelEach(n int) time.Duration {
	cancels := make([]context.CancelFunc, n)
	return cancelling(n, func(i int) context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancels[i] = cancel
		return ctx
	}, func() {
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// cancelTogether is cancelEach with one context for all.
func cancelTogether(n int) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	return cancelling(n, func(int) context.Context { return ctx }, cancel)
}

func cancelling(n int, ctx func(i int) context.Context, cancel func()) time.Duration {
	var wg sync.WaitGroup
	var waiting atomic.Int64
	for i := range n {
		ctx := ctx(i)
		wg.Go(func() {
			waiting.Add(1)
			<-ctx.Done()
		})
	}
	for waiting.Load() < int64(n) {
		runtime.Gosched()
	}
	start := time.Now()
	cancel()
	wg.Wait()
	return time.Since(start)
}
