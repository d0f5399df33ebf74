package asyncio_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A worker takes jobs until it is told to stop, or has nothing to do for a minute.
func ExampleSelect() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs := asyncio.NewQueue[string](0)
		var stop asyncio.Event
		jobs.TryPut("dig")
		jobs.TryPut("fill in")

		job, idle := jobs.Getting(), asyncio.Sleeping(time.Minute)
		for {
			chosen, err := asyncio.Select(ctx, &stop, job, idle)
			if err != nil {
				return err
			}
			switch chosen {
			case &stop:
				return nil
			case job:
				fmt.Println(job.Value)
			case idle:
				fmt.Println("nothing to do at", asyncio.RunningLoop(ctx).Time())
				return nil
			}
		}
	}, asyncio.WithVirtualClock())
	// Output:
	// dig
	// fill in
	// nothing to do at 1m0s
}

// The error is that of the call: here of the task that was quicker.
func ExampleSelect_tasks() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		fetch := func(page string, takes time.Duration) *asyncio.Task[string] {
			return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
				return page, asyncio.Sleep(ctx, takes)
			})
		}
		a, b := fetch("a", 2*time.Second), fetch("b", time.Second)
		chosen, err := asyncio.Select(ctx, a, b)
		fmt.Println(chosen == b, err)
		page, err := b.Result()
		fmt.Println(page, err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// true <nil>
	// b <nil>
}

// What can be had now is taken; nobody waits.
func ExampleTrySelect() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		urgent, normal := asyncio.NewQueue[string](0), asyncio.NewQueue[string](0)
		normal.TryPut("water the plants")
		urgent.TryPut("put out the fire")

		first, second := urgent.Getting(), normal.Getting()
		for {
			switch chosen, err := asyncio.TrySelect(ctx, first, second); chosen {
			case nil:
				return err
			case first:
				fmt.Println(first.Value)
			case second:
				fmt.Println(second.Value)
			}
		}
	})
	// Output:
	// put out the fire
	// water the plants
}

// A task hands jobs to goroutines and takes what they have made, whichever is
// possible first. A case that is nil is disabled.
func ExampleReceiving() {
	jobs, squares := make(chan int), make(chan int)
	go func() {
		defer close(squares)
		for n := range jobs {
			squares <- n * n
		}
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		job, square := asyncio.Sending(jobs, 1), asyncio.Receiving(squares)
		for {
			chosen, err := asyncio.Select(ctx, job, square)
			switch {
			case err != nil:
				return err
			case chosen == square && !square.OK:
				return nil
			case chosen == square:
				fmt.Println(square.Value)
			case job.Value == 3:
				close(jobs)
				job = nil
			default:
				job.Value++
			}
		}
	})
	// Output:
	// 1
	// 4
	// 9
}
