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

func TestRendezvous_aPutReturnsWhenAGetHasTaken_andTheOtherWayRound(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		put := asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, 1) })
		asyncio.Sleep(ctx, time.Hour)
		if put.Done() || q.Len() != 0 || !q.Full() || !q.Empty() || q.Limit() != -1 {
			t.Errorf("a Put did not wait: %v", q)
		}
		if v, err := q.Get(ctx); v != 1 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		letWait(t, ctx)
		if !put.Done() || put.Err() != nil {
			t.Errorf("the Put goes on: %v", put)
		}
		get := asyncio.CreateTask(ctx, q.Get)
		letWait(t, ctx)
		if err := q.Put(ctx, 2); err != nil {
			t.Error(err)
		}
		v, err := get.Await(ctx)
		if v != 2 {
			t.Errorf("got %d", v)
		}
		return err
	})
}

func TestRendezvous_bothSidesAreServedInOrder_andTryMeetsWhoWaits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		if err := q.TryPut(0); err != asyncio.ErrQueueFull {
			t.Errorf("TryPut: %v", err)
		}
		if _, err := q.TryGet(); err != asyncio.ErrQueueEmpty {
			t.Errorf("TryGet: %v", err)
		}
		for n := range 3 {
			asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, n) })
		}
		letWait(t, ctx)
		for n := range 3 {
			if v, err := q.TryGet(); v != n || err != nil {
				t.Errorf("TryGet: %d, %v, want %d", v, err, n)
			}
		}
		var got []int
		for range 3 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				v, err := q.Get(ctx)
				got = append(got, v)
				return err
			})
		}
		letWait(t, ctx)
		for n := range 3 {
			if err := q.TryPut(n); err != nil {
				t.Errorf("TryPut: %v", err)
			}
		}
		if err := q.TryPut(3); err != asyncio.ErrQueueFull {
			t.Errorf("a fourth: %v", err)
		}
		letWait(t, ctx)
		if fmt.Sprint(got) != "[0 1 2]" {
			t.Errorf("got %v", got)
		}
		return nil
	}, fifo)
}

func TestRendezvous_aCancelledPut_hasNotHandedItsItemOver_unlessAGetHasTakenIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		first := asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, 1) })
		second := asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) })
		letWait(t, ctx)
		first.Cancel()
		if v, err := q.Get(ctx); v != 2 || err != nil {
			t.Errorf("got %d, %v; the first is cancelled", v, err)
		}
		second.Cancel() // in the turn in which it was served
		letWait(t, ctx)
		if !first.Cancelled() || second.Err() != nil {
			t.Errorf("%v, %v", first, second)
		}
		get := asyncio.CreateTask(ctx, q.Get)
		letWait(t, ctx)
		if err := q.Put(ctx, 3); err != nil {
			t.Error(err)
		}
		get.Cancel() // it has the item all the same
		if v, err := get.Await(ctx); v != 3 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		asyncio.CreateTask(ctx, q.Get, asyncio.Name("waits"))
		letWait(t, ctx)
		if err := q.Put(done, 4); !errors.Is(err, context.Canceled) {
			t.Errorf("a Put under a done context: %v", err)
		}
		return q.Put(ctx, 5)
	})
}

func TestRendezvous_Select_onBothSides(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[string]()
		other := new(asyncio.Event)
		trade := func(name string) *asyncio.Task[string] {
			return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
				give, take := q.Putting(name), q.Getting()
				chosen, err := asyncio.Select(ctx, other, give, take)
				switch {
				case chosen == give:
					return name + " gave", err
				case chosen == take:
					return name + " took from " + take.Value, err
				default:
					return name + " was told", err
				}
			})
		}
		a := trade("a")
		letWait(t, ctx)
		if a.Done() {
			t.Fatal("a Select has met itself")
		}
		b := trade("b")
		va, _ := a.Await(ctx)
		vb, _ := b.Await(ctx)
		if va != "a took from b" || vb != "b gave" {
			t.Errorf("%q, %q", va, vb)
		}
		c := trade("c")
		letWait(t, ctx)
		other.Set()
		letWait(t, ctx)
		if vc, _ := c.Result(); vc != "c was told" || q.TryPut("nobody") != asyncio.ErrQueueFull {
			t.Errorf("%q, and then %v", vc, q)
		}
		if _, err := q.TryGet(); err != asyncio.ErrQueueEmpty {
			t.Errorf("the item of a Select that has chosen something else: %v", err)
		}
		return nil
	})
}

func TestRendezvous_shutDown_bothSidesAreTold_andJoinCountsWhatWasTaken(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		put := putTask(ctx, q, 1)
		letWait(t, ctx)
		if err := q.Join(ctx); err != nil {
			t.Error(err) // nothing was taken
		}
		q.TryGet()
		if err := asyncio.Timeout(ctx, time.Second, q.Join); err == nil {
			t.Error("Join did not wait for the item that was taken")
		}
		q.TaskDone()
		if err := q.Join(ctx); err != nil || put.Err() != nil {
			t.Error(err, put.Err())
		}
		put = putTask(ctx, q, 2)
		letWait(t, ctx)
		q.Shutdown(false)
		if _, err := put.Await(ctx); err != asyncio.ErrQueueShutDown {
			t.Errorf("a Put that waited: %v", err)
		}
		refusesAll(t, ctx, q)
		return nil
	})
}

func TestRendezvous_aMeetingAllocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		asyncio.Go(ctx, func(ctx context.Context) error {
			for n := range q.All(ctx) {
				_ = n
			}
			return nil
		})
		producer := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				if err := q.Put(ctx, 1); err != nil {
					return err
				}
			}
		})
		defer producer.Cancel()
		allocates(t, "a Get of a rendezvous", 0, func() { q.Get(ctx) })
		return nil
	}, asyncio.WithWatchdog(0))
}

func TestRendezvous_aDeadlock_saysWhatIsWaitedFor(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.NewRendezvous[int]().Put(ctx, 1)
	}, asyncio.WithVirtualClock())
	if err == nil || !strings.Contains(err.Error(), "waits for a Get of a rendezvous Queue") {
		t.Errorf("got %v", err)
	}
}
