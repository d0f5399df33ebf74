package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: timeout-01
func TestTimeoutScope_timeIsUp_isTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		asyncio.Sleep(ctx, time.Minute)
		var d *asyncio.Deadline
		err := asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, own *asyncio.Deadline) error {
			d = own
			if at, ok := d.When(); at != 61*time.Second || !ok {
				t.Errorf("When = %v, %v", at, ok)
			}
			asyncio.Sleep(ctx, time.Hour)
			return ctx.Err()
		})
		var timeout *asyncio.TimeoutError
		if !errors.As(err, &timeout) || timeout.After != time.Second || !d.Expired() {
			t.Errorf("got %v, expired %v", err, d.Expired())
		}
		return asyncio.Yield(ctx)
	})
}

// conformance: timeout-12
// pitfall: 11
func TestDeadline_rescheduled_holdsAtTheNewTime(t *testing.T) {
	for name, c := range map[string]struct {
		move func(d *asyncio.Deadline) error
		ends time.Duration // of a sleep of an hour
	}{
		"not":         {func(*asyncio.Deadline) error { return nil }, 10 * time.Second},
		"later":       {func(d *asyncio.Deadline) error { return d.Reschedule(time.Minute) }, time.Minute},
		"earlier":     {func(d *asyncio.Deadline) error { return d.Reschedule(5 * time.Second) }, 5 * time.Second},
		"to now":      {func(d *asyncio.Deadline) error { return d.Reschedule(time.Second) }, time.Second},
		"to the past": {func(d *asyncio.Deadline) error { return d.Reschedule(-time.Second) }, time.Second},
		"to never":    {func(d *asyncio.Deadline) error { return d.Reschedule(asyncio.Forever) }, time.Hour + time.Second},
		"removed":     {func(d *asyncio.Deadline) error { return d.Remove() }, time.Hour + time.Second},
		"removed and set": {func(d *asyncio.Deadline) error {
			return errors.Join(d.Remove(), d.Remove(), d.Reschedule(20*time.Second))
		}, 20 * time.Second},
	} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			var own *asyncio.Deadline
			err := asyncio.TimeoutScope(ctx, 10*time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
				own = d
				asyncio.Sleep(ctx, time.Second)
				wantErr(t, name, c.move(d), nil)
				return asyncio.Sleep(ctx, time.Hour)
			})
			timedOut := c.ends < time.Hour
			if loop.Time() != c.ends || errors.Is(err, context.DeadlineExceeded) != timedOut || own.Expired() != timedOut {
				t.Errorf("%s: ended at %v with %v, expired %v", name, loop.Time(), err, own.Expired())
			}
			return asyncio.Sleep(ctx, 2*time.Hour)
		})
	}
}

// conformance: timeout-12
// pitfall: 9
func TestDeadline_removedAndCancelledFromElsewhere_isNoTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var own *asyncio.Deadline
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
				own = d
				wantErr(t, "Remove", d.Remove(), nil)
				err := asyncio.Sleep(ctx, time.Hour)
				wantErr(t, "moved although it is cancelled", d.Reschedule(0), nil)
				return err
			})
		})
		asyncio.Sleep(ctx, time.Minute)
		task.Cancel()
		_, err := task.Await(ctx)
		wantErr(t, "the task", err, context.Canceled)
		if own.Expired() || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("expired %v: %v", own.Expired(), err)
		}
		return nil
	})
}

// conformance: timeout-13 timeout-17
// pitfall: 11
func TestDeadline_movedBeforeOrAfterItsTime_isRefused(t *testing.T) {
	refused := func(d *asyncio.Deadline, state string) {
		t.Helper()
		for call, err := range map[string]error{"Reschedule": d.Reschedule(time.Hour), "Remove": d.Remove()} {
			wantErr(t, call, err, asyncio.ErrInvalidState)
			if !strings.Contains(err.Error(), "Deadline."+call) || !strings.HasSuffix(err.Error(), state) {
				t.Errorf("%s: %v", state, err)
			}
		}
		if got := d.String(); got != "a Deadline ("+state+")" {
			t.Errorf("String = %s", got)
		}
	}
	if at, ok := new(asyncio.Deadline).When(); at != 0 || ok || new(asyncio.Deadline).Expired() {
		t.Errorf("not entered: %v, %v", at, ok)
	}
	refused(new(asyncio.Deadline), "not entered")
	var expired, finished *asyncio.Deadline
	run(t, func(ctx context.Context) error {
		asyncio.TimeoutScope(ctx, 3*time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
			expired = d
			if d.String() != "a Deadline (active until 3s)" {
				t.Errorf("String = %s", d)
			}
			asyncio.Sleep(ctx, time.Hour)
			refused(d, "expiring")
			return nil
		})
		asyncio.TimeoutScope(ctx, asyncio.Forever, func(ctx context.Context, d *asyncio.Deadline) error {
			finished = d
			if d.String() != "a Deadline (active without limit)" {
				t.Errorf("String = %s", d)
			}
			return nil
		})
		refused(expired, "expired")
		refused(finished, "finished")
		return asyncio.Sleep(ctx, time.Hour)
	})
	if !expired.Expired() || finished.Expired() {
		t.Errorf("%v, %v", expired, finished)
	}
}

