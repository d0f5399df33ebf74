package asyncio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// In random programs senders put items into a queue, and consumers get them in each
// of the ways that there are; both are cancelled now and then. Each item that was put
// comes out once, in each consumer in the order of its sender, and when the last
// sender has closed, all consumers come to the end.
func TestRandomPrograms_sendersAndBatches_everyItemComesOutOnce(t *testing.T) {
	for seed := range uint64(300) {
		b := &batches{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 2))}
		b.q = []func() *asyncio.Queue[int]{
			asyncio.NewRendezvous[int],
			func() *asyncio.Queue[int] { return asyncio.NewQueue[int](1 + b.rnd.IntN(3)) },
			func() *asyncio.Queue[int] { return asyncio.NewQueue[int](0) },
		}[seed%3]()
		if err := asyncio.Run(context.Background(), b.main, asyncio.WithVirtualClock(), asyncio.WithWatchdog(0)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		slices.Sort(b.put)
		slices.Sort(b.got)
		if !slices.Equal(b.put, b.got) {
			t.Errorf("seed %d: put %v, got %v", seed, b.put, b.got)
		}
		if t.Failed() {
			return
		}
	}
}

// batches is one such program.
type batches struct {
	t        *testing.T
	seed     uint64
	rnd      *rand.Rand
	q        *asyncio.Queue[int]
	put, got []int
}

func (b *batches) main(ctx context.Context) error {
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for i := range 1 + b.rnd.IntN(4) {
			s := b.q.Sender()
			g.Go(func(ctx context.Context) error { return b.send(ctx, s, 1000*i) })
		}
		for range 1 + b.rnd.IntN(3) {
			g.Go(b.consume)
		}
		return nil
	})
}

// pause returns up to 5 microseconds, mostly few.
func (b *batches) pause() time.Duration {
	return time.Duration(b.rnd.IntN(1+b.rnd.IntN(6))) * time.Microsecond
}

// limited runs fn, for a short time in one of three cases.
func (b *batches) limited(ctx context.Context, fn func(ctx context.Context) error) error {
	if b.rnd.IntN(3) > 0 {
		return fn(ctx)
	}
	err := asyncio.Timeout(ctx, b.pause(), fn)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (b *batches) send(ctx context.Context, s *asyncio.QueueSender[int], serial int) error {
	defer s.Close()
	for range b.rnd.IntN(20) {
		serial++
		err := b.limited(ctx, func(ctx context.Context) (err error) {
			switch b.rnd.IntN(3) {
			case 0:
				err = s.TryPut(serial)
			case 1:
				err = s.Put(ctx, serial)
			default:
				_, err = asyncio.Select(ctx, s.Putting(serial))
			}
			if err == nil {
				b.put = append(b.put, serial)
			}
			return err
		})
		if err != nil && err != asyncio.ErrQueueFull {
			return err
		}
		if err := asyncio.Sleep(ctx, b.pause()); err != nil {
			return err
		}
	}
	return nil
}

func (b *batches) consume(ctx context.Context) error {
	last := map[int]int{} // of each sender
	for {
		err := b.limited(ctx, func(ctx context.Context) error {
			items, err := b.get(ctx)
			for _, item := range items {
				if item <= last[item/1000] {
					b.t.Errorf("seed %d: %d came after %d", b.seed, item, last[item/1000])
				}
				last[item/1000] = item
			}
			b.got = append(b.got, items...)
			return err
		})
		switch {
		case err == asyncio.ErrQueueShutDown:
			return nil
		case err != nil && err != asyncio.ErrQueueEmpty:
			return err
		}
		if err := asyncio.Sleep(ctx, b.pause()); err != nil {
			return err
		}
	}
}

// get gets some items in some way.
func (b *batches) get(ctx context.Context) ([]int, error) {
	var item int
	var err error
	switch b.rnd.IntN(6) {
	case 0:
		item, err = b.q.TryGet()
	case 1:
		item, err = b.q.Get(ctx)
	case 2:
		get := b.q.Getting()
		_, err = asyncio.Select(ctx, get)
		item = get.Value
	default:
		n := 1 + b.rnd.IntN(4)
		items, err := b.q.GetBatch(ctx, n, b.pause())
		if err == nil && (len(items) == 0 || len(items) > n) {
			b.t.Errorf("seed %d: %d items in a batch of %d", b.seed, len(items), n)
		}
		return items, err
	}
	if err != nil {
		return nil, err
	}
	return []int{item}, nil
}
