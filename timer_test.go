package asyncio_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// clockLoop returns a loop with a virtual clock that the test steps itself.
func clockLoop(t *testing.T, opts ...asyncio.Option) *asyncio.Loop {
	t.Helper()
	loop, err := asyncio.NewLoop(append([]asyncio.Option{asyncio.WithVirtualClock()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	return loop
}

// runAll runs the loop until nothing is left to do.
func runAll(loop *asyncio.Loop) {
	for loop.RunOnce() {
	}
}

const forEver = time.Duration(math.MaxInt64)

// conformance: loop-10
func TestTimer_firesInTheOrderOfTime_thenInThatOfArming(t *testing.T) {
	loop := clockLoop(t)
	var order []int
	delays := []time.Duration{3, 1, 0, 2, 1, -1, 3, -5, 0, math.MinInt64, 2}
	for i, d := range delays {
		loop.CallLater(d, func() { order = append(order, i) })
	}
	runAll(loop)
	if fmt.Sprint(order) != "[9 7 5 2 8 1 4 3 10 0 6]" {
		t.Errorf("order %v", order)
	}
}

func TestTimer_onAVirtualClock_firesExactlyOnTime(t *testing.T) {
	loop := clockLoop(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	fired := 0
	for range 1000 {
		when := time.Duration(rnd.Int64N(int64(1000 * time.Hour)))
		loop.CallAt(when, func() {
			fired++
			if loop.Time() != when {
				t.Errorf("fired at %v, want %v", loop.Time(), when)
			}
		})
	}
	runAll(loop)
	if fired != 1000 {
		t.Errorf("%d fired, want 1000", fired)
	}
}

func TestTimer_armedAgain_firesOnceAtTheNewTime(t *testing.T) {
	loop := clockLoop(t)
	var timer asyncio.Timer
	var fired []time.Duration
	timer.Init(loop, func() { fired = append(fired, loop.Time()) })
	if timer.Active() {
		t.Error("active before it was armed")
	}
	timer.Reset(time.Hour)
	timer.Reset(time.Second)
	timer.Reset(time.Minute)
	if !timer.Active() || timer.When() != time.Minute {
		t.Errorf("active %v, when %v", timer.Active(), timer.When())
	}
	runAll(loop)
	if fmt.Sprint(fired) != "[1m0s]" || timer.Active() || timer.Stop() {
		t.Errorf("fired at %v, active %v", fired, timer.Active())
	}
	timer.ResetAt(time.Hour)
	runAll(loop)
	if fmt.Sprint(fired) != "[1m0s 1h0m0s]" {
		t.Errorf("fired at %v", fired)
	}
}

// conformance: handle-09
func TestTimer_stopped_doesNotFire_andLeavesNothingBehind(t *testing.T) {
	loop := clockLoop(t)
	first := loop.CallLater(time.Second, func() { t.Error("a stopped timer fired") })
	fired := false
	loop.CallLater(time.Hour, func() { fired = true })
	if !first.Stop() || first.Stop() || first.Active() {
		t.Error("Stop reported the wrong thing")
	}
	loop.RunOnce()
	if !fired || loop.Time() != time.Hour {
		t.Errorf("fired %v at %v: the stopped timer shortened the wait", fired, loop.Time())
	}
	var zero asyncio.Timer
	if zero.Stop() || zero.Active() {
		t.Error("a Timer that was never armed was stopped")
	}
}

func TestTimer_stoppedWhenDueButBeforeItsTurn_doesNotFire(t *testing.T) {
	loop := clockLoop(t)
	var second *asyncio.Timer
	fired := 0
	loop.CallLater(time.Second, func() {
		if !second.Active() || !second.Stop() || second.Active() {
			t.Error("the second timer had its turn already")
		}
	})
	second = loop.CallLater(time.Second, func() { fired++ })
	runAll(loop)
	if fired != 0 {
		t.Error("a stopped timer fired")
	}
	second.Reset(time.Second)
	runAll(loop)
	if fired != 1 {
		t.Errorf("armed again, it fired %d times", fired)
	}
}

func TestTimer_armedAgainWhenDueButBeforeItsTurn_firesOnceAndLater(t *testing.T) {
	loop := clockLoop(t)
	var second *asyncio.Timer
	var fired []time.Duration
	loop.CallLater(time.Second, func() { second.Reset(time.Minute) })
	second = loop.CallLater(time.Second, func() { fired = append(fired, loop.Time()) })
	runAll(loop)
	if fmt.Sprint(fired) != "[1m1s]" {
		t.Errorf("fired at %v", fired)
	}
}

func TestTimer_armedAgainInItsOwnCallback_goesOn(t *testing.T) {
	loop := clockLoop(t)
	var tick asyncio.Timer
	var fired []time.Duration
	tick.Init(loop, func() {
		if fired = append(fired, loop.Time()); len(fired) < 5 {
			tick.Reset(time.Second)
		}
	})
	tick.Reset(0)
	runAll(loop)
	if fmt.Sprint(fired) != "[0s 1s 2s 3s 4s]" {
		t.Errorf("fired at %v", fired)
	}
}

func TestTimer_armedForNowInItsOwnCallback_doesNotStarveOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var tick asyncio.Timer
		ticks := 0
		tick.Init(loop, func() { ticks++; tick.Reset(-time.Second) })
		tick.Reset(0)
		for range 1000 {
			asyncio.Yield(ctx)
		}
		if ticks == 0 {
			t.Error("the timer starved")
		}
		_, err := asyncio.ToThread(ctx, func() (int, error) { return 0, nil })
		tick.Stop()
		return err
	})
}

func TestTimer_hugeTimes_meanForEver(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.Sleep(ctx, time.Hour)
		timer := loop.CallLater(forEver, func() { t.Error("fired") })
		if timer.When() != forEver {
			t.Errorf("when %v", timer.When())
		}
		return asyncio.Sleep(ctx, 100*365*24*time.Hour)
	})
}

