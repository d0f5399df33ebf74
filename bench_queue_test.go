package asyncio_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// benchQueue hands items through q, from one task to another, and as many
// through a channel from one goroutine to another.
func benchQueue(b *testing.B, q anyQueue) {
	b.Run("handover", func(b *testing.B) {
		b.ReportAllocs()
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			t := asyncio.Go(ctx, func(ctx context.Context) error {
				for i := range b.N {
					if err := q.Put(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
			for range b.N {
				q.Get(ctx)
			}
			_, err := t.Await(ctx)
			return err
		})
	})
	b.Run("uncontended", func(b *testing.B) {
		b.ReportAllocs()
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			for i := range b.N {
				q.Put(ctx, i)
				q.Get(ctx)
			}
			return nil
		}, asyncio.WithWatchdog(0))
	})
}

func BenchmarkQueue(b *testing.B)         { benchQueue(b, asyncio.NewQueue[int](1)) }
func BenchmarkLifoQueue(b *testing.B)     { benchQueue(b, asyncio.NewLifoQueue[int](1)) }
func BenchmarkPriorityQueue(b *testing.B) { benchQueue(b, asyncio.NewPriorityQueue[int](1)) }

// BenchmarkQueueChannel is what a channel of one does with the same.
func BenchmarkQueueChannel(b *testing.B) {
	c := make(chan int, 1)
	b.Run("handover", func(b *testing.B) {
		go func() {
			for i := range b.N {
				c <- i
			}
		}()
		for range b.N {
			<-c
		}
	})
	b.Run("uncontended", func(b *testing.B) {
		for i := range b.N {
			c <- i
			<-c
		}
	})
}

// BenchmarkPriorityQueue1000 puts and gets beside a thousand items.
func BenchmarkPriorityQueue1000(b *testing.B) {
	q := asyncio.NewPriorityQueue[uint32](0)
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		random := uint32(1)
		next := func() uint32 { random = random*1664525 + 1013904223; return random >> 8 }
		for range 1000 {
			q.Put(ctx, next())
		}
		b.ReportAllocs()
		for range b.N {
			q.Put(ctx, next())
			q.Get(ctx)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}
