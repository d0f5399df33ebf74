package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-asyncio/asyncio"
)

// ticked starts a task that notes when it gets its next n ticks.
func ticked(ctx context.Context, k *asyncio.Ticker, log *[]string, name string, n int) *asyncio.Task[asyncio.None] {
	loop := quietLoop(ctx)
	return asyncio.Go(ctx, func(ctx context.Context) error {
		for range n {
			if err := k.Wait(ctx); err != nil {
				*log = append(*log, fmt.Sprintf("%s: %v", name, err))
				return nil
			}
			*log = append(*log, fmt.Sprintf("%s %v", name, loop.Time()))
		}
		return nil
	})
}

func TestTicker_doesNotDrift_howeverLongTheWorkTakes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.Sleep(ctx, 300*time.Millisecond)
		k := asyncio.NewTicker(ctx, time.Second)
		for n := range 1000 {
			if err := k.Wait(ctx); err != nil {
				return err
			}
			if want := 300*time.Millisecond + time.Duration(n+1)*time.Second; loop.Time() != want {
				t.Fatalf("tick %d at %v, want %v", n, loop.Time(), want)
			}
			asyncio.Sleep(ctx, time.Duration(n%1000)*time.Millisecond)
		}
		return nil
	})
}

func TestTicker_missedTicks(t *testing.T) {
	for _, c := range []struct {
		missed asyncio.MissedTicks
		want   string
	}{
		{asyncio.SkipMissed, "1s, 4.5s, 5s, 6s, 7s, 8s"},
		{asyncio.BurstMissed, "1s, 4.5s, 4.5s, 4.5s, 5s, 6s"},
		{asyncio.DelayMissed, "1s, 4.5s, 5.5s, 6.5s, 7.5s, 8.5s"},
	} {
		run(t, func(ctx context.Context) error {
			k := asyncio.NewTicker(ctx, time.Second)
			k.Missed = c.missed
			var log []string
			for n := range 6 {
				if err := k.Wait(ctx); err != nil {
					return err
				}
				log = append(log, quietLoop(ctx).Time().String())
				if n == 0 {
					asyncio.Sleep(ctx, 3500*time.Millisecond)
				}
			}
			wantLog(t, fmt.Sprint("mode ", c.missed), log, c.want)
			return nil
		})
	}
}

// A tick that comes a little late to one who waits, because something else took its
// time, puts nothing off; if others were missed meanwhile, the rule for those holds.
func TestTicker_loopHeldUp(t *testing.T) {
	for _, c := range []struct {
		missed asyncio.MissedTicks
		want   string
	}{
		{asyncio.SkipMissed, "[1.3 2 4.5 5 6]"},
		{asyncio.BurstMissed, "[1.3 2 4.5 4.5 5]"},
		{asyncio.DelayMissed, "[1.3 2 4.5 5.5 6.5]"},
	} {
		synctest.Test(t, func(t *testing.T) { // so that time.Sleep holds up the loop, but nobody else
			err := asyncio.Run(context.Background(), func(ctx context.Context) error {
				k := asyncio.NewTicker(ctx, time.Second)
				k.Missed = c.missed
				var log []float64
				for n := range 5 {
					switch n {
					case 0:
						asyncio.RunningLoop(ctx).CallSoon(func() { time.Sleep(1300 * time.Millisecond) })
					case 2:
						asyncio.RunningLoop(ctx).CallSoon(func() { time.Sleep(2500 * time.Millisecond) })
					}
					if err := k.Wait(ctx); err != nil {
						return err
					}
					log = append(log, asyncio.RunningLoop(ctx).Time().Seconds())
				}
				if got := fmt.Sprint(log); got != c.want {
					t.Errorf("mode %d: ticks at %s, want %s", c.missed, got, c.want)
				}
				return nil
			}, asyncio.WithWatchdog(0), fifo)
			wantErr(t, "Run", err, nil)
		})
	}
}

