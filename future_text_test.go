package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// conformance: future-17 future-31
func TestFuture_asText_showsStateOutcomeWaitersAndOrigin(t *testing.T) {
	for _, debug := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			f := asyncio.NewFuture[int](loop)
			want := func(start string) {
				t.Helper()
				if s := f.String(); !strings.HasPrefix(s, start) || strings.Contains(s, "future_text_test.go:") != debug {
					t.Errorf("debug %v: %s, want %s", debug, s, start)
				}
				if at := f.Created(); strings.Contains(at, "future_text_test.go:") != debug {
					t.Errorf("debug %v: created at %q", debug, at)
				}
			}
			want("a Future[int] (pending")
			f.AddDoneCallback(func(*asyncio.Future[int]) {})
			f.AddDoneCallback(func(*asyncio.Future[int]) {})
			waiter := asyncio.Go(ctx, func(ctx context.Context) error { _, err := f.Await(ctx); return err })
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
			want("a Future[int] (pending, 2 callbacks")
			if s := f.String(); !strings.HasSuffix(s, ", 1 waits)") {
				t.Errorf("with a waiter: %s", s)
			}
			f.SetResult(7)
			want("a Future[int] (result: 7")
			f = asyncio.NewFuture[int](loop)
			f.SetError(errors.New("boom"))
			want("a Future[int] (failed: boom")
			f.Err()
			want("a Future[int] (failed: boom")
			f = asyncio.NewFuture[int](loop)
			f.Cancel(errors.New("enough"))
			want("a Future[int] (cancelled: enough")
			_, err := waiter.Await(ctx)
			return err
		}, asyncio.WithDebug(debug))
	}
}

// conformance: future-18
func TestFuture_outcomeCopiedToAnother_isTheSame(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		boom, enough := errors.New("boom"), errors.New("enough")
		for _, settle := range []func(*asyncio.Future[int]){
			func(f *asyncio.Future[int]) { f.SetResult(7) },
			func(f *asyncio.Future[int]) { f.SetError(boom) },
			func(f *asyncio.Future[int]) { f.Cancel(enough) },
		} {
			from, to := asyncio.NewFuture[int](loop), asyncio.NewFuture[int](loop)
			from.AddDoneCallback(func(from *asyncio.Future[int]) {
				switch v, err := from.Result(); {
				case from.Cancelled():
					to.Cancel(err)
				case err != nil:
					to.SetError(err)
				default:
					to.SetResult(v)
				}
			})
			settle(from)
			v, err := to.Await(ctx)
			if w, e := from.Result(); v != w || err != e || to.Cancelled() != from.Cancelled() {
				t.Errorf("copied %v, %v, cancelled %v; want %v, %v, %v", v, err, to.Cancelled(), w, e, from.Cancelled())
			}
		}
		return nil
	})
}

// conformance: future-38 future-40 future-41
func TestDoneCallback_cancelled_isNotCalled_othersInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		task := asyncio.CreateTask(ctx, f.Await)
		for name, add := range map[string]func(func()) *asyncio.Handle{
			"future": func(fn func()) *asyncio.Handle {
				return f.AddDoneCallback(func(*asyncio.Future[int]) { fn() })
			},
			"task": func(fn func()) *asyncio.Handle { return task.AddDoneCallback(func(*asyncio.Task[int]) { fn() }) },
		} {
			order := ""
			add(func() { order += "a" })
			b := add(func() { order += "b" })
			var d *asyncio.Handle
			add(func() {
				order += "c"
				if !d.Cancel() { // while the callbacks are under way
					t.Errorf("%s: a callback that has yet to run could not be cancelled", name)
				}
				add(func() { order += "f" })
			})
			d = add(func() { order += "d" })
			add(func() { order += "e" })
			if !b.Cancel() || b.Cancel() || !b.Cancelled() {
				t.Errorf("%s: cancelling twice does not report true, false", name)
			}
			defer func() {
				if order != "acef" {
					t.Errorf("%s: called %q", name, order)
				}
			}()
		}
		f.SetResult(1)
		if _, err := task.Await(ctx); err != nil {
			return err
		}
		for range 3 {
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestDoneCallback_addedAndCancelledOften_leavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		for range 1000 {
			f.AddDoneCallback(func(*asyncio.Future[int]) { t.Error("called") }).Cancel()
		}
		if s := f.String(); strings.Contains(s, "callbacks") {
			t.Error(s)
		}
		f.SetResult(1)
		return asyncio.Yield(ctx)
	})
}
