package main

import (
	"context"

	"github.com/go-asyncio/asyncio"
)

// beside runs fn as so many tasks and waits for them.
func beside(ctx context.Context, tasks int, fn func(ctx context.Context) error) {
	must(asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for range tasks {
			g.Go(fn)
		}
		return nil
	}))
}

// lock hands a lock on between tasks, each of which yields while it holds it and
// again after it has released it.
func lock(ctx context.Context, tasks int) {
	var mu asyncio.Lock
	beside(ctx, tasks, func(ctx context.Context) error {
		for range rounds / tasks {
			if err := mu.Acquire(ctx); err != nil {
				return err
			}
			asyncio.Yield(ctx)
			mu.Release()
			asyncio.Yield(ctx)
		}
		return nil
	})
}

func lockUncontended(ctx context.Context, _ int) {
	var mu asyncio.Lock
	for range rounds {
		must(mu.Acquire(ctx))
		mu.Release()
	}
}

// semaphore is lock with a permit for every tenth task.
func semaphore(ctx context.Context, tasks int) {
	room := asyncio.NewSemaphore(max(1, tasks/10))
	beside(ctx, tasks, func(ctx context.Context) error {
		for range rounds / tasks {
			if err := room.Acquire(ctx); err != nil {
				return err
			}
			asyncio.Yield(ctx)
			room.Release()
			asyncio.Yield(ctx)
		}
		return nil
	})
}

func semaphoreUncontended(ctx context.Context, _ int) {
	room := asyncio.NewSemaphore(1)
	for range rounds {
		must(room.Acquire(ctx))
		room.Release()
	}
}

// event lets two tasks wake each other in turn.
func event(ctx context.Context, _ int) {
	var ping, pong asyncio.Event
	partner := asyncio.Go(ctx, func(ctx context.Context) error {
		for range rounds / 2 {
			if err := ping.Wait(ctx); err != nil {
				return err
			}
			ping.Clear()
			pong.Set()
		}
		return nil
	})
	for range rounds / 2 {
		ping.Set()
		must(pong.Wait(ctx))
		pong.Clear()
	}
	await(ctx, partner)
}

func eventUncontended(ctx context.Context, _ int) {
	var e asyncio.Event
	for range rounds {
		e.Set()
		must(e.Wait(ctx))
		e.Clear()
	}
}

func queueUncontended(ctx context.Context, _ int) {
	q := asyncio.NewQueue[int](1)
	for i := range rounds {
		must(q.Put(ctx, i))
		_, err := q.Get(ctx)
		must(err)
	}
}

// condition lets two tasks take turns.
func condition(ctx context.Context, _ int) {
	c, turn := asyncio.NewCondition(nil), 0
	player := func(me int) func(context.Context) error {
		return func(ctx context.Context) error {
			for range rounds / 2 {
				if err := c.Acquire(ctx); err != nil {
					return err
				}
				for turn != me {
					if err := c.Wait(ctx); err != nil {
						return err
					}
				}
				turn = 1 - me
				must(c.Notify(1))
				c.Release()
			}
			return nil
		}
	}
	a, b := asyncio.Go(ctx, player(0)), asyncio.Go(ctx, player(1))
	await(ctx, a)
	await(ctx, b)
}

func conditionUncontended(ctx context.Context, _ int) {
	c := asyncio.NewCondition(nil)
	for range rounds {
		must(c.Acquire(ctx))
		must(c.Notify(1))
		c.Release()
	}
}

func boundedUncontended(ctx context.Context, _ int) {
	room := asyncio.NewBoundedSemaphore(1)
	for range rounds {
		must(room.Acquire(ctx))
		room.Release()
	}
}