func TestTicker_eachTickGoesToTheOneThatHasWaitedLongest(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Second)
		var log []string
		ticked(ctx, k, &log, "a", 2)
		ticked(ctx, k, &log, "b", 1)
		gone := ticked(ctx, k, &log, "c", 1)
		ticked(ctx, k, &log, "d", 1)
		letWait(t, ctx)
		if s := k.String(); s != "a Ticker (every 1s, next at 1s, 4 wait)" {
			t.Error(s)
		}
		gone.Cancel()
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "ticks", log, "c: context canceled, a 1s, b 2s, d 3s, a 4s")
		return nil
	}, fifo)
}

// The loop is held up past the tick by a task that then wants it, too.
func TestTicker_nobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			k := asyncio.NewTicker(ctx, time.Second)
			var log []string
			task := ticked(ctx, k, &log, "a", 1)
			asyncio.Sleep(ctx, time.Second/2)
			time.Sleep(time.Second)
			err := k.Wait(ctx)
			if now := asyncio.RunningLoop(ctx).Time(); now != 2*time.Second || !task.Done() {
				t.Errorf("the second one got its tick at %v; the first one has ended %v", now, task.Done())
			}
			return err
		}, asyncio.WithWatchdog(0))
		wantErr(t, "Run", err, nil)
	})
}

func TestTicker_cancelledWait_takesNoTick(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Second)
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		asyncio.Sleep(ctx, time.Second)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		wantErr(t, "Wait under a done context", k.Wait(done), boom)
		if others != 1 {
			t.Error("it has not yielded once")
		}
		wantErr(t, "Wait", k.Wait(ctx), nil)
		if now := quietLoop(ctx).Time(); now != time.Second {
			t.Errorf("the tick came at %v", now)
		}
		// What is given in the turn of the cancellation is kept.
		var log []string
		task := ticked(ctx, k, &log, "a", 1)
		asyncio.RunningLoop(ctx).CallAt(2*time.Second, func() { task.Cancel() })
		letWait(t, ctx)
		ticked(ctx, k, &log, "b", 1)
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "ticks", log, "a 2s, b 3s")
		return nil
	})
}

func TestTicker_resetAndStop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var k asyncio.Ticker
		wantErr(t, "Wait on a zero Ticker", k.Wait(ctx), asyncio.ErrTickerStopped)
		k.Reset(time.Minute)
		var log []string
		ticked(ctx, &k, &log, "a", 9)
		asyncio.Sleep(ctx, 30*time.Second)
		k.Reset(time.Second)
		asyncio.Sleep(ctx, 2500*time.Millisecond)
		k.Stop()
		k.Stop()
		letWait(t, ctx)
		wantLog(t, "ticks", log, "a 31s, a 32s, a: asyncio: the ticker is stopped")
		if s := k.String(); s != "a Ticker (stopped)" {
			t.Error(s)
		}
		k.Reset(time.Second)
		wantErr(t, "Wait after Reset", k.Wait(ctx), nil)
		return nil
	})
}

func TestTicker_all_endsWhenItIsStopped(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Hour)
		start, n := asyncio.Now(ctx), 0
		for at, err := range k.All(ctx) {
			if n++; err != nil || at.Sub(start) != time.Duration(n)*time.Hour {
				t.Errorf("tick %d at %v, %v", n, at.Sub(start), err)
			}
			if n == 3 {
				k.Stop()
			}
		}
		k.Reset(time.Hour)
		err := asyncio.Timeout(ctx, 90*time.Minute, func(ctx context.Context) (last error) {
			for _, err := range k.All(ctx) {
				n, last = n+1, err
			}
			return last
		})
		wantErr(t, "All under a timeout", err, context.DeadlineExceeded)
		if n != 5 {
			t.Errorf("the loops went round %d times", n)
		}
		return nil
	})
}

