package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestStandardContext_reachesTheTasksOfTasksThatHaveEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		standard, cancel := context.WithCancel(ctx)
		defer cancel()
		var inner *asyncio.Task[asyncio.None]
		outer := asyncio.Go(standard, func(ctx context.Context) error {
			inner = asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			return nil
		})
		outer.Await(ctx)
		letWait(t, ctx)
		cancel()
		if _, err := inner.Await(ctx); err != context.Canceled {
			t.Errorf("got %v, want context.Canceled", err)
		}
		return nil
	})
}

// derivations are ways in which the standard library's contexts come to stand below
// ours.
var derivations = map[string]func(context.Context) (context.Context, context.CancelFunc){
	"WithCancel": context.WithCancel,
	"WithTimeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	},
	"WithCancel below WithValue": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(context.WithValue(ctx, valueKey{}, 1))
	},
	"WithCancel below a type of one's own": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(struct{ context.Context }{ctx})
	},
	"WithCancel below all of them": func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, first := context.WithCancel(ctx)
		ctx, second := context.WithTimeout(context.WithValue(ctx, valueKey{}, 1), time.Hour)
		ctx, third := context.WithCancel(struct{ context.Context }{ctx})
		return ctx, func() { third(); second(); first() }
	},
}

func TestStandardContext_belowAScope_endsWithItAtOnce(t *testing.T) {
	for name, derive := range derivations {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				boom := errors.New("boom")
				below, cancel := asyncio.WithCancel(ctx)
				standard, cancelStandard := derive(below)
				defer cancelStandard()
				if standard.Err() != nil {
					t.Fatal("it has ended")
				}
				cancel(boom)
				if standard.Err() != context.Canceled || context.Cause(standard) != boom || context.Cause(below) != boom {
					t.Errorf("cancelled: %v, because of %v", standard.Err(), context.Cause(standard))
				}
				late, cancelLate := derive(below)
				defer cancelLate()
				if late.Err() != context.Canceled || context.Cause(late) != boom {
					t.Errorf("derived after the end: %v, because of %v", late.Err(), context.Cause(late))
				}
				return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
					standard, cancel := derive(ctx)
					defer cancel()
					asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 2*time.Second) })
					var late *asyncio.TimeoutError
					if standard.Err() != context.DeadlineExceeded || !errors.As(context.Cause(standard), &late) {
						t.Errorf("timed out: %v, because of %v", standard.Err(), context.Cause(standard))
					}
					return nil
				})
			})
		})
	}
}

func TestStandardContext_belowAScope_itsTasksHearOfTheEndInTheSameStep_inOrder(t *testing.T) {
	for name, derive := range derivations {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				below, cancel := asyncio.WithCancel(ctx)
				var order []int
				for i := range 20 {
					standard, cancelStandard := derive(below)
					defer cancelStandard()
					asyncio.Go(standard, func(ctx context.Context) error {
						err := asyncio.Sleep(ctx, time.Hour)
						order = append(order, i)
						return err
					})
				}
				letWait(t, ctx)
				cancel(nil)
				asyncio.Yield(ctx)
				for i := range 20 {
					if len(order) != 20 || order[i] != i {
						t.Fatalf("order %v", order)
					}
				}
				return nil
			}, fifo)
		})
	}
}
