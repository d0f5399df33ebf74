package asyncio_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

func BenchmarkSemaphoreUncontended(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		for range b.N {
			s.Acquire(ctx)
			s.Release()
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkSemaphoreDoUncontended(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		fn := func() error { return nil }
		for range b.N {
			s.Do(ctx, fn)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

// BenchmarkLockHandoverFromGather is a lock whose holder waits for tasks: each
// of those who wait for the lock has to look whether these lead back to it.
func BenchmarkLockHandoverFromGather(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		yield := func(ctx context.Context) (int, error) { return 0, asyncio.Yield(ctx) }
		fn := func(ctx context.Context) error {
			for range b.N / 4 {
				lock.Acquire(ctx)
				asyncio.Gather(ctx, yield, yield)
				lock.Release()
			}
			return nil
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 4 {
				g.Go(fn)
			}
			return nil
		})
	})
}

// BenchmarkAwaitParked awaits a task that waits itself.
func BenchmarkAwaitParked(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var event asyncio.Event
		for range b.N {
			event.Clear()
			task := asyncio.Go(ctx, func(ctx context.Context) error { return event.Wait(ctx) })
			asyncio.Go(ctx, func(ctx context.Context) error { event.Set(); return nil })
			asyncio.Yield(ctx)
			task.Await(ctx)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}
