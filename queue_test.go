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

// getter starts a task that gets one item and appends it to got.
func getter(ctx context.Context, q *asyncio.Queue[int], got *[]int) *asyncio.Task[asyncio.None] {
	return asyncio.Go(ctx, func(ctx context.Context) error {
		v, err := q.Get(ctx)
		if err == nil {
			*got = append(*got, v)
		}
		return err
	})
}

// conformance: queue-03 queue-04 queue-10 queue-11 queue-18 queue-22
func TestQueue_tryPutAndTryGet_doWhatIsPossibleNow(t *testing.T) {
	limited, unlimited := asyncio.NewQueue[int](2), asyncio.NewQueue[int](0)
	for i := range 100 {
		if err := unlimited.TryPut(i); err != nil || unlimited.Full() || unlimited.Empty() {
			t.Fatalf("unlimited: item %d: %v, full %v, empty %v", i, err, unlimited.Full(), unlimited.Empty())
		}
	}
	if _, err := limited.TryGet(); err != asyncio.ErrQueueEmpty || !limited.Empty() {
		t.Errorf("TryGet on an empty queue: %v, empty %v", err, limited.Empty())
	}
	limited.TryPut(1)
	if limited.Full() || limited.Empty() || limited.Len() != 1 {
		t.Errorf("with one of two: full %v, empty %v, Len %d", limited.Full(), limited.Empty(), limited.Len())
	}
	limited.TryPut(2)
	if err := limited.TryPut(3); err != asyncio.ErrQueueFull || !limited.Full() || limited.Len() != 2 {
		t.Errorf("TryPut on a full queue: %v, full %v, Len %d", err, limited.Full(), limited.Len())
	}
	if v, err := limited.TryGet(); v != 1 || err != nil || limited.Full() {
		t.Errorf("TryGet: %d, %v, full %v", v, err, limited.Full())
	}
}

// conformance: queue-05
func TestQueue_firstInFirstOut(t *testing.T) {
	q := asyncio.NewQueue[int](0)
	next := 0
	for i := range 1000 {
		q.TryPut(i)
		if i%3 == 0 { // so that the ring turns while it grows
			if v, _ := q.TryGet(); v != next {
				t.Fatalf("got %d, want %d", v, next)
			}
			next++
		}
	}
	for _, v := range takeAll(q) {
		if v != next {
			t.Fatalf("got %d, want %d", v, next)
		}
		next++
	}
	if next != 1000 {
		t.Errorf("%d items came out, want 1000", next)
	}
}

func TestQueue_limitIsNotNegative(t *testing.T) {
	mustPanic(t, "asyncio: NewQueue: the limit is -1", func() { asyncio.NewQueue[int](-1) })
}

// conformance: queue-06 queue-07 queue-08 queue-16 queue-17
func TestQueue_putWaitsForRoom(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](2)
		if q.Limit() != 2 {
			t.Errorf("Limit %d", q.Limit())
		}
		q.Put(ctx, 1)
		q.Put(ctx, 2)
		third := putTask(ctx, q, 3)
		letWait(t, ctx)
		if third.Done() || q.Len() != 2 {
			t.Errorf("put into a full queue: %v, Len %d", third, q.Len())
		}
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		if v, err := q.Get(ctx); v != 1 || err != nil || others != 0 {
			t.Errorf("Get: %d, %v; %d others ran meanwhile", v, err, others)
		}
		if err := q.TryPut(9); err != asyncio.ErrQueueFull || !q.Full() {
			t.Errorf("a newcomer took the room of the putter that was woken: %v", err)
		}
		letWait(t, ctx)
		if !third.Done() || fmt.Sprint(takeAll(q)) != "[2 3]" {
			t.Errorf("after the Get: %v", third)
		}
		unlimited := asyncio.NewQueue[int](0)
		for i := range 100 {
			if err := unlimited.Put(ctx, i); err != nil || others != 1 {
				t.Errorf("put into an unlimited queue: %v", err)
			}
		}
		return nil
	}, fifo)
}

// conformance: queue-09 queue-26
func TestQueue_getWaitsForAnItem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		var got []int
		a, b := getter(ctx, q, &got), getter(ctx, q, &got)
		letWait(t, ctx)
		if a.Done() || b.Done() {
			t.Errorf("got an item from an empty queue: %v", got)
		}
		q.Put(ctx, 1)
		if _, err := q.TryGet(); err != asyncio.ErrQueueEmpty || !q.Empty() {
			t.Errorf("a newcomer took the item of the getter that was woken: %v", err)
		}
		letWait(t, ctx)
		if !a.Done() || b.Done() {
			t.Errorf("after one Put: %v, %v", a, b)
		}
		q.Put(ctx, 2)
		letWait(t, ctx)
		if fmt.Sprint(got) != "[1 2]" {
			t.Errorf("got %v", got)
		}
		return nil
	}, fifo)
}

