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

// putAt puts items at the given seconds.
func putAt(ctx context.Context, q *asyncio.Queue[int], at ...int) {
	for _, s := range at {
		asyncio.RunningLoop(ctx).CallLater(time.Duration(s)*time.Second, func() { _ = q.TryPut(s) })
	}
}

func TestQueueGetBatch_waitsForOne_andThenForMoreUntilTheTimeIsUpOrThereAreEnough(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		putAt(ctx, q, 10, 11, 12, 15, 16, 17, 18, 30)
		for _, want := range []string{"[10 11 12] 12s", "[15 16 17] 17s", "[18] 21s", "[30] 33s"} {
			batch, err := q.GetBatch(ctx, 3, 3*time.Second)
			if got := fmt.Sprint(batch, " ", asyncio.RunningLoop(ctx).Time()); got != want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		}
		return nil
	})
}

func TestQueueGetBatch_withoutATime_takesWhatIsThere(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		for n := range 5 {
			q.TryPut(n)
		}
		for _, want := range []int{3, 2} {
			batch, err := q.GetBatch(ctx, 3, 0)
			if len(batch) != want || err != nil {
				t.Errorf("got %v, %v; want %d items", batch, err, want)
			}
		}
		if now := asyncio.RunningLoop(ctx).Time(); now != 0 {
			t.Errorf("it took %v", now)
		}
	})
	run(t, func(ctx context.Context) error {
		q := asyncio.NewRendezvous[int]()
		for n := range 3 {
			putTask(ctx, q, n)
		}
		letWait(t, ctx)
		if batch, err := q.GetBatch(ctx, 9, 0); len(batch) != 3 || err != nil {
			t.Errorf("of a rendezvous: %v, %v", batch, err)
		}
		return nil
	})
}

func TestQueueGetBatch_cancelledOrShutDown_losesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		within := func(d time.Duration) (batch []int, err error) {
			asyncio.Timeout(ctx, d, func(ctx context.Context) error {
				batch, err = q.GetBatch(ctx, 5, time.Hour)
				return nil
			})
			return batch, err
		}
		_, err := within(time.Second)
		wantTimeout(t, err, time.Second)
		putAt(ctx, q, 1, 2, 4)
		if batch, err := within(3 * time.Second); fmt.Sprint(batch) != "[1 2]" || err != nil {
			t.Errorf("cancelled: %v, %v", batch, err)
		}
		if _, err := within(0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("under a done context: %v", err)
		}
		asyncio.RunningLoop(ctx).CallLater(time.Minute, func() { q.Shutdown(false) })
		if batch, err := q.GetBatch(ctx, 5, asyncio.Forever); fmt.Sprint(batch) != "[4]" || err != nil {
			t.Errorf("shut down: %v, %v", batch, err)
		}
		if _, err := q.GetBatch(ctx, 5, time.Hour); err != asyncio.ErrQueueShutDown {
			t.Errorf("after that: %v", err)
		}
		return nil
	})
}

func TestQueueGetBatch_anItemInTheTurnOfACancellation_isKept(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		q.TryPut(1)
		task := asyncio.CreateTask(ctx, func(ctx context.Context) ([]int, error) { return q.GetBatch(ctx, 3, time.Hour) })
		letWait(t, ctx)
		q.TryPut(2)
		task.Cancel()
		batch, err := task.Await(ctx)
		if fmt.Sprint(batch) != "[1 2]" || err != nil || !q.Empty() {
			t.Errorf("got %v, %v; left %v", batch, err, q)
		}
		return nil
	})
}

func TestQueueGetBatch_ofLessThanOne_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.NewQueue[int](0).GetBatch(ctx, 0, 0)
		if err == nil || !strings.Contains(err.Error(), "asyncio: Queue.GetBatch: n is 0") {
			t.Errorf("got %v", err)
		}
		_, err = asyncio.NewQueue[int](0).GetBatch(context.Background(), 1, 0)
		if !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}
