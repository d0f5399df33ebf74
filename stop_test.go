package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: loop-24 task-cancel-18
// pitfall: 32
func TestLoop_stopped_mainStaysPendingAndGoesOnInTheNextRun(t *testing.T) {
	loop := clockLoop(t, noReports(t))
	steps, other := 0, 0
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		for asyncio.Sleep(ctx, time.Second) == nil {
			other++
		}
		return nil
	})
	main := func(ctx context.Context) error {
		for asyncio.Sleep(ctx, time.Second) == nil {
			if steps++; steps == 2 {
				asyncio.RunningLoop(ctx).Stop()
			}
		}
		return ctx.Err()
	}
	wantErr(t, "Run", loop.Run(t.Context(), main), asyncio.ErrLoopStopped)
	if steps != 2 || other != 2 {
		t.Errorf("after the stop: main has made %d steps, the other task %d", steps, other)
	}
	wantErr(t, "the next run", loop.Run(t.Context(), sleepFor(3*time.Second)), nil)
	if steps != 5 || other != 5 {
		t.Errorf("after the next run: main has made %d steps, the other task %d", steps, other)
	}
}

func TestLoop_stopped_mainFailsInALaterRun_isReported(t *testing.T) {
	boom := errors.New("boom")
	var reports []asyncio.ExceptionInfo
	loop := clockLoop(t, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	loop.CallSoon(loop.Stop)
	err := loop.Run(t.Context(), func(ctx context.Context) error { asyncio.Sleep(ctx, time.Second); return boom })
	wantErr(t, "Run", err, asyncio.ErrLoopStopped)
	wantErr(t, "the next run", loop.Run(t.Context(), sleepFor(time.Minute)), nil)
	loop.Close()
	if len(reports) != 1 || reports[0].Err != boom || reports[0].Task != "main" {
		t.Errorf("reported: %v", reports)
	}
}

func TestLoop_stopped_theContextOfTheRunIsStillMains(t *testing.T) {
	loop := clockLoop(t)
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	var got error
	var never asyncio.Event
	loop.CallSoon(loop.Stop)
	err := loop.Run(ctx, func(ctx context.Context) error { got = never.Wait(ctx); return got })
	wantErr(t, "Run", err, asyncio.ErrLoopStopped)
	cancel(cause)
	wantErr(t, "the next run", loop.Run(t.Context(), func(ctx context.Context) error {
		for got == nil && ctx.Err() == nil {
			asyncio.Yield(ctx)
		}
		return nil
	}), nil)
	wantErr(t, "main", got, cause)
}

// conformance: loop-18 loop-19 loop-25
// pitfall: 32
func TestRunForever_stoppedBefore_makesOneTurnAndDoesNotWait(t *testing.T) {
	loop := clockLoop(t)
	ran := ""
	say := func(s string) func() { return func() { ran += s + " " } }
	loop.Stop()
	wantErr(t, "with nothing to do", loop.RunForever(t.Context()), nil)
	loop.CallLater(time.Hour, say("timer"))
	loop.Stop()
	wantErr(t, "with a timer", loop.RunForever(t.Context()), nil)
	loop.CallSoon(say("before"))
	loop.CallSoon(func() { loop.Stop(); loop.CallSoon(say("next")) })
	loop.CallSoon(say("after"))
	wantErr(t, "stopped in a callback", loop.RunForever(t.Context()), nil)
	if ran != "before after " {
		t.Errorf("in the turn: %s", ran)
	}
	loop.CallLater(2*time.Hour, loop.Stop)
	wantErr(t, "stopped by a timer", loop.RunForever(t.Context()), nil)
	if ran != "before after next timer " || loop.Time() != 2*time.Hour {
		t.Errorf("at %v: %s", loop.Time(), ran)
	}
}

// conformance: loop-17
// pitfall: 32
func TestStop_whatCameUpInTheLastTurn_isHandledOnceInTheNextRun(t *testing.T) {
	loop := clockLoop(t, fifo)
	counts := map[string]int{}
	count := func(what string) func() { return func() { counts[what]++ } }
	future := asyncio.NewFuture[int](loop)
	future.AddDoneCallback(func(*asyncio.Future[int]) { counts["done callback"]++ })
	waiter := asyncio.CreateTask(loop.Context(), func(ctx context.Context) (int, error) {
		defer count("waiter")()
		return future.Await(ctx)
	})
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		asyncio.Yield(ctx)
		loop.Stop()
		future.SetResult(1)
		loop.CallSoon(count("soon"))
		loop.CallLater(0, count("timer"))
		loop.CallSoonThreadsafe(count("threadsafe"))
		asyncio.Go(ctx, func(context.Context) error { counts["task"]++; return nil })
		asyncio.Yield(ctx)
		counts["who stopped it"]++
		return nil
	})
	wantErr(t, "RunForever", loop.RunForever(t.Context()), nil)
	if len(counts) != 0 {
		t.Errorf("in the turn of the stop: %v", counts)
	}
	loop.CallLater(time.Second, loop.Stop)
	wantErr(t, "RunForever", loop.RunForever(t.Context()), nil)
	want := "map[done callback:1 soon:1 task:1 threadsafe:1 timer:1 waiter:1 who stopped it:1]"
	if got := fmt.Sprint(counts); got != want || !waiter.Done() {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// conformance: loop-15 loop-16
// pitfall: 15
// pitfall: 32
func TestRun_abortedByGoexit_leavesNoStopAndReportsNothing(t *testing.T) {
	loop := clockLoop(t, noReports(t))
	for name, main := range map[string]func(context.Context) error{
		"in main": func(context.Context) error { loop.Stop(); runtime.Goexit(); return nil },
		"in a callback": func(ctx context.Context) error {
			loop.CallSoon(func() { loop.Stop(); runtime.Goexit() })
			return asyncio.Yield(ctx)
		},
		"returned": func(context.Context) error { loop.Stop(); return nil },
	} {
		elsewhere(func() { loop.Run(t.Context(), main) })
		slept := false
		wantErr(t, name+": the next run", loop.Run(t.Context(), func(ctx context.Context) error {
			err := asyncio.Sleep(ctx, time.Second)
			slept = true
			return err
		}), nil)
		if !slept {
			t.Errorf("%s: the next run has not run main to its end", name)
		}
	}
}

func TestStop_whenMainHasEnded_leftoversAreAwaitedAllTheSame(t *testing.T) {
	loop := clockLoop(t)
	cleaned := false
	wantErr(t, "Run", loop.Run(t.Context(), func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Sleep(ctx, time.Hour)
			loop.Stop()
			asyncio.Shield(ctx, sleepFor(time.Hour))
			cleaned = true
			return nil
		})
		asyncio.Yield(ctx)
		loop.Stop()
		return nil
	}), nil)
	if !cleaned {
		t.Error("the task was left in its clean-up")
	}
}