func TestTicker_inASelect(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Second)
		var stop asyncio.Event
		loop := quietLoop(ctx)
		loop.CallAt(2500*time.Millisecond, stop.Set)
		var log []string
		for {
			chosen, err := asyncio.Select(ctx, &stop, k)
			if err != nil {
				return err
			}
			if chosen == &stop {
				break
			}
			log = append(log, loop.Time().String())
		}
		wantLog(t, "ticks", log, "1s, 2s")
		loop.CallLater(time.Millisecond, k.Stop)
		chosen, err := asyncio.Select(ctx, k, (*asyncio.Ticker)(nil))
		if chosen != k {
			t.Errorf("chose %v", chosen)
		}
		wantErr(t, "Select", err, asyncio.ErrTickerStopped)
		return nil
	})
}

// A timer that nobody waits for would put off the report of a deadlock.
func TestTicker_whenNobodyWaits_hasNoTimer(t *testing.T) {
	var end time.Duration
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Hour)
		var log []string
		task := ticked(ctx, k, &log, "a", 1)
		asyncio.Select(ctx, k, asyncio.Sleeping(time.Second))
		task.Cancel()
		letWait(t, ctx)
		asyncio.Select(ctx, k, asyncio.Sleeping(time.Second))
		err := new(asyncio.Event).Wait(ctx)
		end = quietLoop(ctx).Time()
		return err
	}, asyncio.WithVirtualClock())
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) || end >= time.Hour {
		t.Errorf("after %v: %v; want a deadlock at once", end, err)
	}
}

func TestTicker_misuse_isNamed(t *testing.T) {
	var k asyncio.Ticker
	mustPanic(t, "Ticker.Reset: asyncio: called from a goroutine that is not the event loop's", func() { k.Reset(1) })
	run(t, func(ctx context.Context) error {
		mustPanic(t, "NewTicker: the period is 0s; it must be positive", func() { asyncio.NewTicker(ctx, 0) })
		mustPanic(t, "Ticker.Reset: the period is -1s", func() { k.Reset(-time.Second) })
		mustPanic(t, "Every: the period is 0s", func() { asyncio.Every(ctx, 0, asyncio.Yield) })
		mustPanic(t, "Every: nil function", func() { asyncio.Every(ctx, 1, nil) })
		k.Reset(time.Second)
		elsewhere(func() {
			wantErr(t, "Wait", k.Wait(ctx), asyncio.ErrWrongGoroutine)
			mustPanic(t, "Ticker.Stop", k.Stop)
			onAnotherLoop(t, func(ctx context.Context) error { return k.Wait(ctx) })
		})
		return nil
	})
	run(t, func(ctx context.Context) error {
		wantErr(t, "on a new clock", k.Wait(ctx), asyncio.ErrTickerStopped)
		return nil
	})
}

func TestTicker_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		k := asyncio.NewTicker(ctx, time.Second)
		allocates(t, "a wait for a tick", 0, func() { k.Wait(ctx) })
		allocates(t, "a Select with a ticker", 0, func() { asyncio.Select(ctx, k) })
		return nil
	})
}

func TestEvery_skipsWhatALongCallMisses(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop, boom := quietLoop(ctx), errors.New("boom")
		var log []string
		running := false
		err := asyncio.Every(ctx, time.Second, func(ctx context.Context) error {
			if running {
				t.Error("two calls at once")
			}
			running = true
			defer func() { running = false }()
			log = append(log, loop.Time().String())
			switch len(log) {
			case 2:
				return asyncio.Sleep(ctx, 1700*time.Millisecond)
			case 3:
				return nil
			case 4:
				return boom
			}
			return asyncio.Sleep(ctx, 999*time.Millisecond)
		})
		wantErr(t, "Every", err, boom)
		wantLog(t, "calls", log, "1s, 2s, 3.7s, 4s")
		n := 0
		err = asyncio.Timeout(ctx, 3500*time.Millisecond, func(ctx context.Context) error {
			return asyncio.Every(ctx, time.Second, func(context.Context) error { n++; return nil })
		})
		wantErr(t, "Every under a timeout", err, context.DeadlineExceeded)
		if n != 3 {
			t.Errorf("%d calls in 3.5s", n)
		}
		return nil
	})
}
