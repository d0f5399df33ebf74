package asyncio_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

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

func BenchmarkMutexHandover(b *testing.B) {
	var lock sync.Mutex
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range b.N / 2 {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
			}
		})
	}
	all.Wait()
}

func BenchmarkLockUncontended(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		for range b.N {
			lock.Acquire(ctx)
			lock.Release()
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkMutexUncontended(b *testing.B) {
	var lock sync.Mutex
	for range b.N {
		lock.Lock()
		lock.Unlock() //lint:ignore SA2001 the pair is what is measured
	}
}

func BenchmarkSemaphoreHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(2)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 4 {
				g.Go(func(ctx context.Context) error {
					for range b.N / 4 {
						s.Acquire(ctx)
						asyncio.Yield(ctx)
						s.Release()
					}
					return nil
				})
			}
			return nil
		})
	})
}

func BenchmarkChannelSemaphoreHandover(b *testing.B) {
	s := make(chan struct{}, 2)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range b.N / 4 {
				s <- struct{}{}
				runtime.Gosched()
				<-s
			}
		})
	}
	all.Wait()
}

func BenchmarkEventHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var ping, pong asyncio.Event
		t := asyncio.Go(ctx, func(ctx context.Context) error {
			for range b.N {
				ping.Wait(ctx)
				ping.Clear()
				pong.Set()
			}
			return nil
		})
		for range b.N {
			ping.Set()
			pong.Wait(ctx)
			pong.Clear()
		}
		_, err := t.Await(ctx)
		return err
	})
}

func BenchmarkCondHandover(b *testing.B) {
	var mu sync.Mutex
	cond, turn := sync.NewCond(&mu), 0
	side := func(mine int) {
		for range b.N {
			mu.Lock()
			for turn != mine {
				cond.Wait()
			}
			turn = 1 - mine
			mu.Unlock()
			cond.Signal()
		}
	}
	var all sync.WaitGroup
	all.Go(func() { side(0) })
	all.Go(func() { side(1) })
	all.Wait()
}

func BenchmarkCallSoon(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		fn := func() {}
		for i := range b.N {
			loop.CallSoon(fn)
			if i%100 == 99 {
				asyncio.Yield(ctx)
			}
		}
		return nil
	})
}

func BenchmarkTimerRearm(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		timers := make([]asyncio.Timer, 10_000)
		for i := range timers {
			timers[i].Init(asyncio.RunningLoop(ctx), func() {})
		}
		b.ResetTimer()
		for i := range b.N {
			timers[i%len(timers)].Reset(time.Hour)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkGoTimerRearm(b *testing.B) {
	timers := make([]*time.Timer, 10_000)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour, func() {})
	}
	for i := range b.N {
		timers[i%len(timers)].Reset(time.Hour)
	}
	for _, t := range timers {
		t.Stop()
	}
}

func BenchmarkThreadAndBack(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range b.N {
			asyncio.ToThread(ctx, func() (int, error) { return 0, nil })
		}
		return nil
	})
}

func BenchmarkRunThreadsafe(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			for range b.N {
				asyncio.RunThreadsafe(l, func(context.Context) (int, error) { return 0, nil }).Wait(context.Background())
			}
			return 0, nil
		})
		return err
	})
}

func BenchmarkSendAndRecv(b *testing.B) {
	b.ReportAllocs()
	ask, answer := make(chan int), make(chan int)
	go func() {
		for v := range ask {
			answer <- v
		}
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for i := range b.N {
			_ = asyncio.Send(ctx, ask, i)
			_, _, _ = asyncio.Recv(ctx, answer)
		}
		return nil
	})
	close(ask)
}
