package asyncio_test

import (
	"context"
	"slices"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// getTask and putTask start a task that waits at q.
func getTask(ctx context.Context, q anyQueue) *asyncio.Task[int] {
	return asyncio.CreateTask(ctx, q.Get)
}

func putTask(ctx context.Context, q anyQueue, v int) *asyncio.Task[asyncio.None] {
	return asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, v) })
}

// refusesAll fails the test unless the queue is shut down and empty.
func refusesAll(t *testing.T, ctx context.Context, q anyQueue) {
	t.Helper()
	_, get := q.Get(ctx)
	_, tryGet := q.TryGet()
	for what, err := range map[string]error{"Put": q.Put(ctx, 1), "TryPut": q.TryPut(1), "Get": get, "TryGet": tryGet} {
		if err != asyncio.ErrQueueShutDown {
			t.Errorf("%s: %v", what, err)
		}
	}
	for v, err := range q.All(ctx) {
		t.Errorf("All yielded %d, %v", v, err)
	}
}

// conformance: queue-shutdown-02
// pitfall: 29
func TestQueueShutdown_ofAnEmptyQueue_gettersFailAndJoinReturns(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
			getters := []*asyncio.Task[int]{getTask(ctx, q), getTask(ctx, q)}
			letWait(t, ctx)
			q.Shutdown(immediate)
			for _, g := range getters {
				if _, err := g.Await(ctx); err != asyncio.ErrQueueShutDown {
					t.Errorf("a getter: %v", err)
				}
			}
			refusesAll(t, ctx, q)
			if err := q.Join(ctx); err != nil {
				t.Errorf("Join: %v", err)
			}
			q.Shutdown(immediate)
			refusesAll(t, ctx, q)
		})
	}
}

// conformance: queue-shutdown-03
// pitfall: 29
func TestQueueShutdown_graceful_puttersFail_itemsAreDelivered_thenGettersFail(t *testing.T) {
	eachKind(t, 2, func(t *testing.T, ctx context.Context, q anyQueue) {
		q.TryPut(1)
		q.TryPut(2)
		putters := []*asyncio.Task[asyncio.None]{putTask(ctx, q, 3), putTask(ctx, q, 4)}
		join := asyncio.Go(ctx, q.Join)
		letWait(t, ctx)
		q.Shutdown(false)
		for _, p := range putters {
			if _, err := p.Await(ctx); err != asyncio.ErrQueueShutDown {
				t.Errorf("a putter: %v", err)
			}
		}
		if err := q.TryPut(5); err != asyncio.ErrQueueShutDown {
			t.Errorf("TryPut while full: %v", err)
		}
		var got []int
		for v, err := range q.All(ctx) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, v)
		}
		if slices.Sort(got); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("got %v", got)
		}
		refusesAll(t, ctx, q)
		q.TaskDone()
		letWait(t, ctx)
		if join.Done() {
			t.Error("Join returned before all was done")
		}
		q.TaskDone()
		if _, err := join.Await(ctx); err != nil {
			t.Errorf("Join: %v", err)
		}
	})
}

// conformance: queue-shutdown-04
// pitfall: 29
func TestQueueShutdown_immediate_dropsTheItemsAndCountsThemAsDone(t *testing.T) {
	eachKind(t, 2, func(t *testing.T, ctx context.Context, q anyQueue) {
		q.TryPut(1)
		q.TryPut(2)
		putter, join := putTask(ctx, q, 3), asyncio.Go(ctx, q.Join)
		letWait(t, ctx)
		q.Shutdown(true)
		if _, err := putter.Await(ctx); err != asyncio.ErrQueueShutDown {
			t.Errorf("the putter: %v", err)
		}
		if _, err := join.Await(ctx); err != nil {
			t.Errorf("Join: %v", err)
		}
		refusesAll(t, ctx, q)
		mustPanic(t, "TaskDone: called more often than items were put", q.TaskDone)
	})
}

