package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// newFuture returns a future of the running loop.
func newFuture[T any](ctx context.Context) *asyncio.Future[T] {
	return asyncio.NewFuture[T](quietLoop(ctx))
}

// quietLoop returns the running loop, and is in the way of no deadlock report.
func quietLoop(ctx context.Context) *asyncio.Loop {
	loop, err := lowlevel.RunningLoop(ctx)
	if err != nil {
		panic(err)
	}
	return loop
}

// conformance: future-04 future-06
func TestFuture_new_isPending(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		if f.Done() || f.Cancelled() {
			t.Error("done or cancelled")
		}
		if !f.Cancel() || !f.Cancelled() || !f.Done() {
			t.Error("Cancel did not cancel it")
		}
		return nil
	})
}

// conformance: future-12 future-16
func TestFuture_SetResult_canBeDoneOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		_, err := f.Result()
		wantErr(t, "Result while pending", err, asyncio.ErrInvalidState)
		wantErr(t, "SetResult", f.SetResult(42), nil)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		for range 2 {
			v, err := f.Result()
			w, err2 := f.Await(ctx)
			if v != 42 || w != 42 || err != nil || err2 != nil {
				t.Errorf("Result %v, %v, Await %v, %v", v, err, w, err2)
			}
		}
		if others != 0 || f.Err() != nil {
			t.Errorf("awaiting a finished future suspended (%d others ran), or Err is %v", others, f.Err())
		}
		wantErr(t, "SetResult again", f.SetResult(43), asyncio.ErrInvalidState)
		wantErr(t, "SetError again", f.SetError(errors.New("x")), asyncio.ErrInvalidState)
		if f.Cancel() || f.Cancelled() || !f.Done() {
			t.Error("Cancel of a finished future")
		}
		return nil
	}, fifo)
}

// conformance: future-13
func TestFuture_SetError_everybodyGetsTheSameError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, boom := newFuture[int](ctx), errors.New("boom")
		if f.SetError(nil) == nil || f.Done() {
			t.Error("SetError(nil) was accepted")
		}
		_, err := f.Result()
		wantErr(t, "Result while pending", err, asyncio.ErrInvalidState)
		wantErr(t, "Err while pending", f.Err(), nil)
		wantErr(t, "SetError", f.SetError(boom), nil)
		for range 2 {
			_, err := f.Result()
			_, err2 := f.Await(ctx)
			if err != boom || err2 != boom || f.Err() != boom {
				t.Errorf("Result %v, Await %v, Err %v", err, err2, f.Err())
			}
		}
		wantErr(t, "SetResult again", f.SetResult(43), asyncio.ErrInvalidState)
		wantErr(t, "SetError again", f.SetError(errors.New("x")), asyncio.ErrInvalidState)
		if f.Cancel() || f.Cancelled() {
			t.Error("Cancel of a failed future")
		}
		return nil
	})
}

// conformance: future-10 future-11
func TestFuture_Cancel_canBeDoneOnceAndGivesTheCause(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f, cause := newFuture[int](ctx), errors.New("cause")
		if !f.Cancel(cause) || f.Cancel() || !f.Cancelled() {
			t.Error("Cancel is not true once")
		}
		_, err := f.Result()
		_, err2 := f.Await(ctx)
		if err != cause || err2 != cause {
			t.Errorf("Result %v, Await %v", err, err2)
		}
		wantErr(t, "SetResult", f.SetResult(43), asyncio.ErrInvalidState)
		wantErr(t, "SetError", f.SetError(errors.New("x")), asyncio.ErrInvalidState)
		g := newFuture[int](ctx)
		g.Cancel()
		_, err = g.Await(ctx)
		wantErr(t, "Await", err, context.Canceled)
		return nil
	})
}

// conformance: task-23
func TestFuture_set_wakesAllWhoWaitInTheirOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[string](ctx)
		var order []int
		_, err := asyncio.Gather(ctx, func(ctx context.Context) (int, error) {
			letWait(t, ctx)
			return 0, f.SetResult("x")
		}, func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			order = append(order, 1)
			if v != "x" {
				t.Errorf("got %q", v)
			}
			return 0, err
		}, func(ctx context.Context) (int, error) {
			_, err := f.Await(ctx)
			order = append(order, 2)
			return 0, err
		})
		if fmt.Sprint(order) != "[1 2]" {
			t.Errorf("order %v", order)
		}
		return err
	}, fifo)
}