// conformance: queue-12 queue-19
func TestQueue_firstGetterCancelled_theItemGoesToTheSecond(t *testing.T) {
	for _, putFirst := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			q := asyncio.NewQueue[int](0)
			var got []int
			a, b := getter(ctx, q, &got), getter(ctx, q, &got)
			letWait(t, ctx)
			if putFirst {
				q.TryPut(1)
				a.Cancel() // it has been promised the item, and gets it
			} else {
				a.Cancel()
				q.TryPut(1)
			}
			letWait(t, ctx)
			if fmt.Sprint(got) != "[1]" || a.Cancelled() == putFirst || b.Done() == putFirst {
				t.Errorf("putFirst %v: got %v; a %v, b %v", putFirst, got, a, b)
			}
			return nil
		}, fifo)
	}
}

// conformance: queue-20
func TestQueue_oneOfSeveralGettersCancelledAfterThePuts_noItemIsLost(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		var got []int
		tasks := []*asyncio.Task[asyncio.None]{getter(ctx, q, &got), getter(ctx, q, &got), getter(ctx, q, &got)}
		letWait(t, ctx)
		q.TryPut(1)
		q.TryPut(2)
		tasks[2].Cancel()
		tasks[0].Cancel()
		q.TryPut(3)
		letWait(t, ctx)
		if fmt.Sprint(append(got, takeAll(q)...)) != "[1 2 3]" {
			t.Errorf("got %v, left %v", got, takeAll(q))
		}
		return nil
	})
}

// conformance: queue-13 queue-27
func TestQueue_waitingPutters_comeInOrder_asManyAsThereIsRoom(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](2)
		var tasks []*asyncio.Task[asyncio.None]
		for i := range 6 {
			tasks = append(tasks, putTask(ctx, q, i))
		}
		letWait(t, ctx)
		first := takeAll(q) // two in one step
		letWait(t, ctx)
		for i, task := range tasks {
			if task.Done() != (i < 4) {
				t.Errorf("putter %d: %v", i, task)
			}
		}
		second := takeAll(q)
		letWait(t, ctx)
		if got := fmt.Sprint(first, second, takeAll(q)); got != "[0 1] [2 3] [4 5]" {
			t.Errorf("got %s", got)
		}
		return nil
	}, fifo)
}

// conformance: queue-14
func TestQueue_ofOne_carriesEverythingFromProducerToConsumer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(ctx context.Context) error {
				for i := range 100 {
					if err := q.Put(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
			for i := range 100 {
				if v, err := q.Get(ctx); v != i || err != nil {
					return fmt.Errorf("got %d, %v, want %d", v, err, i)
				}
			}
			return nil
		})
	})
}

// conformance: queue-01 queue-15 queue-28
func TestQueue_cancelledGettersAndPutters_leaveNobodyBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		empty, full := asyncio.NewQueue[int](0), asyncio.NewQueue[int](1)
		full.Put(ctx, 1)
		for range 3 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
					_, err := empty.Get(ctx)
					return err
				})
			})
			asyncio.Go(ctx, func(ctx context.Context) error {
				return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return full.Put(ctx, 2) })
			})
		}
		letWait(t, ctx)
		if got := empty.String() + "; " + full.String(); got != "a Queue (0 items, 3 get); a Queue (1 of 1 items, 3 put)" {
			t.Error(got)
		}
		asyncio.Sleep(ctx, time.Minute)
		if got := empty.String() + "; " + full.String(); got != "a Queue (0 items); a Queue (1 of 1 items)" {
			t.Errorf("after the timeouts: %s", got)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {}))
}

// conformance: queue-21 queue-25
func TestQueue_cancelledPutter_insertsNothing_andTheOthersComeInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		q.Put(ctx, 0)
		a, b, c := putTask(ctx, q, 1), putTask(ctx, q, 2), putTask(ctx, q, 3)
		letWait(t, ctx)
		b.Cancel()
		var got []int
		for range 3 {
			got = append(got, takeAll(q)...)
			letWait(t, ctx)
		}
		if fmt.Sprint(got) != "[0 1 3]" || a.Err() != nil || !b.Cancelled() || c.Err() != nil {
			t.Errorf("got %v", got)
		}
		if q.TryPut(4) != nil || q.TryPut(5) == nil {
			t.Error("room was lost or won")
		}
		return nil
	}, fifo)
}

