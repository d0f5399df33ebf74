package asyncio_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// BenchmarkCondHandover in bench_test.go is the same with sync.Cond.
func BenchmarkConditionHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var c asyncio.Condition
		turn := 0
		side := func(mine int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for range b.N {
					c.Acquire(ctx)
					for turn != mine {
						if err := c.Wait(ctx); err != nil {
							return err
						}
					}
					turn = 1 - mine
					c.Notify(1)
					c.Release()
				}
				return nil
			}
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(side(0))
			g.Go(side(1))
			return nil
		})
	})
}

func benchBarrier(b *testing.B, parties int) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		barrier := asyncio.NewBarrier(parties)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range parties {
				g.Go(func(ctx context.Context) error {
					for range b.N / parties {
						if _, err := barrier.Wait(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
}

// One operation is one party's passage.
func BenchmarkBarrier2(b *testing.B)     { benchBarrier(b, 2) }
func BenchmarkBarrier100(b *testing.B)   { benchBarrier(b, 100) }
func BenchmarkBarrier10000(b *testing.B) { benchBarrier(b, 10000) }

// goBarrier is a barrier for goroutines, as it is usually written.
type goBarrier struct {
	sync.Mutex
	cond             sync.Cond
	parties, waiting int
	round            int
}

func (g *goBarrier) wait() {
	g.Lock()
	defer g.Unlock()
	if g.waiting++; g.waiting == g.parties {
		g.waiting = 0
		g.round++
		g.cond.Broadcast()
		return
	}
	for round := g.round; round == g.round; {
		g.cond.Wait()
	}
}

func benchGoBarrier(b *testing.B, parties int) {
	g := &goBarrier{parties: parties}
	g.cond.L = &g.Mutex
	var all sync.WaitGroup
	for range parties {
		all.Go(func() {
			for range b.N / parties {
				g.wait()
			}
		})
	}
	all.Wait()
}

func BenchmarkGoBarrier2(b *testing.B)     { benchGoBarrier(b, 2) }
func BenchmarkGoBarrier100(b *testing.B)   { benchGoBarrier(b, 100) }
func BenchmarkGoBarrier10000(b *testing.B) { benchGoBarrier(b, 10000) }

func BenchmarkLimiterUncontended(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		m := asyncio.NewLimiter(math.MaxInt, time.Second)
		for range b.N {
			m.Acquire(ctx)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

// On the virtual clock no time passes in waiting: what is left is the hand-over.
func BenchmarkLimiterHandover(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		m := asyncio.NewLimiter(1, time.Microsecond)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 4 {
				g.Go(func(ctx context.Context) error {
					for range b.N / 4 {
						if err := m.Acquire(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
}