func TestTimer_hugeTimes_onTheRealClock(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.CallLater(forEver, func() { t.Error("fired") })
		loop.CallAt(math.MinInt64, func() {})
		go loop.CallSoonThreadsafe(func() {}) // wakes a loop that sleeps nearly for ever
		return asyncio.Timeout(ctx, forEver, func(ctx context.Context) error {
			return asyncio.Sleep(ctx, time.Millisecond)
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// conformance: loop-23
func TestSleep_takesAtLeastItsTime(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for _, d := range []time.Duration{time.Nanosecond, time.Microsecond, 100 * time.Microsecond, 3 * time.Millisecond} {
			start := time.Now()
			if err := asyncio.Sleep(ctx, d); err != nil {
				return err
			}
			if took := time.Since(start); took < d {
				t.Errorf("Sleep(%v) took %v", d, took)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTimer_misuse_panics(t *testing.T) {
	loop := clockLoop(t)
	var timer asyncio.Timer
	mustPanic(t, "asyncio: Timer.Reset: the Timer is not initialised; call Init first", func() { timer.Reset(1) })
	mustPanic(t, "asyncio: Timer.ResetAt: the Timer is not initialised; call Init first", func() { timer.ResetAt(1) })
	mustPanic(t, "asyncio: Timer.Init: nil function", func() { timer.Init(loop, nil) })
	timer.Init(loop, func() {})
	timer.Reset(time.Hour)
	mustPanic(t, "asyncio: Timer.Init: the Timer is armed; stop it first", func() { timer.Init(loop, func() {}) })
	timer.Stop()
	timer.Init(loop, func() {})
	run(t, func(ctx context.Context) error {
		var timer asyncio.Timer
		timer.Init(asyncio.RunningLoop(ctx), func() {})
		elsewhere(func() {
			mustPanic(t, "Timer.Reset: asyncio: called from a goroutine that is not", func() { timer.Reset(1) })
			mustPanic(t, "Timer.ResetAt: asyncio: called from a goroutine that is not", func() { timer.ResetAt(1) })
			mustPanic(t, "Timer.Stop: asyncio: called from a goroutine that is not", func() { timer.Stop() })
		})
		return nil
	})
}

func TestTimer_armingAgain_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var timer asyncio.Timer
		timer.Init(loop, func() {})
		timer.Reset(time.Second)
		allocates(t, "arming an armed timer", 0, func() { timer.Reset(time.Second) })
		allocates(t, "stopping and arming", 0, func() { timer.Stop(); timer.Reset(time.Second) })
		allocates(t, "a sleep that a timer ends", 0, func() { timer.Reset(0); asyncio.Sleep(ctx, time.Second) })
		allocates(t, "CallLater", 1, func() { loop.CallLater(time.Second, func() {}).Stop() })
		return nil
	})
}
