package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestTaskSet_givesResultsAsTheyCome_whileItGrows(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var set asyncio.TaskSet[int]
		set.Go(after(3*time.Second, 3, nil))
		set.Go(after(time.Second, 1, nil))
		if set.Len() != 2 {
			t.Errorf("Len %d, want 2", set.Len())
		}
		var got []int
		for n, err := range set.All(ctx) {
			if err != nil {
				return err
			}
			got = append(got, n)
			switch n {
			case 1:
				set.Go(after(time.Second, 2, nil))
			case 3:
				set.Go(func(context.Context) (int, error) {
					set.Go(after(0, 5, nil)) // a task of the set may add some
					return 4, nil
				})
			}
		}
		if fmt.Sprint(got) != "[1 2 3 4 5]" || set.Len() != 0 {
			t.Errorf("got %v, and %d are left", got, set.Len())
		}
		for range set.All(ctx) {
			t.Error("an empty set gave something")
		}
		set.Go(after(0, 6, nil)) // it can be used again
		for n, err := range set.All(ctx) {
			if n != 6 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
		}
		return nil
	})
}

func TestTaskSet_anErrorOrPanic_concernsItsOwnTaskOnly(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var set asyncio.TaskSet[int]
		set.Go(after(time.Second, 0, boom))
		set.Go(func(context.Context) (int, error) { panic("ouch") })
		set.Go(after(time.Minute, 7, nil))
		failed, panicked, fine := 0, 0, 0
		for n, err := range set.All(ctx) {
			var p *asyncio.PanicError
			switch {
			case err == boom:
				failed++
			case errors.As(err, &p):
				panicked++
			case n == 7 && err == nil:
				fine++
			default:
				t.Errorf("got %d, %v", n, err)
			}
		}
		if failed != 1 || panicked != 1 || fine != 1 {
			t.Errorf("%d failed, %d panicked, %d were fine", failed, panicked, fine)
		}
		return nil
	})
}

func TestTaskSet_break_cancelsTheRestAndWaits_andAFailureThereIsReported(t *testing.T) {
	var reports []string
	run(t, func(ctx context.Context) error {
		ended := 0
		var set asyncio.TaskSet[int]
		set.Go(after(time.Second, 1, nil))
		set.Go(func(ctx context.Context) (int, error) {
			err := asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Minute) }) // cleans up
			ended++
			return 0, err
		})
		set.Go(func(ctx context.Context) (int, error) {
			asyncio.Sleep(ctx, time.Hour)
			ended++
			return 0, errors.New("could not clean up")
		}, asyncio.Name("cleaner"))
		for range set.All(ctx) {
			break
		}
		if now := asyncio.RunningLoop(ctx).Time(); ended != 2 || now != time.Minute+time.Second {
			t.Errorf("%d of 2 had ended at %v", ended, now)
		}
		mustPanic(t, "in the body", func() {
			set.Go(after(time.Second, 1, nil))
			set.Go(func(ctx context.Context) (int, error) {
				err := asyncio.Sleep(ctx, time.Hour)
				ended++
				return 0, err
			})
			for range set.All(ctx) {
				panic("in the body")
			}
		})
		if ended != 3 || set.Len() != 0 {
			t.Errorf("after a panic %d had ended, and %d are left", ended, set.Len())
		}
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) {
		reports = append(reports, fmt.Sprintf("%s: %s: %v", info.Task, info.Message, info.Err))
	}))
	want := "cleaner: a task failed after the range over its results had ended: could not clean up"
	if len(reports) != 1 || reports[0] != want {
		t.Errorf("reported %q, want %q", reports, want)
	}
}

func TestTaskSet_cancelled_eachTaskGivesItsResultOrTheCause(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var set asyncio.TaskSet[int]
		add := func() {
			set.Go(after(time.Second, 1, nil))
			set.Go(after(time.Hour, 2, nil))
			set.Go(func(ctx context.Context) (int, error) {
				asyncio.Sleep(ctx, time.Hour)
				return 3, nil // all the same
			})
		}
		var got []string
		note := func(n int, err error) { got = append(got, fmt.Sprint(n, " ", err)) }
		add()
		asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			for n, err := range set.All(ctx) {
				note(n, err)
			}
			return nil
		})
		slices.Sort(got)
		if want := "1 <nil>; 2 asyncio: timed out after 1m0s; 3 <nil>"; strings.Join(got, "; ") != want {
			t.Errorf("got %v", got)
		}
		got = nil
		add()
		for n, err := range set.All(ctx) {
			note(n, err)
			set.Cancel()
		}
		slices.Sort(got)
		if want := "1 <nil>; 2 asyncio: the group was cancelled: context canceled; 3 <nil>"; strings.Join(got, "; ") != want {
			t.Errorf("Cancel: got %v", got)
		}
		add()
		set.Cancel()
		if set.Len() != 0 {
			t.Errorf("%d are left after a Cancel outside of a range", set.Len())
		}
		return nil
	})
}

func TestTaskSet_SetLimit_beforeAndInTheRange(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var set asyncio.TaskSet[int]
		var c crowd
		set.SetLimit(2)
		for i := range 8 {
			set.Go(func(ctx context.Context) (int, error) { return i, c.stay(ctx, time.Second) })
		}
		given := 0
		for _, err := range set.All(ctx) {
			if err != nil {
				return err
			}
			if given++; given == 1 && c.most != 2 {
				t.Errorf("%d ran at once, want 2", c.most)
			}
			set.SetLimit(3)
		}
		if given != 8 || c.most != 3 {
			t.Errorf("%d results, %d at once; want 8 and 3", given, c.most)
		}
		mustPanic(t, "asyncio: TaskSet.SetLimit: the limit is 0", func() { set.SetLimit(0) })
		mustPanic(t, "asyncio: TaskSet.Go: nil function", func() { set.Go(nil) })
		return nil
	})
}

func TestTaskSet_misuse_isAnErrorOfTheRange(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var set asyncio.TaskSet[int]
		set.Go(after(0, 1, nil))
		wantOnly := func(what string, target error) {
			t.Helper()
			given := 0
			for n, err := range set.All(ctx) {
				if given++; n != 0 || !errors.Is(err, target) {
					t.Errorf("%s: got %d, %v", what, n, err)
				}
			}
			if given != 1 {
				t.Errorf("%s: %d results", what, given)
			}
		}
		next, stop := iter.Pull2(set.All(ctx))
		if _, err, _ := next(); !errors.Is(err, asyncio.ErrWrongGoroutine) {
			t.Errorf("in iter.Pull: %v", err)
		}
		stop()
		for n, err := range set.All(ctx) {
			if n != 1 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			wantOnly("a range in the range", asyncio.ErrInvalidState)
		}
		ctx = context.Background()
		wantOnly("a context that is not ours", asyncio.ErrNotOnLoop)
		return nil
	})
}