func TestRun_stopped_mainIsCancelledAndAwaited(t *testing.T) {
	cleaned := false
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		asyncio.RunningLoop(ctx).Stop()
		err := asyncio.Sleep(ctx, time.Hour)
		wantErr(t, "main", err, context.Canceled)
		asyncio.Shield(ctx, sleepFor(time.Hour))
		cleaned = true
		return err
	}, asyncio.WithVirtualClock())
	if err != asyncio.ErrLoopStopped || !cleaned {
		t.Errorf("Run = %v, main has cleaned up: %v", err, cleaned)
	}
}

func TestStop_fromAnotherGoroutine_panics_butNotByCallSoonThreadsafe(t *testing.T) {
	loop, err := asyncio.NewLoop()
	wantErr(t, "NewLoop", err, nil)
	loop.CallSoon(func() {
		elsewhere(func() {
			mustPanic(t, "asyncio: Loop.Stop: ", loop.Stop)
			loop.CallSoonThreadsafe(loop.Stop)
		})
	})
	wantErr(t, "RunForever", loop.RunForever(t.Context()), nil)
	loop.Close()
	mustPanic(t, "asyncio: Loop.Stop: asyncio: the event loop is closed", loop.Stop)
}

func TestRunForever_contextEnds_cancelsWhatWasMadeInTheRun_andReturnsTheCause(t *testing.T) {
	loop, err := asyncio.NewLoop(noReports(t))
	wantErr(t, "NewLoop", err, nil)
	defer loop.Close()
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	older := asyncio.Go(loop.Context(), sleepFor(time.Hour))
	var inRun *asyncio.Task[asyncio.None]
	loop.CallSoon(func() {
		inRun = asyncio.Go(loop.Context(), sleepFor(time.Hour))
		loop.CallSoon(func() { go cancel(cause) })
	})
	wantErr(t, "RunForever", loop.RunForever(ctx), cause)
	if older.Done() || older.Cancelling() || inRun.Done() && !inRun.Cancelled() || !inRun.Done() && !inRun.Cancelling() {
		t.Errorf("older %v, made in the run %v", older, inRun)
	}
	wantErr(t, "RunForever again", loop.RunForever(ctx), cause)
}

func TestRunForever_itsContextEnds_returnsTheCause(t *testing.T) {
	r := asyncio.NewRunner()
	defer r.Close()
	loop, err := r.Loop()
	wantErr(t, "Loop", err, nil)
	ctx, cancel := context.WithCancel(t.Context())
	loop.CallSoon(func() { go cancel() })
	wantErr(t, "cancelled", loop.RunForever(ctx), context.Canceled)
}

