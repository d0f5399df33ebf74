package asyncio_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/go-asyncio/asyncio"
)

func BenchmarkSpawn(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		fn := func(ctx context.Context) (int, error) { return 1, nil }
		var last *asyncio.Task[int]
		for i := range b.N {
			last = asyncio.CreateTask(ctx, fn)
			if i%1000 == 999 {
				last.Await(ctx)
			}
		}
		if last != nil {
			last.Await(ctx)
		}
		return nil
	})
}

func BenchmarkSpawnGoroutine(b *testing.B) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	for i := range b.N {
		wg.Add(1)
		go func() { wg.Done() }()
		if i%1000 == 999 {
			wg.Wait()
		}
	}
	wg.Wait()
}

func BenchmarkSpawnAwait(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		fn := func(ctx context.Context) (int, error) { return 1, nil }
		for range b.N {
			asyncio.CreateTask(ctx, fn).Await(ctx)
		}
		return nil
	})
}

func benchYield(b *testing.B, tasks int) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		fn := func(ctx context.Context) error {
			for range b.N / tasks {
				asyncio.Yield(ctx)
			}
			return nil
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range tasks {
				g.Go(fn)
			}
			return nil
		})
	})
}

func BenchmarkYield2(b *testing.B)     { benchYield(b, 2) }
func BenchmarkYield100(b *testing.B)   { benchYield(b, 100) }
func BenchmarkYield10000(b *testing.B) { benchYield(b, 10000) }

func benchGosched(b *testing.B, tasks int) {
	var wg sync.WaitGroup
	for range tasks {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range b.N / tasks {
				runtime.Gosched()
			}
		}()
	}
	wg.Wait()
}

func BenchmarkGosched2(b *testing.B)     { benchGosched(b, 2) }
func BenchmarkGosched100(b *testing.B)   { benchGosched(b, 100) }
func BenchmarkGosched10000(b *testing.B) { benchGosched(b, 10000) }

func BenchmarkQueueHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		ping, pong := asyncio.NewQueue[int](1), asyncio.NewQueue[int](1)
		t := asyncio.Go(ctx, func(ctx context.Context) error {
			for range b.N {
				v, _ := ping.Get(ctx)
				pong.Put(ctx, v)
			}
			return nil
		})
		for i := range b.N {
			ping.Put(ctx, i)
			pong.Get(ctx)
		}
		_, err := t.Await(ctx)
		return err
	})
}

func BenchmarkChannelHandover(b *testing.B) {
	ping, pong := make(chan int, 1), make(chan int, 1)
	go func() {
		for v := range ping {
			pong <- v
		}
	}()
	for i := range b.N {
		ping <- i
		<-pong
	}
	close(ping)
}

func BenchmarkLockHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		fn := func(ctx context.Context) error {
			for range b.N / 2 {
				lock.Acquire(ctx)
				asyncio.Yield(ctx)
				lock.Release()
			}
			return nil
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(fn)
			g.Go(fn)
			return nil
		})
	})
}
