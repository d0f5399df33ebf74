package asyncio_test

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

func ExampleLifoQueue() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		undo := asyncio.NewLifoQueue[string](0)
		for _, step := range []string{"type", "select", "delete"} {
			undo.Put(ctx, step)
		}
		last, err := undo.Get(ctx)
		fmt.Println("undo", last)
		return err
	})
	// Output: undo delete
}

func ExamplePriorityQueue() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		sizes := asyncio.NewPriorityQueue[int](0)
		for _, n := range []int{30, 10, 20} {
			sizes.Put(ctx, n)
		}
		sizes.Shutdown(false)
		for n, err := range sizes.All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(n)
		}
		return nil
	})
	// Output:
	// 10
	// 20
	// 30
}

// The most urgent job is first; equal ones keep their order.
func ExampleNewPriorityQueueFunc() {
	type job struct {
		urgency int
		name    string
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs := asyncio.NewPriorityQueueFunc(0, func(a, b job) int { return cmp.Compare(b.urgency, a.urgency) })
		jobs.Put(ctx, job{1, "tidy up"})
		jobs.Put(ctx, job{9, "put out the fire"})
		jobs.Put(ctx, job{9, "call for help"})
		for !jobs.Empty() {
			j, err := jobs.Get(ctx)
			if err != nil {
				return err
			}
			fmt.Println(j.name)
		}
		return nil
	})
	// Output:
	// put out the fire
	// call for help
	// tidy up
}

// Shutdown tells the workers that no more will come: their loops end when the
// queue is empty.
func ExampleQueue_Shutdown() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs := asyncio.NewQueue[int](2)
		sum := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 3 {
				g.Go(func(ctx context.Context) error {
					for n, err := range jobs.All(ctx) {
						if err != nil {
							return err
						}
						asyncio.Sleep(ctx, time.Millisecond)
						sum += n
					}
					return nil
				})
			}
			for n := range 10 {
				if err := jobs.Put(ctx, n); err != nil {
					return err
				}
			}
			jobs.Shutdown(false)
			return nil
		})
		fmt.Println(sum)
		return err
	})
	// Output: 45
}

// A queue that holds nothing: who puts goes on when somebody has taken the item.
func ExampleNewRendezvous() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		tasks := asyncio.NewRendezvous[string]()
		asyncio.RunningLoop(ctx).CallLater(time.Minute, func() {
			name, err := tasks.TryGet()
			fmt.Println("taken:", name, err)
		})
		err := tasks.Put(ctx, "wash")
		fmt.Println("put after", asyncio.RunningLoop(ctx).Time())
		return err
	}, asyncio.WithVirtualClock())
	// Output:
	// taken: wash <nil>
	// put after 1m0s
}

// The queue ends when the last of those who send has closed.
func ExampleQueueSender() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		q := asyncio.NewQueue[string](0)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i, name := range []string{"quick", "slow"} {
				sender := q.Sender()
				g.Go(func(ctx context.Context) error {
					defer sender.Close()
					if err := asyncio.Sleep(ctx, time.Duration(i+1)*time.Second); err != nil {
						return err
					}
					return sender.Put(ctx, name)
				})
			}
			for name, err := range q.All(ctx) {
				fmt.Println(name, err)
			}
			fmt.Println("both have closed")
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// quick <nil>
	// slow <nil>
	// both have closed
}

// Writes to a database are cheaper by the dozen: up to three rows, and none waits
// longer than a second.
func ExampleQueue_GetBatch() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		rows := asyncio.NewQueue[int](0)
		for n := range 4 {
			rows.TryPut(n)
		}
		for range 2 {
			batch, err := rows.GetBatch(ctx, 3, time.Second)
			fmt.Println(batch, err, asyncio.RunningLoop(ctx).Time())
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// [0 1 2] <nil> 0s
	// [3] <nil> 1s
}