// A loop that is closed ends as Run does: also a run that was stopped, or whose context
// has ended, leaves nobody without clean-up.
func TestRunForever_ended_closeAwaitsTheCleanUpOfItsTasks(t *testing.T) {
	stopped := func(loop *asyncio.Loop) error {
		loop.CallLater(time.Second, loop.Stop)
		return loop.RunForever(t.Context())
	}
	for name, end := range map[string]func(*asyncio.Loop) error{"stopped": stopped} {
		loop := clockLoop(t)
		var cleanUp error = errors.New("it did not run")
		loop.CallSoon(func() {
			asyncio.Go(loop.Context(), func(ctx context.Context) error {
				defer func() { cleanUp = asyncio.Shield(ctx, sleepFor(time.Minute)) }()
				return asyncio.Sleep(ctx, time.Hour)
			})
		})
		wantErr(t, name, end(loop), nil)
		wantErr(t, name+", Close", loop.Close(), nil)
		wantErr(t, name+", the clean-up", cleanUp, nil)
	}
}

func init() {
	children["interrupted for ever"] = func() {
		loop, _ := asyncio.NewLoop()
		loop.CallSoon(func() { fmt.Println("ready") })
		fmt.Println("run:", loop.RunForever(context.Background()))
		fmt.Println("closed:", loop.Close())
	}
}

func TestRunForever_interrupted_returns(t *testing.T) {
	cmd, lines := child(t, "interrupted for ever")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "run: asyncio: interrupted")
	wantLine(t, lines, "closed: <nil>")
	wantErr(t, "the program's end", cmd.Wait(), nil)
}

// respawn starts itself again under ctx whenever it ends.
func respawn(ctx context.Context, alive *int) {
	asyncio.Go(ctx, func(own context.Context) error {
		*alive++
		defer respawn(ctx, alive)
		return asyncio.Sleep(own, time.Hour)
	}, asyncio.Name("phoenix"))
}

// pitfall: 15
func TestRun_aLeftoverThatStartsItselfForEver_isReportedAndCutShort(t *testing.T) {
	for name, under := range map[string]func(ctx context.Context) context.Context{
		"under main":               func(ctx context.Context) context.Context { return ctx },
		"under the loop":           func(ctx context.Context) context.Context { return asyncio.RunningLoop(ctx).Context() },
		"not to be cancelled":      context.WithoutCancel,
		"with a value in it":       func(ctx context.Context) context.Context { return context.WithValue(ctx, key("k"), 1) },
		"cancelled by itself, too": func(ctx context.Context) context.Context { c, f := asyncio.WithCancel(ctx); f(nil); return c },
	} {
		var reports []asyncio.ExceptionInfo
		handler := asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) })
		lives := 0
		run(t, func(ctx context.Context) error { respawn(under(ctx), &lives); return asyncio.Yield(ctx) }, handler)
		if len(reports) != 1 || lives < 10 || lives > 2000 {
			t.Errorf("%s: %d lives, reports %v", name, lives, reports)
			continue
		}
		wantText(t, reports[0].Err.Error(), "phoenix")

		reports, lives = nil, 0
		r := asyncio.NewRunner(asyncio.WithVirtualClock(), handler)
		wantErr(t, "Run", r.Run(t.Context(), func(ctx context.Context) error { respawn(under(ctx), &lives); return asyncio.Yield(ctx) }), nil)
		wantErr(t, "Close", r.Close(), nil)
		if len(reports) != 1 || lives < 10 || lives > 2000 {
			t.Errorf("%s, by a Runner: %d lives, reports %v", name, lives, reports)
		}
	}
}

func TestLoop_Close_aTaskThatStartsItselfForEver_doesNotHoldItUp(t *testing.T) {
	reports := 0
	loop := clockLoop(t, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { reports++ }))
	lives := 0
	respawn(loop.Context(), &lives)
	loop.RunOnce()
	loop.Close()
	if lives < 2 || lives > 2000 || reports != 1 {
		t.Errorf("%d lives, %d reports", lives, reports)
	}
}

// Loop.Run leaves the loop open, and so the task that never gives up with it.
func TestLoop_Run_aTaskThatStartsItselfForEver_isReportedAndLeft(t *testing.T) {
	var reports []asyncio.ExceptionInfo
	loop := clockLoop(t, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	lives := 0
	respawn(loop.Context(), &lives)
	wantErr(t, "Run", loop.Run(t.Context(), asyncio.Yield), nil)
	if len(reports) != 1 {
		t.Errorf("reports %v", reports)
	}
}

func TestRun_leftoversThatCleanUpByTasks_areAwaitedUndisturbed(t *testing.T) {
	var done []string
	run(t, func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Sleep(ctx, time.Hour)
			return asyncio.Shield(ctx, func(ctx context.Context) error {
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					for i := range 3 {
						g.Go(func(ctx context.Context) error {
							err := asyncio.Sleep(ctx, time.Duration(i)*time.Hour)
							done = append(done, fmt.Sprint(i, err))
							return err
						})
					}
					return nil
				})
			})
		})
		return asyncio.Yield(ctx)
	}, noReports(t))
	if got := fmt.Sprint(done); got != "[0 <nil> 1 <nil> 2 <nil>]" {
		t.Errorf("the clean-up: %s", got)
	}
}
