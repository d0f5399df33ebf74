package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
)

// fetch stands for something that takes its time.
func fetch(path string, takes time.Duration) asyncio.Coroutine[string] {
	return func(ctx context.Context) (string, error) {
		if err := asyncio.Sleep(ctx, takes); err != nil {
			return "", err
		}
		return "page " + path, nil
	}
}

func ExampleRun() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println("Hello ...")
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		fmt.Println("... World!")
		return nil
	})
	fmt.Println(err)
	// Output:
	// Hello ...
	// ... World!
	// <nil>
}

// On a virtual clock, time passes when nobody has anything to do.
func ExampleWithVirtualClock() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		err := asyncio.Sleep(ctx, 24*time.Hour)
		fmt.Println("a day later:", loop.Time())
		return err
	}, asyncio.WithVirtualClock())
	// Output: a day later: 24h0m0s
}

// When nothing can ever go on, Run says who waits for what.
func ExampleDeadlockError() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var a, b asyncio.Lock
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			both := func(first, second *asyncio.Lock) func(context.Context) error {
				return func(ctx context.Context) error {
					return first.Do(ctx, func() error {
						asyncio.Yield(ctx)
						return second.Do(ctx, func() error { return nil })
					})
				}
			}
			g.Go(both(&a, &b), asyncio.Name("left"))
			g.Go(both(&b, &a), asyncio.Name("right"))
			return nil
		})
	})
	var deadlock *asyncio.DeadlockError
	if errors.As(err, &deadlock) {
		for _, task := range deadlock.Tasks {
			what, _, _ := strings.Cut(task, " (at ") // the place follows, and where it was created
			fmt.Println(what)
		}
	}
	// Output:
	// main waits for the 2 tasks of its group
	// left waits for a Lock held by right
	// right waits for a Lock held by left
}

func ExampleCreateTask() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, fetch("/a", 2*time.Second))
		fmt.Println("meanwhile")
		page, err := task.Await(ctx)
		fmt.Println(page, err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// meanwhile
	// page /a <nil>
}

func ExampleTask_Cancel() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			err := asyncio.Sleep(ctx, time.Hour)
			fmt.Println("cleaning up:", err)
			return err
		})
		asyncio.Yield(ctx)
		task.Cancel(errors.New("no longer needed"))
		_, err := task.Await(ctx)
		fmt.Println(err, task.Cancelled())
		return nil
	})
	// Output:
	// cleaning up: no longer needed
	// no longer needed true
}

func ExampleGather() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		pages, err := asyncio.Gather(ctx, fetch("/a", 2*time.Second), fetch("/b", time.Second))
		fmt.Println(pages, err, asyncio.RunningLoop(ctx).Time())
		return err
	}, asyncio.WithVirtualClock())
	// Output: [page /a page /b] <nil> 2s
}

func ExampleGatherResults() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		broken := func(context.Context) (string, error) { return "", errors.New("no such page") }
		for _, r := range asyncio.GatherResults(ctx, fetch("/a", time.Second), broken) {
			fmt.Printf("%q %v\n", r.Value, r.Err)
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// "page /a" <nil>
	// "" no such page
}

// The first failure cancels the others, and Group waits for them.
func ExampleGroup() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Hour)
				fmt.Println("slow one:", err)
				return err
			})
			g.Go(func(ctx context.Context) error {
				asyncio.Sleep(ctx, time.Second)
				return errors.New("disk full")
			})
			return nil
		})
	}, asyncio.WithVirtualClock())
	fmt.Println(err)
	// Output:
	// slow one: asyncio: cancelled, because another task of the group failed: disk full
	// disk full
}

func ExampleSpawn() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var a, b *asyncio.Task[string]
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			a = asyncio.Spawn(g, fetch("/a", time.Second))
			b = asyncio.Spawn(g, fetch("/b", time.Second))
			return nil
		})
		if err != nil {
			return err
		}
		pageA, _ := a.Result()
		pageB, _ := b.Result()
		fmt.Println(pageA, pageB)
		return nil
	}, asyncio.WithVirtualClock())
	// Output: page /a page /b
}

func ExampleTimeout() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			return asyncio.Sleep(ctx, time.Hour)
		})
		fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
		return nil
	}, asyncio.WithVirtualClock())
	// Output: asyncio: timed out after 1s true
}

// What has to be finished is finished under Shield, however late it is.
func ExampleShield() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			defer asyncio.Shield(ctx, func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Second) // saying good-bye takes its time, too
				fmt.Println("said good-bye:", err)
				return err
			})
			fmt.Println(asyncio.Sleep(ctx, time.Hour))
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// asyncio: timed out after 1s
	// said good-bye: <nil>
}

func ExampleFuture() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		answer := asyncio.NewFuture[int](loop)
		loop.CallLater(time.Second, func() { answer.SetResult(42) })
		v, err := answer.Await(ctx)
		fmt.Println(v, err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output: 42 <nil>
}

func ExampleAfter() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		tea := asyncio.After(ctx, 5*time.Minute, "tea")
		fmt.Println("boiling")
		v, err := tea.Await(ctx)
		fmt.Println(v, err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// boiling
	// tea <nil>
}
