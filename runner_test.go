package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// conformance: runner-11 runner-13 runner-14 runner-15
func TestRunner_makesOneLoopWithItsOptions_forAllRuns(t *testing.T) {
	for _, debug := range []bool{true, false} {
		r := asyncio.NewRunner(asyncio.WithVirtualClock(), asyncio.WithDebug(debug), asyncio.WithPoller("portable"))
		var first *asyncio.Loop
		for i := range 3 {
			boom := errors.New("boom")
			err := r.Run(t.Context(), func(ctx context.Context) error {
				loop := asyncio.RunningLoop(ctx)
				if first == nil {
					first = loop
				}
				if loop != first || loop.Debug() != debug || engine.Unwrap(loop).Poller().Name() != "portable" {
					t.Errorf("run %d: the same loop %v, debug %v, poller %s", i, loop == first, loop.Debug(), engine.Unwrap(loop).Poller().Name())
				}
				asyncio.Sleep(ctx, time.Hour)
				return boom
			})
			wantErr(t, "Run", err, boom)
		}
		if loop, err := r.Loop(); loop != first || err != nil || loop.Time() != 3*time.Hour {
			t.Errorf("Loop = %v, %v", loop, err)
		}
		wantErr(t, "Close", r.Close(), nil)
		wantErr(t, "what was the loop", first.CallSoonThreadsafe(func() {}), asyncio.ErrLoopClosed)
	}
}

// conformance: runner-18 runner-19
func TestRunner_closed_isRefused(t *testing.T) {
	used, unused := asyncio.NewRunner(), asyncio.NewRunner()
	wantErr(t, "Run", used.Run(t.Context(), asyncio.Yield), nil)
	for _, r := range []*asyncio.Runner{used, unused} {
		wantErr(t, "Close", r.Close(), nil)
		wantErr(t, "Close again", r.Close(), nil)
		wantErr(t, "Run", r.Run(t.Context(), func(context.Context) error { t.Error("it ran"); return nil }), asyncio.ErrRunnerClosed)
		loop, err := r.Loop()
		wantErr(t, "Loop", err, asyncio.ErrRunnerClosed)
		if loop != nil {
			t.Error("a closed Runner gives a loop")
		}
	}
}

func TestRunner_whoseLoopCannotBeMade_saysSo(t *testing.T) {
	r := asyncio.NewRunner(asyncio.WithPoller("nonsense"))
	if err := r.Run(t.Context(), asyncio.Yield); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("Run: %v", err)
	}
	if _, err := r.Loop(); err == nil {
		t.Error("Loop succeeded")
	}
	wantErr(t, "Close", r.Close(), nil)
}

func TestRunner_whatARunLeavesBehind_goesOnInTheNextOne_andEndsWithClose(t *testing.T) {
	boom := errors.New("boom")
	var reports []asyncio.ExceptionInfo
	r := asyncio.NewRunner(asyncio.WithVirtualClock(), asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	ticks, fired, cleaned := 0, false, false
	var ticker *asyncio.Task[asyncio.None]
	wantErr(t, "first run", r.Run(t.Context(), func(ctx context.Context) error {
		ticker = asyncio.Go(ctx, func(ctx context.Context) error {
			for asyncio.Sleep(ctx, time.Second) == nil {
				ticks++
			}
			asyncio.Shield(ctx, sleepFor(time.Hour))
			cleaned = true
			return boom
		})
		asyncio.RunningLoop(ctx).CallLater(5*time.Second, func() { fired = true })
		return asyncio.Sleep(ctx, 2500*time.Millisecond)
	}), nil)
	if ticks != 2 || fired || ticker.Done() {
		t.Errorf("after the first run: %d ticks, fired %v, ticker %v", ticks, fired, ticker)
	}
	wantErr(t, "second run", r.Run(t.Context(), sleepFor(4*time.Second)), nil)
	if ticks != 6 || !fired || ticker.Cancelling() {
		t.Errorf("after the second run: %d ticks, fired %v, ticker %v", ticks, fired, ticker)
	}
	wantErr(t, "Close", r.Close(), nil)
	if ticks != 6 || !cleaned || len(reports) != 1 || reports[0].Err != boom {
		t.Errorf("after Close: %d ticks, cleaned up %v, reports %v", ticks, cleaned, reports)
	}
}

func TestRunner_contextOfARun_doesNotReachTheNextOne(t *testing.T) {
	r := asyncio.NewRunner(asyncio.WithVirtualClock())
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "cancelled run", r.Run(ctx, asyncio.Yield), context.Canceled)
	wantErr(t, "next run", r.Run(t.Context(), sleepFor(time.Second)), nil)
}

