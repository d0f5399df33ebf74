package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// quick is a policy that hardly pauses.
var quick = asyncio.RetryPolicy{InitialBackoff: 1, MaxBackoff: 1}

// flaky returns a function that fails with err n times, then succeeds, and counts
// its calls.
func flaky(n int, err error) (fn func(ctx context.Context) (string, error), calls *int) {
	calls = new(int)
	return func(context.Context) (string, error) {
		if *calls++; *calls <= n {
			return "", err
		}
		return fmt.Sprintf("call %d", *calls), nil
	}, calls
}

func TestRetry_callsAgainUntilItSucceeds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		fn, _ := flaky(4, boom)
		if v, err := asyncio.Retry(ctx, asyncio.RetryPolicy{}, fn); v != "call 5" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
		fn, calls := flaky(5, boom)
		_, err := asyncio.Retry(ctx, asyncio.RetryPolicy{}, fn)
		wantErr(t, "Retry", err, boom)
		var e *asyncio.RetryError
		if !errors.As(err, &e) || e.Tries != 5 || *calls != 5 || err.Error() != "asyncio: failed after 5 tries: boom" {
			t.Errorf("%d calls, %v", *calls, err)
		}
		n := 0
		err = asyncio.RetryPolicy{MaxTries: 1}.Do(ctx, func(context.Context) error { n++; return boom })
		if n != 1 || err.Error() != "asyncio: failed after 1 try: boom" {
			t.Errorf("%d calls, %v", n, err)
		}
		return nil
	})
}

// pauses returns the pauses that a policy makes before each of so many calls.
func pauses(t *testing.T, r asyncio.RetryPolicy, n int) (pauses []time.Duration) {
	t.Helper()
	run(t, func(ctx context.Context) error {
		last := time.Duration(-1)
		return r.Do(ctx, func(context.Context) error {
			now := quietLoop(ctx).Time()
			if last >= 0 {
				pauses = append(pauses, now-last)
			}
			if last = now; len(pauses) < n {
				return errors.New("boom")
			}
			return nil
		})
	})
	return pauses
}

func TestRetry_pausesAreDrawnBelowALimitThatDoubles(t *testing.T) {
	const n = 1000
	sum := make([]time.Duration, 5)
	most := make([]time.Duration, 5)
	run(t, func(ctx context.Context) error {
		for range n {
			last, i := time.Duration(-1), 0
			r := asyncio.RetryPolicy{MaxTries: 6, InitialBackoff: time.Second, MaxBackoff: 7 * time.Second}
			r.Do(ctx, func(context.Context) error {
				now := quietLoop(ctx).Time()
				if last >= 0 {
					sum[i] += now - last
					most[i] = max(most[i], now-last)
					i++
				}
				last = now
				return errors.New("boom")
			})
		}
		return nil
	})
	for i, limit := range []time.Duration{1e9, 2e9, 4e9, 7e9, 7e9} {
		mean := sum[i] / n
		if most[i] > limit || most[i] < limit*9/10 || mean < limit*4/10 || mean > limit*6/10 {
			t.Errorf("pause %d: mean %v, at most %v; want half of %v, and that", i, mean, most[i], limit)
		}
	}
}

func TestRetry_onAVirtualClock_pausesAreTheSameEachTime(t *testing.T) {
	r := asyncio.RetryPolicy{MaxTime: asyncio.Forever}
	if a, b := pauses(t, r, 20), pauses(t, r, 20); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v and %v", a, b)
	}
}

func TestRetry_extremeBackoffs(t *testing.T) {
	r := asyncio.RetryPolicy{MaxTries: 3, InitialBackoff: math.MaxInt64, MaxBackoff: math.MaxInt64}
	for i, d := range pauses(t, r, 2) {
		if d < 0 {
			t.Errorf("pause %d is %v", i, d)
		}
	}
	r = asyncio.RetryPolicy{MaxTime: asyncio.Forever, InitialBackoff: 1, MaxBackoff: math.MaxInt64}
	pauses(t, r, 60)
}

