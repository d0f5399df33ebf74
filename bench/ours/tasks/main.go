// Command tasks measures asyncio's tasks and what they hand to each other.
// peers/goroutines, peers/python and peers/tokio do the same by the same names.
// Usage: tasks WHAT [N]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const (
	rounds = 100_000
	yields = 1_000_000
)

func main() {
	defer measure.Profile()()
	what, n := os.Args[1], 0
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error { return run(ctx, what, n) })
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, what string, n int) error {
	switch what {
	case "spawn":
		measure.Ops(n, func() { spawn(ctx, n) })
	case "spawn-group":
		measure.Ops(n, func() { spawnGroup(ctx, n) })
	case "gather":
		fns := slices.Repeat([]asyncio.Coroutine[int]{number}, n)
		inGroups(n, func() { gather(ctx, fns) })
	case "group":
		inGroups(n, func() { spawnGroup(ctx, n) })
	case "cancel":
		measure.Timed(n, func() time.Duration { return cancelEach(ctx, n) })
	case "cancel-group":
		measure.Timed(n, func() time.Duration { return cancelGroup(ctx, n) })
	case "yield":
		each := max(yields/n, 500) // so many that starting the tasks does not count
		measure.Ops(n*each, func() { yield(ctx, n, each) })
	case "sleepers":
		measure.Items(n, func() { sleepers(ctx, n) })
	case "after":
		futures := make([]*asyncio.Future[asyncio.None], n)
		measure.Items(n, func() {
			for i := range futures {
				futures[i] = asyncio.After(ctx, time.Hour, asyncio.None{})
			}
		})
		runtime.KeepAlive(futures)
	default:
		fn, ok := inRounds[what]
		if !ok {
			return fmt.Errorf("tasks: no such measurement: %s", what)
		}
		measure.Ops(rounds, func() {
			fn(ctx, max(n, 2))
			must(asyncio.Yield(ctx)) // what never waits would be reported as blocking the loop
		})
	}
	return nil
}

// inRounds are the measurements that do rounds operations, with a number of
// tasks where that matters.
var inRounds = map[string]func(ctx context.Context, tasks int){
	"spawn-await":           spawnAwait,
	"queue":                 queue,
	"queue-uncontended":     queueUncontended,
	"lock":                  lock,
	"lock-uncontended":      lockUncontended,
	"semaphore":             semaphore,
	"semaphore-uncontended": semaphoreUncontended,
	"bounded-uncontended":   boundedUncontended,
	"condition":             condition,
	"condition-uncontended": conditionUncontended,
	"event":                 event,
	"event-uncontended":     eventUncontended,
	"future":                future,
	"timeout":               timeout,
	"timeout-yield":         timeoutYield,
}

func nothing(context.Context) error { return nil }

func spawn(ctx context.Context, n int) {
	tasks := make([]*asyncio.Task[asyncio.None], n)
	for i := range tasks {
		tasks[i] = asyncio.Go(ctx, nothing)
	}
	for _, task := range tasks {
		await(ctx, task)
	}
}

func spawnGroup(ctx context.Context, n int) {
	must(asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for range n {
			g.Go(nothing)
		}
		return nil
	}))
}

func spawnAwait(ctx context.Context, _ int) {
	for range rounds {
		await(ctx, asyncio.Go(ctx, nothing))
	}
}

func yield(ctx context.Context, tasks, each int) {
	must(asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for range tasks {
			g.Go(func(ctx context.Context) error {
				for range each {
					if err := asyncio.Yield(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil
	}))
}

// queue hands a number to and fro: rounds hand-overs in all.
func queue(ctx context.Context, _ int) {
	ping, pong := asyncio.NewQueue[int](1), asyncio.NewQueue[int](1)
	partner := asyncio.Go(ctx, func(ctx context.Context) error {
		for range rounds / 2 {
			v, err := ping.Get(ctx)
			if err != nil {
				return err
			}
			if err := pong.Put(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range rounds / 2 {
		must(ping.Put(ctx, i))
		_, err := pong.Get(ctx)
		must(err)
	}
	await(ctx, partner)
}

type ball struct {
	number int
	back   *asyncio.Future[ball] // where the answer goes, made for it alone
}

// future hands a ball to and fro, each time through a future made for it alone.
func future(ctx context.Context, _ int) {
	first := asyncio.NewFuture[ball](asyncio.RunningLoop(ctx))
	partner := asyncio.Go(ctx, func(ctx context.Context) error {
		b, err := first.Await(ctx)
		if err != nil {
			return err
		}
		return play(ctx, b)
	})
	must(asyncio.Yield(ctx))
	must(play(ctx, ball{0, first}))
	await(ctx, partner)
}

// play hits the ball back until it has been hit rounds times.
func play(ctx context.Context, b ball) error {
	loop := asyncio.RunningLoop(ctx)
	for b.number < rounds {
		answer := asyncio.NewFuture[ball](loop)
		if err := b.back.SetResult(ball{b.number + 1, answer}); err != nil {
			return err
		}
		if b.number+1 >= rounds {
			return nil
		}
		var err error
		if b, err = answer.Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sleepers returns when n tasks sleep.
func sleepers(ctx context.Context, n int) {
	asleep := 0
	for range n {
		asyncio.Go(ctx, func(ctx context.Context) error {
			asleep++
			return asyncio.Sleep(ctx, time.Hour)
		})
	}
	for asleep < n {
		must(asyncio.Yield(ctx))
	}
}

func await(ctx context.Context, task *asyncio.Task[asyncio.None]) {
	_, err := task.Await(ctx)
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