// conformance: runner-17
func TestRunner_awaitsAFutureOfAnEarlierRun(t *testing.T) {
	r := asyncio.NewRunner(asyncio.WithVirtualClock())
	defer r.Close()
	var task *asyncio.Task[int]
	wantErr(t, "first run", r.Run(t.Context(), func(ctx context.Context) error {
		task = asyncio.CreateTask(ctx, sleeper(42))
		return nil
	}), nil)
	var got int
	wantErr(t, "second run", r.Run(t.Context(), func(ctx context.Context) (err error) {
		got, err = task.Await(ctx)
		return err
	}), nil)
	if got != 42 {
		t.Errorf("got %d", got)
	}
}

// conformance: runner-21
func TestRunner_insideItsOwnLoop_isRefused(t *testing.T) {
	r := asyncio.NewRunner()
	defer r.Close()
	wantErr(t, "Run", r.Run(t.Context(), func(ctx context.Context) error {
		never := func(context.Context) error { t.Error("it ran"); return nil }
		if err := r.Run(ctx, never); err == nil || !strings.Contains(err.Error(), "running event loop") {
			t.Errorf("Run: %v", err)
		}
		if err := asyncio.RunningLoop(ctx).RunForever(ctx); err == nil || !strings.Contains(err.Error(), "running event loop") {
			t.Errorf("RunForever: %v", err)
		}
		if err := r.Close(); err == nil || !strings.Contains(err.Error(), "the loop is running") {
			t.Errorf("Close: %v", err)
		}
		return asyncio.Yield(ctx)
	}), nil)
}

func TestRunner_mainDeadlocks_isReported(t *testing.T) {
	r := asyncio.NewRunner()
	defer r.Close()
	var never asyncio.Event
	var deadlock *asyncio.DeadlockError
	if err := r.Run(context.Background(), never.Wait); !errors.As(err, &deadlock) {
		t.Errorf("Run: %v", err)
	}
	wantErr(t, "the run after it", r.Run(t.Context(), asyncio.Yield), nil)
}

func TestRunner_mainCallsGoexit_endsTheCaller_andTheRunnerRunsOn(t *testing.T) {
	r := asyncio.NewRunner(asyncio.WithVirtualClock())
	defer r.Close()
	returned := false
	elsewhere(func() {
		r.Run(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
		returned = true
	})
	if returned {
		t.Error("Run has returned")
	}
	wantErr(t, "next run", r.Run(t.Context(), sleepFor(time.Second)), nil)
}

func TestRunner_itsLoopIsClosedByHand_closeDoesNothing(t *testing.T) {
	r := asyncio.NewRunner()
	loop, err := r.Loop()
	wantErr(t, "Loop", err, nil)
	loop.Close()
	wantErr(t, "Close", r.Close(), nil)
}

func init() {
	children["runner interrupted"] = func() {
		r := asyncio.NewRunner()
		wait := func(ctx context.Context) error {
			fmt.Println("ready")
			return asyncio.Sleep(ctx, time.Minute)
		}
		for range 2 {
			fmt.Println(errors.Is(r.Run(context.Background(), wait), asyncio.ErrInterrupted))
		}
		fmt.Println("closed:", r.Close())
		fmt.Println("idle")
		time.Sleep(time.Minute)
	}
}

func TestRunner_interrupted_eachRunForItself_andBetweenThemTheProgramEnds(t *testing.T) {
	cmd, lines := child(t, "runner interrupted")
	for range 2 {
		wantLine(t, lines, "ready")
		cmd.Process.Signal(os.Interrupt)
		wantLine(t, lines, "true")
	}
	wantLine(t, lines, "closed: <nil>")
	wantLine(t, lines, "idle")
	cmd.Process.Signal(os.Interrupt)
	wantSignal(t, cmd)
}