// conformance: future-39
func TestFuture_doneCallbacks_runInTheNextTurnInOrder(t *testing.T) {
	ends := map[string]func(*asyncio.Future[int]){
		"result": func(f *asyncio.Future[int]) { f.SetResult(1) },
		"error":  func(f *asyncio.Future[int]) { f.SetError(errors.New("boom")) },
		"cancel": func(f *asyncio.Future[int]) { f.Cancel() },
	}
	for name, end := range ends {
		run(t, func(ctx context.Context) error {
			f := newFuture[int](ctx)
			var order []int
			for i := range 3 {
				f.AddDoneCallback(func(got *asyncio.Future[int]) {
					if got != f || !f.Done() {
						t.Errorf("%s: called with another future, or too early", name)
					}
					order = append(order, i)
					f.Result()
					if i == 0 {
						f.AddDoneCallback(func(*asyncio.Future[int]) { order = append(order, 3) })
					}
				})
			}
			end(f)
			if len(order) != 0 {
				t.Errorf("%s: called inside", name)
			}
			for turn, want := range []string{"[0 1 2]", "[0 1 2 3]"} {
				if asyncio.Yield(ctx); fmt.Sprint(order) != want {
					t.Errorf("%s: turn %d: order %v, want %s", name, turn, order, want)
				}
			}
			mustPanic(t, "nil function", func() { f.AddDoneCallback(nil) })
			return nil
		}, fifo)
	}
}

// conformance: future-32
func TestAfter_cancelled_isNotSetAnyMore(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := asyncio.After(ctx, time.Second, 1)
		f.Cancel()
		asyncio.Sleep(ctx, time.Minute)
		_, err := f.Result()
		wantErr(t, "Result", err, context.Canceled)
		return nil
	})
}

// conformance: future-05 future-09 future-43
func TestFuture_notMadeByNewFuture_saysSo(t *testing.T) {
	mustPanic(t, "the Loop is nil", func() { asyncio.NewFuture[int](nil) })
	run(t, func(ctx context.Context) error {
		var f asyncio.Future[int]
		mustPanic(t, "NewFuture", func() { f.SetResult(1) })
		mustPanic(t, "NewFuture", func() { f.SetError(errors.New("x")) })
		mustPanic(t, "NewFuture", func() { f.Cancel() })
		mustPanic(t, "NewFuture", func() { f.AddDoneCallback(func(*asyncio.Future[int]) {}) })
		mustPanic(t, "NewFuture", func() { f.Await(ctx) })
		if f.Done() || f.Cancelled() {
			t.Error("done or cancelled")
		}
		return nil
	})
}

func TestFuture_calledOnAnotherGoroutine_panicsOrFails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFuture[int](ctx)
		elsewhere(func() {
			mustPanic(t, "not the event loop's", func() { f.SetResult(1) })
			mustPanic(t, "not the event loop's", func() { f.SetError(errors.New("x")) })
			mustPanic(t, "not the event loop's", func() { f.Cancel() })
			mustPanic(t, "not the event loop's", func() { f.AddDoneCallback(func(*asyncio.Future[int]) {}) })
			_, err := f.Await(ctx)
			wantErr(t, "Await", err, asyncio.ErrWrongGoroutine)
			_, err = f.Await(context.Background())
			wantErr(t, "Await with a foreign context", err, asyncio.ErrNotOnLoop)
		})
		if f.Done() {
			t.Error("done")
		}
		return nil
	})
}

// For the race detector: when the loop has ended, results belong to nobody.
func TestResults_afterTheLoopsEnd_canBeReadOnAnyGoroutine(t *testing.T) {
	var tasks []*asyncio.Task[int]
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		for range 10 {
			tasks = append(tasks, asyncio.CreateTask(ctx, failing[int](boom)))
		}
		return asyncio.Yield(ctx)
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {}))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, task := range tasks {
				if _, err := task.Result(); err != boom || task.Err() != boom {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
}