// conformance: queue-24 queue-29
func TestQueue_putterWokenAndThenCancelled_hasPutOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		q.Put(ctx, 0)
		var put, next error
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			put = q.Put(ctx, 1)
			next = q.Put(ctx, 2)
			return next
		})
		letWait(t, ctx)
		q.TryGet()
		task.Cancel()
		task.Await(ctx)
		if put != nil || next != context.Canceled || !task.Cancelled() || fmt.Sprint(takeAll(q)) != "[1]" {
			t.Errorf("the puts returned %v and %v", put, next)
		}
		return nil
	})
}

func TestQueue_underADoneContext_nothingIsTakenOrAdded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		q.Put(ctx, 1)
		ours, cancelOurs := asyncio.WithCancel(ctx)
		standard, cancelStandard := context.WithCancel(ctx)
		cancelOurs(nil)
		cancelStandard()
		for _, done := range []context.Context{ours, standard} {
			others := 0
			asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
			if _, err := q.Get(done); err != context.Canceled || q.Len() != 1 || others != 1 {
				t.Errorf("Get: %v, Len %d, %d others ran", err, q.Len(), others)
			}
			if err := q.Put(done, 2); err != context.Canceled || q.Len() != 1 {
				t.Errorf("Put: %v, Len %d", err, q.Len())
			}
		}
		return nil
	})
}

// conformance: queue-32 queue-34
func TestQueue_join(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		mustPanic(t, "asyncio: Queue.TaskDone: called more often than items were put", q.TaskDone)
		for range 2 {
			if err := q.Join(ctx); err != nil {
				t.Errorf("Join of an empty queue: %v", err)
			}
		}
		q.Put(ctx, 1)
		q.Get(ctx)
		joins := []*asyncio.Task[asyncio.None]{asyncio.Go(ctx, q.Join), asyncio.Go(ctx, q.Join)}
		letWait(t, ctx)
		if joins[0].Done() || joins[1].Done() {
			t.Error("Join returned although an item is not done")
		}
		if err := asyncio.Timeout(ctx, time.Second, q.Join); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Join under a timeout: %v", err)
		}
		q.TaskDone()
		letWait(t, ctx)
		if !joins[0].Done() || !joins[1].Done() {
			t.Error("Join waits although all is done")
		}
		return nil
	})
}

func TestQueue_onAForeignGoroutineOrAnotherLoop_isRefused(t *testing.T) {
	q := asyncio.NewQueue[int](0)
	run(t, func(ctx context.Context) error {
		q.Put(ctx, 1)
		elsewhere(func() {
			const fault = ": asyncio: called from a goroutine that is not the event loop's"
			mustPanic(t, "Queue.TryPut"+fault, func() { q.TryPut(1) })
			mustPanic(t, "Queue.TryGet"+fault, func() { q.TryGet() })
			mustPanic(t, "Queue.TaskDone"+fault, q.TaskDone)
			if err := q.Put(ctx, 1); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("Put: %v", err)
			}
			if _, err := q.Get(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("Get: %v", err)
			}
			run(t, func(ctx context.Context) error {
				for _, call := range []func() error{
					func() error { return q.Put(ctx, 1) },
					func() error { _, err := q.Get(ctx); return err },
					func() error { return q.Join(ctx) },
				} {
					if err := call(); err == nil || !strings.Contains(err.Error(), "another event loop") {
						t.Errorf("on another loop: %v", err)
					}
				}
				return nil
			})
		})
		return nil
	})
	if got := takeAll(q); fmt.Sprint(got) != "[1]" { // what its loop has left
		t.Errorf("left %v", got)
	}
}

func TestQueue_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ping, pong := asyncio.NewQueue[int](1), asyncio.NewQueue[int](1)
		ping.Put(ctx, 1) // makes room for the first items
		pong.Put(ctx, 1)
		ping.Get(ctx)
		pong.Get(ctx)
		allocates(t, "put and get", 0, func() {
			ping.Put(ctx, 1)
			ping.Get(ctx)
		})
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				v, err := ping.Get(ctx)
				if err != nil {
					return err
				}
				if err := pong.Put(ctx, v); err != nil {
					return err
				}
			}
		})
		allocates(t, "two hand-overs", 0, func() {
			ping.Put(ctx, 1)
			pong.Get(ctx)
		})
		other.Cancel()
		return nil
	})
}
