package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestQueueSender_theLastToCloseShutsTheQueueDown_gettersDrain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](2)
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for i := range 3 {
				s := q.Sender()
				g.Go(func(ctx context.Context) error {
					defer s.Close()
					for n := range i + 1 {
						if err := s.Put(ctx, 10*i+n); err != nil {
							return err
						}
						asyncio.Sleep(ctx, time.Second)
					}
					return nil
				})
			}
			sum := 0
			for n, err := range q.All(ctx) {
				if err != nil {
					return err
				}
				sum += n
			}
			if sum != 0+10+11+20+21+22 {
				t.Errorf("the sum is %d", sum)
			}
			return nil
		})
		refusesAll(t, ctx, q)
		return err
	})
}

func TestQueueSender_closed_putsNothingMore_andCountsOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		a, b := q.Sender(), q.Sender()
		if text := fmt.Sprint(q); text != "a Queue (0 of 1 items, 2 senders)" {
			t.Error(text)
		}
		a.Close()
		a.Close()
		for what, err := range map[string]error{"Put": a.Put(ctx, 1), "TryPut": a.TryPut(1)} {
			if !errors.Is(err, asyncio.ErrQueueShutDown) || !strings.Contains(err.Error(), "QueueSender: it is closed") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if chosen, err := asyncio.TrySelect(ctx, a.Putting(1)); chosen != nil || err != nil {
			t.Errorf("Putting of a closed one: %v, %v", chosen, err)
		}
		if err := b.TryPut(1); err != nil {
			t.Errorf("the other one: %v", err)
		}
		full := putTask(ctx, q, 2)
		letWait(t, ctx)
		b.Close()
		if _, err := full.Await(ctx); err != asyncio.ErrQueueShutDown {
			t.Errorf("a Put that waits for room: %v", err)
		}
		if v, err := q.Get(ctx); v != 1 || err != nil {
			t.Errorf("what is there: %d, %v", v, err)
		}
		refusesAll(t, ctx, q)
		return nil
	})
}

func TestQueueSender_Putting_isACase(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		s := q.Sender()
		get := getTask(ctx, q)
		put := s.Putting(5)
		if chosen, err := asyncio.Select(ctx, put); chosen != put || err != nil {
			t.Errorf("got %v, %v", chosen, err)
		}
		v, err := get.Await(ctx)
		if v != 5 {
			t.Errorf("got %d", v)
		}
		return err
	})
}

func TestQueueSender_forgotten_isInTheDeadlockReport(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		q.Sender()
		_, err := q.Get(ctx)
		return err
	}, asyncio.WithVirtualClock())
	if err == nil || !strings.Contains(err.Error(), "an item of a Queue (1 of its senders are open)") {
		t.Errorf("got %v", err)
	}
}
