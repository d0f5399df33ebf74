package asyncio_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// BenchmarkSelectReady takes what is there, as BenchmarkGoSelectReady does from channels.
func BenchmarkSelectReady(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var stop asyncio.Event
		q := asyncio.NewQueue[int](0)
		get := q.Getting()
		for i := range b.N {
			q.TryPut(i)
			asyncio.Select(ctx, &stop, get)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkGoSelectReady(b *testing.B) {
	stop, q := make(chan struct{}), make(chan int, 1)
	for i := range b.N {
		q <- i
		select {
		case <-stop:
		case <-q:
		}
	}
}

// BenchmarkTryPut is what of BenchmarkSelectReady is not Select.
func BenchmarkTryPut(b *testing.B) {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		for i := range b.N {
			q.TryPut(i)
			q.TryGet()
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkTrySelectNothing(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var stop asyncio.Event
		get := asyncio.NewQueue[int](0).Getting()
		for range b.N {
			asyncio.TrySelect(ctx, &stop, get)
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

// benchSelectWaits hands items from one task to another, which waits for them in a
// Select of so many cases. BenchmarkQueue/handover is the same with Get.
func benchSelectWaits(b *testing.B, cases int) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		t := asyncio.Go(ctx, func(ctx context.Context) error {
			for i := range b.N {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
		choice := make([]asyncio.Case, cases)
		for i := range choice {
			choice[i] = &asyncio.Event{}
		}
		choice[cases-1] = q.Getting()
		for range b.N {
			asyncio.Select(ctx, choice...)
		}
		_, err := t.Await(ctx)
		return err
	})
}

func BenchmarkSelectWaits1(b *testing.B) { benchSelectWaits(b, 1) }
func BenchmarkSelectWaits2(b *testing.B) { benchSelectWaits(b, 2) }
func BenchmarkSelectWaits4(b *testing.B) { benchSelectWaits(b, 4) }

// BenchmarkGoSelectWaits2 is BenchmarkSelectWaits2 with goroutines and channels.
func BenchmarkGoSelectWaits2(b *testing.B) {
	stop, q := make(chan struct{}), make(chan int, 1)
	go func() {
		for i := range b.N {
			q <- i
		}
	}()
	for range b.N {
		select {
		case <-stop:
		case <-q:
		}
	}
}

// benchSelectChannel receives from Go channels, on which a goroutine sends once the
// task waits.
func benchSelectChannel(b *testing.B, cases ...asyncio.Case) {
	b.ReportAllocs()
	ch, next := make(chan int), make(chan struct{}, 1)
	go func() {
		for range b.N {
			<-next
			ch <- 1
		}
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		cases := append(cases, asyncio.Receiving(ch))
		for range b.N {
			next <- struct{}{}
			asyncio.Select(ctx, cases...)
		}
		return nil
	})
}

func BenchmarkSelectChannel(b *testing.B) { benchSelectChannel(b, &asyncio.Event{}) }
func BenchmarkSelectChannels2(b *testing.B) {
	benchSelectChannel(b, &asyncio.Event{}, asyncio.Receiving(make(chan int)))
}