// pitfall: 10
func TestTimeoutScope_ofNoTime_entersTheFunctionAndEndsItsFirstWait(t *testing.T) {
	for _, d := range []time.Duration{0, -1, -1 << 63} {
		run(t, func(ctx context.Context) error {
			entered := false
			err := asyncio.TimeoutScope(ctx, d, func(ctx context.Context, d *asyncio.Deadline) error {
				entered = d.Expired()
				return asyncio.Yield(ctx)
			})
			wantErr(t, "TimeoutScope", err, context.DeadlineExceeded)
			var timeout *asyncio.TimeoutError
			if !entered || !errors.As(err, &timeout) || timeout.After != d {
				t.Errorf("%v: entered expired %v, %v", d, entered, err)
			}
			return asyncio.Yield(ctx)
		})
	}
}

func TestTimeoutScope_contextTellsTheLimitsAroundAndNotItsOwn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
			around, _ := ctx.Deadline()
			return asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
				if at, ok := ctx.Deadline(); !ok || !at.Equal(around) {
					t.Errorf("Deadline = %v, %v, want %v", at, ok, around)
				}
				return nil
			})
		})
	})
}

func TestTimeoutScope_misuse(t *testing.T) {
	run(t, func(ctx context.Context) error {
		mustPanic(t, "asyncio: TimeoutScope: nil function", func() { asyncio.TimeoutScope(ctx, 1, nil) })
		mustPanic(t, "asyncio: Timeout: nil function", func() { asyncio.Timeout(ctx, 1, nil) })
		return asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
			elsewhere(func() { mustPanic(t, "Deadline.Reschedule: ", func() { d.Reschedule(0) }) })
			elsewhere(func() { mustPanic(t, "Deadline.Remove: ", func() { d.Remove() }) })
			return nil
		})
	})
	never := func(context.Context, *asyncio.Deadline) error { t.Error("it ran"); return nil }
	wantErr(t, "without a loop", asyncio.TimeoutScope(context.Background(), time.Second, never), asyncio.ErrNotOnLoop)
}

func TestForever_armsNoTimer_soADeadlockIsFound(t *testing.T) {
	for name, main := range map[string]func(ctx context.Context, event *asyncio.Event) error{
		"Timeout": func(ctx context.Context, event *asyncio.Event) error {
			return asyncio.Timeout(ctx, asyncio.Forever, event.Wait)
		},
		"WithTimeout": func(ctx context.Context, event *asyncio.Event) error {
			own, cancel := asyncio.WithTimeout(ctx, asyncio.Forever)
			defer cancel()
			if at, ok := own.Deadline(); ok {
				t.Errorf("Deadline = %v", at)
			}
			return event.Wait(own)
		},
		"TimeoutScope": func(ctx context.Context, event *asyncio.Event) error {
			return asyncio.TimeoutScope(ctx, asyncio.Forever, func(ctx context.Context, _ *asyncio.Deadline) error { return event.Wait(ctx) })
		},
		"a deadline removed": func(ctx context.Context, event *asyncio.Event) error {
			return asyncio.TimeoutScope(ctx, time.Hour, func(ctx context.Context, d *asyncio.Deadline) error {
				d.Remove()
				return event.Wait(ctx)
			})
		},
	} {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error { return main(ctx, &asyncio.Event{}) })
		var deadlock *asyncio.DeadlockError
		if !errors.As(err, &deadlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pitfall: 9
func TestTimeoutScope_nested_onlyItsOwnTimeIsItsTimeout(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var outer, inner *asyncio.Deadline
		err := asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
			outer = d
			return asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, d *asyncio.Deadline) error {
				inner = d
				asyncio.Sleep(ctx, time.Hour)
				return boom
			})
		})
		if err != boom || !outer.Expired() || inner.Expired() {
			t.Errorf("%v; outer %v, inner %v", err, outer, inner)
		}
		return asyncio.Yield(ctx)
	})
}

func TestDeadline_reschedule_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.TimeoutScope(ctx, time.Hour, func(ctx context.Context, d *asyncio.Deadline) error {
			at := time.Hour
			allocates(t, "Reschedule", 0, func() { at++; d.Reschedule(at) })
			return nil
		})
	})
}