// conformance: queue-shutdown-05
// pitfall: 29
func TestQueueShutdown_immediate_whatWasTakenAndIsNotDone_stillHoldsUpJoin(t *testing.T) {
	for _, gracefulFirst := range []bool{false, true} {
		eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
			for v := range 3 {
				q.TryPut(v)
			}
			q.Get(ctx)
			join := asyncio.Go(ctx, q.Join)
			letWait(t, ctx)
			if gracefulFirst {
				q.Shutdown(false)
			}
			q.Shutdown(true)
			letWait(t, ctx)
			if join.Done() || q.Len() != 0 {
				t.Errorf("Join returned although an item is not done; Len %d", q.Len())
			}
			q.TaskDone()
			if _, err := join.Await(ctx); err != nil {
				t.Errorf("Join: %v", err)
			}
		})
	}
}

// What a getter was woken for it keeps, and it is what it would have got.
//
// pitfall: 28 29
func TestQueueShutdown_immediate_afterAGetterWasWoken_theGetterKeepsItsItem(t *testing.T) {
	want := map[string][]int{"Queue": {3, 1}, "LifoQueue": {0, 2}, "PriorityQueue": {0, 1}}
	for name, create := range queueKinds {
		run(t, func(ctx context.Context) error {
			q := create(0)
			a, b := getTask(ctx, q), getTask(ctx, q)
			letWait(t, ctx)
			for _, v := range []int{3, 1, 2, 0} {
				q.TryPut(v)
			}
			late := getTask(ctx, q)
			q.Shutdown(true)
			join := asyncio.Go(ctx, q.Join)
			first, errA := a.Await(ctx)
			second, errB := b.Await(ctx)
			if got := []int{first, second}; errA != nil || errB != nil || !slices.Equal(got, want[name]) {
				t.Errorf("%s: got %v, %v, %v, want %v", name, got, errA, errB, want[name])
			}
			if _, err := late.Await(ctx); err != asyncio.ErrQueueShutDown {
				t.Errorf("%s: a newcomer: %v", name, err)
			}
			letWait(t, ctx)
			if join.Done() {
				t.Errorf("%s: Join returned although two items are not done", name)
			}
			q.TaskDone()
			q.TaskDone()
			_, err := join.Await(ctx)
			return err
		}, fifo)
	}
}

// After Shutdown nothing is added, not even by a putter that was woken just
// before: those who get may have gone by then.
//
// pitfall: 29
func TestQueueShutdown_afterAPutterWasWoken_thePutterFails(t *testing.T) {
	eachKind(t, 1, func(t *testing.T, ctx context.Context, q anyQueue) {
		q.TryPut(1)
		putter := putTask(ctx, q, 2)
		letWait(t, ctx)
		q.TryGet()
		q.Shutdown(false)
		if _, err := putter.Await(ctx); err != asyncio.ErrQueueShutDown || q.Len() != 0 {
			t.Errorf("the putter: %v; Len %d", err, q.Len())
		}
		q.TaskDone()
		if err := q.Join(ctx); err != nil {
			t.Errorf("Join: %v", err)
		}
	})
}

// A loop of failing calls under a done context must not starve the others.
func TestQueueShutdown_underADoneContext_yieldsAndReturnsTheCause(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		q.Shutdown(false)
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		if err := q.Put(done, 1); err != context.Canceled || others != 1 {
			t.Errorf("Put: %v, %d others ran", err, others)
		}
		if _, err := q.Get(done); err != context.Canceled {
			t.Errorf("Get: %v", err)
		}
	})
}

func TestQueueShutdown_theTextFormSaysSo(t *testing.T) {
	q := asyncio.NewPriorityQueue[int](3)
	q.TryPut(1)
	q.Shutdown(false)
	if got := q.String(); got != "a PriorityQueue (1 of 3 items, shut down)" {
		t.Error(got)
	}
}
