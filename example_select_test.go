package asyncio_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A worker takes jobs until it is told to stop, or none has come for a while.
func ExampleSelect() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs, stop := asyncio.NewQueue[string](0), new(asyncio.Event)
		feeder := asyncio.Go(ctx, func(ctx context.Context) error {
			for _, job := range []string{"wash", "dry"} {
				if err := jobs.Put(ctx, job); err != nil {
					return err
				}
				if err := asyncio.Sleep(ctx, time.Second); err != nil {
					return err
				}
			}
			return nil
		})
		job, idle := jobs.Getting(), asyncio.Sleeping(time.Minute)
		for {
			chosen, err := asyncio.Select(ctx, stop, job, idle)
			switch {
			case err != nil:
				return err
			case chosen == stop:
				fmt.Println("told to stop")
				_, err := feeder.Await(ctx)
				return err
			case chosen == idle:
				fmt.Println("nothing to do at", asyncio.RunningLoop(ctx).Time())
				_, err := feeder.Await(ctx)
				return err
			case chosen == job:
				fmt.Println(job.Value)
			}
		}
	}, asyncio.WithVirtualClock())
	// Output:
	// wash
	// dry
	// nothing to do at 1m1s
}

// TrySelect takes what is there, and does not wait.
func ExampleTrySelect() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs := asyncio.NewQueue[string](0)
		job := jobs.Getting()
		chosen, err := asyncio.TrySelect(ctx, job)
		fmt.Println(chosen == nil, err)
		if err := jobs.TryPut("wash"); err != nil {
			return err
		}
		chosen, err = asyncio.TrySelect(ctx, job)
		fmt.Println(chosen == job, job.Value, err)
		return nil
	})
	// Output:
	// true <nil>
	// true wash <nil>
}