func TestRetry_whichErrorsAreTriedAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		temporary, fatal := errors.New("temporary"), errors.New("fatal")
		r := quick
		r.If = func(err error) bool { return err == temporary }
		n := 0
		err := r.Do(ctx, func(context.Context) error {
			if n++; n < 3 {
				return temporary
			}
			return fatal
		})
		if wantErr(t, "Do", err, fatal); n != 3 {
			t.Errorf("%d calls", n)
		}

		fn, calls := flaky(9, asyncio.Permanent(fatal))
		_, err = asyncio.Retry(ctx, quick, fn)
		var e *asyncio.RetryError
		if !errors.As(err, &e) || e.Err != fatal || *calls != 1 {
			t.Errorf("a permanent error: %d calls, %#v", *calls, err)
		}
		fn, calls = flaky(9, fmt.Errorf("to do it: %w", asyncio.Permanent(fatal)))
		_, err = asyncio.Retry(ctx, quick, fn)
		if wantErr(t, "a wrapped permanent error", err, fatal); *calls != 1 || !strings.Contains(err.Error(), "1 try: to do it: fatal") {
			t.Errorf("%d calls, %v", *calls, err)
		}
		if asyncio.Permanent(nil) != nil {
			t.Error("Permanent(nil) is an error")
		}
		return nil
	})
}

func TestRetry_aCancellation_isNotTriedAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom, stop := errors.New("boom"), errors.New("stop")
		n := 0
		work := func(ctx context.Context) error { n++; return asyncio.Sleep(ctx, time.Hour) }
		task := asyncio.Go(ctx, func(ctx context.Context) error { return quick.Do(ctx, work) })
		letWait(t, ctx)
		task.Cancel(stop)
		_, err := task.Await(ctx)
		if err != stop || n != 1 || !task.Cancelled() {
			t.Errorf("cancelled in a call: %d calls, %v", n, err)
		}

		// A timeout of the call's own is an error like any other.
		n = 0
		err = quick.Do(ctx, func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Second, work) })
		if wantErr(t, "Do", err, context.DeadlineExceeded); n != 5 {
			t.Errorf("%d calls under a timeout each", n)
		}

		slow := asyncio.RetryPolicy{InitialBackoff: 1000 * time.Hour, MaxBackoff: 1000 * time.Hour}
		task = asyncio.Go(ctx, func(ctx context.Context) error {
			return slow.Do(ctx, func(context.Context) error { return boom })
		})
		letWait(t, ctx)
		task.Cancel(stop)
		_, err = task.Await(ctx)
		if wantErr(t, "cancelled in a pause", err, stop); !task.Cancelled() || !strings.Contains(err.Error(), "stop (in a pause after failure 1: boom)") {
			t.Errorf("cancelled %v, %v", task.Cancelled(), err)
		}
		return nil
	})
}

func TestRetry_whatWouldBeginTooLate_isNotWaitedFor(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop, boom := quietLoop(ctx), errors.New("boom")
		r := quick
		r.MaxTime = 10 * time.Second
		n := 0
		err := r.Do(ctx, func(context.Context) error { n++; asyncio.Sleep(ctx, time.Second); return boom })
		if wantErr(t, "Do", err, boom); n != 10 || !strings.Contains(err.Error(), "after 10 tries, as the next would begin after the limit of 10s: boom") {
			t.Errorf("%d calls, %v", n, err)
		}

		start := loop.Time()
		err = asyncio.Timeout(ctx, 10*time.Second, func(ctx context.Context) error {
			return asyncio.RetryPolicy{}.Do(ctx, func(context.Context) error { return &busy{time.Minute} })
		})
		if loop.Time() != start || err == nil || !strings.Contains(err.Error(), "after 1 try, as the next would begin after the deadline: busy") {
			t.Errorf("after %v: %v", loop.Time()-start, err)
		}
		return nil
	})
}

