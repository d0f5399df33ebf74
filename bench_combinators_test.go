package asyncio_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// on runs fn on a loop of its own.
func on(b *testing.B, fn func(ctx context.Context) error) {
	b.ReportAllocs()
	if err := asyncio.Run(context.Background(), fn); err != nil {
		b.Fatal(err)
	}
}

// spawn creates n tasks, which yield once.
func spawn(ctx context.Context, tasks []*asyncio.Task[int]) {
	fn := func(ctx context.Context) (int, error) { return 1, asyncio.Yield(ctx) }
	for i := range tasks {
		tasks[i] = asyncio.CreateTask(ctx, fn)
	}
}

// BenchmarkTasks1000 is what the next ones include: the tasks themselves.
func BenchmarkTasks1000(b *testing.B) {
	on(b, func(ctx context.Context) error {
		tasks := make([]*asyncio.Task[int], 1000)
		for range b.N {
			spawn(ctx, tasks)
			for _, t := range tasks {
				t.Await(ctx)
			}
		}
		return nil
	})
}

func BenchmarkWait1000(b *testing.B) {
	on(b, func(ctx context.Context) error {
		tasks := make([]*asyncio.Task[int], 1000)
		for range b.N {
			spawn(ctx, tasks)
			if _, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, tasks...); err != nil {
				return err
			}
		}
		return nil
	})
}

func BenchmarkAsCompleted1000(b *testing.B) {
	on(b, func(ctx context.Context) error {
		tasks := make([]*asyncio.Task[int], 1000)
		for range b.N {
			spawn(ctx, tasks)
			for _, err := range asyncio.AsCompleted(ctx, tasks...) {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// BenchmarkWaitRegister1000 is the waiting alone: 1,000 futures are watched, and
// forgotten again.
func BenchmarkWaitRegister1000(b *testing.B) {
	on(b, func(ctx context.Context) error {
		futures := newFutures(ctx, 1000)
		below, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		for range b.N {
			asyncio.Wait(below, asyncio.AllCompleted, futures...)
		}
		return nil
	})
}

// BenchmarkWaitShared is the pattern of a connection that waits for its next
// message or for the end of the server, with 10,000 such connections.
func BenchmarkWaitShared(b *testing.B) {
	on(b, func(ctx context.Context) error {
		end := newFuture[int](ctx)
		for range 10000 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, asyncio.FirstCompleted, end, newFuture[int](ctx))
				return err
			})
		}
		asyncio.Yield(ctx)
		b.ResetTimer()
		for range b.N {
			message := newFuture[int](ctx)
			asyncio.RunningLoop(ctx).CallSoon(func() { message.SetResult(1) })
			if _, _, err := asyncio.Wait(ctx, asyncio.FirstCompleted, end, message); err != nil {
				return err
			}
		}
		b.StopTimer()
		end.SetResult(1)
		return nil
	})
}

func BenchmarkRace2(b *testing.B) {
	on(b, func(ctx context.Context) error {
		win := func(ctx context.Context) (int, error) { return 1, asyncio.Yield(ctx) }
		lose := func(ctx context.Context) (int, error) {
			asyncio.Yield(ctx)
			return 2, asyncio.Yield(ctx)
		}
		for range b.N {
			if _, err := asyncio.Race(ctx, lose, win); err != nil {
				return err
			}
		}
		return nil
	})
}

func BenchmarkGather2(b *testing.B) {
	on(b, func(ctx context.Context) error {
		fn := func(ctx context.Context) (int, error) { return 1, asyncio.Yield(ctx) }
		for range b.N {
			if _, _, err := asyncio.Gather2(ctx, fn, fn); err != nil {
				return err
			}
		}
		return nil
	})
}
