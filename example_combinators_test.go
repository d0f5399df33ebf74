package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
)

// Wait for whatever comes first; the other one goes on.
func ExampleWait() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		slow := asyncio.CreateTask(ctx, fetch("/slow", 2*time.Second))
		quick := asyncio.CreateTask(ctx, fetch("/quick", time.Second))
		done, pending, err := asyncio.Wait(ctx, asyncio.FirstCompleted, slow, quick)
		if err != nil {
			return err
		}
		page, _ := done[0].Result()
		fmt.Println(page, "is here,", len(pending), "to come")
		page, err = slow.Await(ctx)
		fmt.Println(page)
		return err
	}, asyncio.WithVirtualClock())
	// Output:
	// page /quick is here, 1 to come
	// page /slow
}

// The sets are right when the time is up, too.
func ExampleWait_timeout() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		slow := asyncio.CreateTask(ctx, fetch("/slow", time.Hour))
		quick := asyncio.CreateTask(ctx, fetch("/quick", time.Second))
		ctx, cancel := asyncio.WithTimeout(ctx, time.Minute)
		defer cancel()
		done, pending, err := asyncio.Wait(ctx, asyncio.AllCompleted, slow, quick)
		fmt.Println(len(done), "done,", len(pending), "pending:", err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output: 1 done, 1 pending: asyncio: timed out after 1m0s
}

func ExampleAsCompleted() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for task, err := range asyncio.AsCompleted(ctx,
			asyncio.CreateTask(ctx, fetch("/a", 3*time.Second)),
			asyncio.CreateTask(ctx, fetch("/b", 1*time.Second)),
			asyncio.CreateTask(ctx, fetch("/c", 2*time.Second)),
		) {
			if err != nil {
				return err
			}
			page, err := task.Result()
			fmt.Println(page, err)
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// page /b <nil>
	// page /c <nil>
	// page /a <nil>
}

// Ask two mirrors, take the first answer.
func ExampleRace() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, err := asyncio.Race(ctx, fetch("mirror-1", 2*time.Second), fetch("mirror-2", time.Second))
		fmt.Println(page)
		return err
	}, asyncio.WithVirtualClock())
	// Output: page mirror-2
}

// Happy eyeballs: the second address is tried when the first has not answered
// within 250 ms, the third as soon as the second has refused.
func ExampleStaggeredRace() {
	refused := func(context.Context) (string, error) { return "", errors.New("refused") }
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, winner, errs := asyncio.StaggeredRace(ctx, 250*time.Millisecond,
			fetch("[2001:db8::1]", time.Hour), refused, fetch("192.0.2.1", time.Second))
		fmt.Println(page, "by number", winner, "after", asyncio.RunningLoop(ctx).Time())
		fmt.Println(errs[1])
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// page 192.0.2.1 by number 2 after 1.25s
	// refused
}

func ExampleWaitFor() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, err := asyncio.WaitFor(ctx, time.Minute, fetch("/a", time.Second))
		fmt.Println(page, err)
		_, err = asyncio.WaitFor(ctx, time.Minute, fetch("/b", time.Hour))
		fmt.Println(err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// page /a <nil>
	// asyncio: timed out after 1m0s
}

// Who awaits a task leaves it alone when the time is up; WaitForTask ends it.
func ExampleWaitForTask() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, fetch("/a", time.Hour))
		_, err := asyncio.WaitFor(ctx, time.Second, task.Await)
		fmt.Println(err, "- cancelled:", task.Cancelled())
		_, err = asyncio.WaitForTask(ctx, time.Second, task)
		fmt.Println(err, "- cancelled:", task.Cancelled())
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// asyncio: timed out after 1s - cancelled: false
	// asyncio: timed out after 1s - cancelled: true
}

func ExampleGather2() {
	count := func(context.Context) (int, error) { return 42, nil }
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, n, err := asyncio.Gather2(ctx, fetch("/a", time.Second), count)
		fmt.Println(page, n)
		return err
	}, asyncio.WithVirtualClock())
	// Output: page /a 42
}

func ExampleGather3() {
	yes := func(context.Context) (bool, error) { return true, nil }
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, other, ok, err := asyncio.Gather3(ctx, fetch("/a", time.Second), fetch("/b", time.Second), yes)
		fmt.Println(page, other, ok)
		return err
	}, asyncio.WithVirtualClock())
	// Output: page /a page /b true
}

func ExampleGather4() {
	number := func(n int) asyncio.Coroutine[int] {
		return func(context.Context) (int, error) { return n, nil }
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, a, b, c, err := asyncio.Gather4(ctx, fetch("/a", time.Second), number(1), number(2), number(3))
		fmt.Println(page, a, b, c)
		return err
	}, asyncio.WithVirtualClock())
	// Output: page /a 1 2 3
}

// At most two of the tasks run at once; the others wait for their start.
func ExampleTaskGroup_SetLimit() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.SetLimit(2)
			for n := range 4 {
				g.Go(func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Second)
					fmt.Println(n, "is done after", asyncio.RunningLoop(ctx).Time())
					return err
				})
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
	fmt.Println(err)
	// Output:
	// 0 is done after 1s
	// 1 is done after 1s
	// 2 is done after 2s
	// 3 is done after 2s
	// <nil>
}

// Each page may have links to more; pages come as they are loaded, and one that
// fails does not stop the others.
func ExampleTaskSet() {
	links := map[string][]string{"/": {"/a", "/b"}, "/a": {"/c"}}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		load := func(path string, takes time.Duration) asyncio.Coroutine[string] {
			return func(ctx context.Context) (string, error) {
				if path == "/b" {
					return path, errors.New("404 Not Found")
				}
				return path, asyncio.Sleep(ctx, takes)
			}
		}
		var pages asyncio.TaskSet[string]
		pages.Go(load("/", time.Second))
		for path, err := range pages.All(ctx) {
			fmt.Println(path, err)
			for _, link := range links[path] {
				pages.Go(load(link, time.Second))
			}
		}
		return nil
	}, asyncio.WithVirtualClock())
	fmt.Println(err)
	// Output:
	// / <nil>
	// /b 404 Not Found
	// /a <nil>
	// /c <nil>
	// <nil>
}

// A pipeline of two stages: at most three pages are loaded at a time, and at most
// one is counted. Results come in order.
func ExampleMapSeq() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		paths := asyncio.StreamOf(slices.Values([]string{"/", "/about", "/broken"}))
		pages := asyncio.MapSeq(3, paths, func(ctx context.Context, path string) (string, error) {
			if path == "/broken" {
				return "", errors.New("500 Internal Server Error")
			}
			return "page " + path, asyncio.Sleep(ctx, time.Second)
		})
		sizes := asyncio.MapSeq(1, pages, func(ctx context.Context, page string) (int, error) { return len(page), nil })
		for size, err := range sizes(ctx) {
			fmt.Println(size, err)
		}
		return nil
	}, asyncio.WithVirtualClock())
	fmt.Println(err)
	// Output:
	// 6 <nil>
	// 11 <nil>
	// 0 500 Internal Server Error
	// <nil>
}

// One failure does not stop the others.
func ExampleMapResults() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		results, err := asyncio.MapResults(ctx, 2, slices.Values([]int{1, 0, 2}), func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				return 0, errors.New("division by zero")
			}
			return 12 / n, asyncio.Sleep(ctx, time.Second)
		})
		for _, r := range results {
			fmt.Println(r.Value, r.Err)
		}
		return err
	}, asyncio.WithVirtualClock())
	// Output:
	// 12 <nil>
	// 0 division by zero
	// 6 <nil>
}
