package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: sleep-01
func TestAfter_givesItsValueWhenTheTimeIsUp(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		v, err := asyncio.After(ctx, time.Minute, "x").Await(ctx)
		if v != "x" || err != nil || loop.Time() != time.Minute {
			t.Errorf("got %q, %v after %v", v, err, loop.Time())
		}
		v, err = asyncio.After(ctx, -time.Minute, "y").Await(ctx)
		if v != "y" || err != nil || loop.Time() != time.Minute {
			t.Errorf("negative: got %q, %v after %v", v, err, loop.Time())
		}
		wantErr(t, "Sleep", asyncio.Sleep(ctx, time.Hour), nil)
		if loop.Time() != time.Hour+time.Minute {
			t.Errorf("slept until %v", loop.Time())
		}
		return nil
	})
}

func TestSleep_realClock_lastsAsLongAsAsked(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		start := time.Now()
		err := asyncio.Sleep(ctx, 5*time.Millisecond)
		if d := time.Since(start); d < 5*time.Millisecond {
			t.Errorf("slept %v", d)
		}
		return err
	})
	wantErr(t, "Run", err, nil)
}

func TestSleep_forEver_isEndedByItsContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { return asyncio.Sleep(ctx, 1<<63-1) })
		wantErr(t, "Sleep", err, context.DeadlineExceeded)
		return nil
	})
}

// conformance: sleep-04
func TestSleep_ofACancelledChild_theParentHearsOfItAtThatTime(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		child := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return 0, asyncio.Sleep(ctx, time.Hour) })
		loop.CallLater(time.Second, func() { child.Cancel() })
		_, err := child.Await(ctx)
		wantErr(t, "Await", err, context.Canceled)
		if loop.Time() != time.Second {
			t.Errorf("heard of it at %v", loop.Time())
		}
		return asyncio.Sleep(ctx, time.Second)
	})
}

// conformance: sleep-05
func TestYield_whatIsReadyRunsFirst_once(t *testing.T) {
	for name, yield := range map[string]func(context.Context) error{
		"Yield":          asyncio.Yield,
		"Sleep(0)":       func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) },
		"Sleep(-1)":      func(ctx context.Context) error { return asyncio.Sleep(ctx, -1) },
		"Sleep(MinInt)":  func(ctx context.Context) error { return asyncio.Sleep(ctx, -1<<63) },
		"a value's ctx":  func(ctx context.Context) error { return asyncio.Yield(context.WithValue(ctx, key("k"), 1)) },
		"a standard ctx": func(ctx context.Context) error { c, f := context.WithCancel(ctx); defer f(); return asyncio.Yield(c) },
	} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			var order []string
			loop.CallSoon(func() {
				order = append(order, "callback")
				loop.CallSoon(func() { order = append(order, "callback's callback") })
			})
			asyncio.Go(ctx, func(context.Context) error { order = append(order, "task"); return nil })
			if err := yield(ctx); err != nil {
				return err
			}
			if len(order) != 2 || order[0] != "callback" || order[1] != "task" {
				t.Errorf("%s: order %v", name, order)
			}
			return nil
		}, fifo)
	}
}

func TestSleep_cancelledAtTheVeryTime_isOneOrTheOther(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for _, cancelFirst := range []bool{true, false} {
			boom := errors.New("boom")
			own, cancel := asyncio.WithCancel(ctx)
			if cancelFirst {
				loop.CallLater(time.Second, func() { cancel(boom) })
			}
			task := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
			asyncio.Yield(ctx)
			if !cancelFirst {
				loop.CallLater(time.Second, func() { cancel(boom) })
			}
			err := asyncio.Sleep(own, time.Second)
			if err != nil && err != boom {
				t.Errorf("got %v", err)
			}
			wantErr(t, "the next", asyncio.Sleep(own, time.Second), boom)
			_, err = task.Await(ctx)
			wantErr(t, "another task", err, nil)
		}
		return nil
	})
}

// A timer that was armed for a sleep must not end a later wait.
func TestSleep_endedEarly_itsTimerDoesNotEndAnotherWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for i := range 100 {
			own, cancel := asyncio.WithCancel(ctx)
			loop.CallLater(time.Duration(i), func() { cancel(nil) })
			asyncio.Sleep(own, 50)
			start := loop.Time()
			wantErr(t, "Sleep", asyncio.Sleep(ctx, time.Hour), nil)
			if d := loop.Time() - start; d != time.Hour {
				t.Fatalf("slept %v, want 1h", d)
			}
		}
		return nil
	})
}

func TestAfter_endedBeforeItsTime_leavesNoTimerBehind(t *testing.T) {
	boom := errors.New("boom")
	for name, end := range map[string]func(f *asyncio.Future[string]) bool{
		"Cancel":    func(f *asyncio.Future[string]) bool { return f.Cancel() },
		"SetResult": func(f *asyncio.Future[string]) bool { return f.SetResult("early") == nil },
		"SetError":  func(f *asyncio.Future[string]) bool { return f.SetError(boom) == nil },
	} {
		loop := clockLoop(t)
		var f *asyncio.Future[string]
		loop.CallSoon(func() {
			f = asyncio.After(loop.Context(), time.Hour, "late")
			if !end(f) || end(f) {
				t.Errorf("%s: not once", name)
			}
		})
		runAll(loop)
		if loop.Time() != 0 {
			t.Errorf("%s: the timer is still armed; the time is %v", name, loop.Time())
		}
		v, err := f.Result()
		got := map[string]struct {
			v   string
			err error
		}{"Cancel": {"", context.Canceled}, "SetResult": {"early", nil}, "SetError": {"", boom}}[name]
		if v != got.v || err != got.err {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

func TestAfter_cancelledAfterItsTime_keepsItsValue(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := asyncio.After(ctx, time.Hour, "x")
		asyncio.Sleep(ctx, time.Hour)
		if f.Cancel() || f.SetResult("y") == nil {
			t.Error("it ended twice")
		}
		if v, err := f.Await(ctx); v != "x" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
		return nil
	}, fifo)
}