// busy is an error that says when to come again.
type busy struct{ rest time.Duration }

func (e *busy) Error() string             { return "busy" }
func (e *busy) RetryAfter() time.Duration { return e.rest }

func TestRetry_obeysAnErrorThatSaysHowLongToWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := quietLoop(ctx)
		for _, rest := range []time.Duration{time.Hour, 0, -time.Hour} {
			start := loop.Time()
			fn, _ := flaky(1, fmt.Errorf("the server: %w", &busy{rest}))
			_, err := asyncio.Retry(ctx, quick, fn)
			wantErr(t, "Retry", err, nil)
			if took := loop.Time() - start; took < rest || took > max(0, rest)+time.Nanosecond {
				t.Errorf("told to wait %v, waited %v", rest, took)
			}
		}
		return nil
	})
}

func TestRetryBudget_limitsRetriesOfAllWhoShareIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		r := quick
		r.MaxTries, r.Budget = 100, &asyncio.RetryBudget{}
		n := 0
		fail := func(context.Context) error { n++; return boom }
		for range 20 {
			wantErr(t, "Do", r.Do(ctx, fail), boom)
		}
		if n != 20+10 {
			t.Errorf("%d calls of 20 that all fail, want 10 retries", n)
		}
		if err := r.Do(ctx, fail); !strings.Contains(err.Error(), "after 1 try, as the budget for retries is used up: boom") {
			t.Error(err)
		}
		for range 10 {
			r.Do(ctx, func(context.Context) error { return nil })
		}
		n = 0
		if r.Do(ctx, fail); n != 2 {
			t.Errorf("%d calls, want one retry for ten successes", n)
		}
		for range 1000 { // no more than Max is saved up
			r.Do(ctx, func(context.Context) error { return nil })
		}
		n = 0
		if r.Do(ctx, fail); n != 11 {
			t.Errorf("%d calls after many successes, want 11", n)
		}
		return nil
	})
}

func TestRetryBudget_aRetryThatIsCancelled_costsNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		budget := &asyncio.RetryBudget{Max: 1}
		slow := asyncio.RetryPolicy{Budget: budget, InitialBackoff: 1000 * time.Hour, MaxBackoff: 1000 * time.Hour}
		fn, _ := flaky(9, errors.New("boom"))
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) { return asyncio.Retry(ctx, slow, fn) })
		letWait(t, ctx)
		task.Cancel()
		task.Await(ctx)
		r := quick
		r.Budget = budget
		fn, _ = flaky(1, errors.New("boom"))
		_, err := asyncio.Retry(ctx, r, fn)
		wantErr(t, "Retry", err, nil)
		return nil
	})
}

func TestRetry_misuse_isNamed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fn, _ := flaky(0, nil)
		mustPanic(t, "RetryPolicy: MaxTries -1, MaxTime 0s", func() { asyncio.Retry(ctx, asyncio.RetryPolicy{MaxTries: -1}, fn) })
		mustPanic(t, "Retry: nil function", func() { asyncio.Retry[int](ctx, quick, nil) })
		mustPanic(t, "RetryPolicy.Do: nil function", func() { quick.Do(ctx, nil) })
		_, err := asyncio.Retry(context.Background(), quick, fn)
		wantErr(t, "Retry", err, asyncio.ErrNotOnLoop)
		r := asyncio.RetryPolicy{Budget: &asyncio.RetryBudget{}}
		asyncio.Retry(ctx, r, fn)
		elsewhere(func() {
			onAnotherLoop(t, func(ctx context.Context) error { _, err := asyncio.Retry(ctx, r, fn); return err })
		})
		return nil
	})
}

func TestRetry_thatSucceeds_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fn := func(context.Context) (int, error) { return 1, nil }
		r := asyncio.RetryPolicy{Budget: &asyncio.RetryBudget{}}
		allocates(t, "a Retry", 0, func() { asyncio.Retry(ctx, r, fn) })
		return nil
	})
}
