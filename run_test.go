package asyncio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// run runs main on a loop with a virtual clock and fails the test on an error.
func run(t *testing.T, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	opts = append([]asyncio.Option{asyncio.WithVirtualClock()}, opts...)
	if err := asyncio.Run(context.Background(), main, opts...); err != nil {
		t.Fatal(err)
	}
}

// conformance: runner-01 runner-02
func TestRun_returnsWhatMainReturns(t *testing.T) {
	boom := errors.New("boom")
	if err := asyncio.Run(context.Background(), func(ctx context.Context) error { return boom }); err != boom {
		t.Fatalf("got %v, want boom", err)
	}
	run(t, func(ctx context.Context) error { return nil })
}

func TestRun_virtualClock_hoursTakeNoTime(t *testing.T) {
	start := time.Now()
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		before := loop.Time()
		if err := asyncio.Sleep(ctx, 10*time.Hour); err != nil {
			return err
		}
		if d := loop.Time() - before; d != 10*time.Hour {
			t.Errorf("slept %v of virtual time, want 10h", d)
		}
		return nil
	})
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestSleep_tasksTakeTurns(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var order []string
		say := func(name string, d time.Duration) asyncio.Coroutine[string] {
			return func(ctx context.Context) (string, error) {
				err := asyncio.Sleep(ctx, d)
				order = append(order, name)
				return name, err
			}
		}
		got, err := asyncio.Gather(ctx, say("c", 3*time.Second), say("a", time.Second), say("b", 2*time.Second))
		if err != nil || got[0] != "c" || got[1] != "a" || got[2] != "b" {
			t.Errorf("got %v, %v", got, err)
		}
		if order[0]+order[1]+order[2] != "abc" {
			t.Errorf("order %v", order)
		}
		return nil
	})
}

func TestRun_mainPanics_isAnError(t *testing.T) {
	var p *asyncio.PanicError
	if err := asyncio.Run(context.Background(), explode("boom")); !errors.As(err, &p) || p.Value != "boom" {
		t.Errorf("got %v", err)
	}
	mustPanic(t, "nil function", func() { asyncio.Run(context.Background(), nil) })
}

func TestRun_whenNoLoopCanBeMade_isAnError(t *testing.T) {
	err := asyncio.Run(context.Background(), asyncio.Yield, asyncio.WithPoller("nonsense"))
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
}

// pitfall: 15
func TestRun_goexit_endsTheCallerToo(t *testing.T) {
	for name, main := range map[string]func(context.Context, *asyncio.Loop) error{
		"in main": func(context.Context, *asyncio.Loop) error { runtime.Goexit(); return nil },
		"in a callback": func(ctx context.Context, loop *asyncio.Loop) error {
			loop.CallSoon(runtime.Goexit)
			return asyncio.Sleep(ctx, time.Hour)
		},
		"in a task of main's": func(ctx context.Context, loop *asyncio.Loop) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(func(context.Context) error { runtime.Goexit(); return nil })
				return nil
			})
		},
	} {
		returned, cleaned, child := false, false, false
		elsewhere(func() {
			asyncio.Run(context.Background(), func(ctx context.Context) error {
				defer func() { cleaned = true }()
				asyncio.Go(ctx, func(ctx context.Context) error {
					defer func() { child = true }()
					return asyncio.Sleep(ctx, time.Hour)
				})
				asyncio.Yield(ctx)
				return main(ctx, asyncio.RunningLoop(ctx))
			})
			returned = true
		})
		if returned || !cleaned || !child {
			t.Errorf("%s: returned %v; deferred functions ran: main's %v, the child's %v", name, returned, cleaned, child)
		}
	}
}

// conformance: runner-06 runner-07
// pitfall: 15
func TestRun_mainHasReturned_whatStillRunsIsCancelledAndAwaited(t *testing.T) {
	boom := errors.New("boom")
	var reports []asyncio.ExceptionInfo
	ended := 0
	run(t, func(ctx context.Context) error {
		for i := range 3 {
			asyncio.Go(context.WithValue(ctx, key("k"), i), func(ctx context.Context) error {
				wantErr(t, "leftover", asyncio.Sleep(ctx, time.Hour), context.Canceled)
				asyncio.Shield(ctx, sleepFor(time.Hour))
				ended++
				return nil
			})
		}
		below, cancel := context.WithCancel(ctx)
		t.Cleanup(cancel)
		asyncio.Go(below, func(ctx context.Context) error { asyncio.Sleep(ctx, time.Hour); ended++; return ctx.Err() })
		asyncio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error { asyncio.Sleep(ctx, time.Hour); ended++; return ctx.Err() })
		asyncio.Go(ctx, failsWhenCancelled(boom), asyncio.Name("bad"))
		return asyncio.Yield(ctx)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	if ended != 5 {
		t.Errorf("%d of 5 have ended", ended)
	}
	if len(reports) != 1 || reports[0].Err != boom || reports[0].Task != "bad" {
		t.Errorf("reports %+v", reports)
	}
}

func TestRun_itsContext_givesValuesAndADeadlineAndCancelsAll(t *testing.T) {
	cause := errors.New("cause")
	outer, cancel := context.WithCancelCause(context.WithValue(t.Context(), key("k"), "v"))
	outer, stop := context.WithTimeout(outer, time.Hour)
	defer stop()
	want, _ := outer.Deadline()
	err := asyncio.Run(outer, func(ctx context.Context) error {
		at, ok := ctx.Deadline()
		if ctx.Value(key("k")) != "v" || !ok || !at.Equal(want) {
			t.Errorf("value %v, deadline %v, %v", ctx.Value(key("k")), at, ok)
		}
		loop := asyncio.RunningLoop(ctx)
		if loop.Context().Value(key("k")) != "v" {
			t.Error("Loop.Context has not got the value")
		}
		child := asyncio.Go(loop.Context(), sleepFor(time.Hour))
		asyncio.Yield(ctx)
		cancel(cause)
		wantErr(t, "main", asyncio.Sleep(ctx, time.Hour), cause)
		_, err := child.Await(context.WithoutCancel(ctx))
		wantErr(t, "child", err, cause)
		return asyncio.Yield(ctx)
	})
	wantErr(t, "Run", err, cause)
}

func TestRun_itsContextIsCancelledAlready_mainSeesThat(t *testing.T) {
	for range 100 {
		ctx, cancel := context.WithCancelCause(context.Background())
		cause := errors.New("cause")
		cancel(cause)
		err := asyncio.Run(ctx, func(ctx context.Context) error {
			wantErr(t, "Cause", context.Cause(ctx), cause)
			return ctx.Err()
		})
		wantErr(t, "Run", err, context.Canceled)
	}
}

// conformance: runner-05
func TestRun_insideALoop_isRefused_butNotInAThread(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.Run(ctx, asyncio.Yield)
		if err == nil || !strings.Contains(err.Error(), "running event loop") {
			t.Errorf("got %v", err)
		}
		_, err = asyncio.ToThread(ctx, func() (int, error) {
			return 0, asyncio.Run(ctx, func(inner context.Context) error {
				wantErr(t, "the outer context inside", asyncio.Sleep(ctx, time.Second), asyncio.ErrWrongGoroutine)
				return asyncio.Timeout(inner, time.Second, asyncio.Yield)
			})
		})
		return err
	})
}

func TestLoop_Run_takesInTasksCreatedBefore(t *testing.T) {
	loop := clockLoop(t)
	early := asyncio.CreateTask(loop.Context(), sleeper(1))
	var old context.Context
	for range 2 {
		err := loop.Run(context.Background(), func(ctx context.Context) error {
			if old != nil {
				wantErr(t, "the context of the last run", old.Err(), context.Canceled)
				task := asyncio.Go(old, sleepFor(time.Hour))
				_, err := task.Await(ctx)
				wantErr(t, "a task under it", err, context.Canceled)
			}
			old = ctx
			return asyncio.Yield(ctx)
		})
		wantErr(t, "Run", err, nil)
		if !early.Cancelled() {
			t.Error("what was created before the run is not cancelled at its end")
		}
	}
	between := asyncio.CreateTask(loop.Context(), value(1))
	wantErr(t, "Run", loop.Run(context.Background(), func(ctx context.Context) error { return asyncio.Yield(ctx) }), nil)
	if v, err := between.Result(); v != 1 || err != nil {
		t.Errorf("created between the runs: %v, %v", v, err)
	}
}

// What is suspended when a loop is closed is unwound, whatever it waits for and
// however little it listens; TestMain sees to it that nothing is left.
func TestLoop_Close_unwindsWhatIsSuspended(t *testing.T) {
	var lock asyncio.Lock
	var event asyncio.Event
	stubborn := func(wait func(ctx context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			for {
				wait(ctx)
			}
		}
	}
	loop := clockLoop(t, noReports(t))
	future := asyncio.NewFuture[int](loop)
	block := make(chan struct{})
	defer close(block)
	started, unwound, goexits := 0, 0, 0
	for _, fn := range []func(context.Context) error{
		sleepFor(time.Hour), event.Wait, lock.Acquire, lock.Acquire,
		func(ctx context.Context) error { _, err := future.Await(ctx); return err },
		func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Minute, event.Wait) },
		func(ctx context.Context) error { return asyncio.Shield(ctx, event.Wait) },
		func(ctx context.Context) error { return event.Wait(context.WithoutCancel(ctx)) },
		func(ctx context.Context) error {
			below, cancel := context.WithCancel(ctx)
			defer cancel()
			return event.Wait(below)
		},
		func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(event.Wait)
				g.Go(stubborn(event.Wait))
				return nil
			})
		},
		func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (int, error) { <-block; return 0, nil })
			return err
		},
		stubborn(event.Wait), stubborn(sleepFor(time.Second)), stubborn(sleepFor(0)), stubborn(asyncio.Yield),
		stubborn(func(ctx context.Context) error { return asyncio.Shield(ctx, event.Wait) }),
		stubborn(func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group) error { g.Go(event.Wait); return nil })
		}),
		func(ctx context.Context) error {
			defer asyncio.Shield(ctx, sleepFor(time.Hour))
			defer event.Wait(ctx)
			return event.Wait(ctx)
		},
		func(ctx context.Context) error {
			defer func() { recover() }()
			defer panic("in the clean-up")
			return event.Wait(ctx)
		},
		func(ctx context.Context) error { defer runtime.Goexit(); event.Wait(ctx); return nil },
	} {
		started++
		asyncio.Go(loop.Context(), func(ctx context.Context) error {
			defer func() { unwound++ }()
			return fn(ctx)
		}).AddDoneCallback(func(task *asyncio.Task[asyncio.None]) {
			if err := task.Err(); err == asyncio.ErrGoexit {
				goexits++
			}
		})
	}
	for range 10 {
		loop.RunOnce()
	}
	if unwound != 0 && unwound != 1 { // one holds the lock and has returned
		t.Errorf("%d ended before Close", unwound)
	}
	wantErr(t, "Drop", abandon(loop), nil)
	if unwound != started {
		t.Errorf("%d of %d were unwound", unwound, started)
	}
	if goexits != 1 {
		t.Errorf("%d tasks are said to have called Goexit, want the 1 that has", goexits)
	}
}

// child starts this test binary as the named program and returns it with its
// output. The program is killed at the end of the test at the latest.
func child(t *testing.T, name string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send an interrupt to one process")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// wantLine fails the test unless the next line is want.
func wantLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	if !lines.Scan() || lines.Text() != want {
		t.Fatalf("the program says %q, want %q", lines.Text(), want)
	}
}

func init() {
	children["interrupted"] = func() {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			fut := newFuture[int](ctx)
			fmt.Println("ready")
			err := asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error { _, err := fut.Await(ctx); return err })
			fmt.Println("main:", err, "future done:", fut.Done())
			asyncio.Shield(ctx, sleepFor(time.Millisecond))
			fmt.Println("cleaned up")
			return err
		})
		fmt.Println("run:", errors.Is(err, asyncio.ErrInterrupted), errors.Is(err, context.Canceled))
	}
	children["interrupted twice"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			asyncio.Sleep(ctx, time.Minute)
			fmt.Println("cancelled")
			return asyncio.Shield(ctx, sleepFor(time.Minute))
		})
		fmt.Println("never")
	}
	children["interrupted and cancelled"] = func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		err := asyncio.Run(ctx, func(ctx context.Context) error {
			cancel(errors.New("cancelled anyway"))
			err := asyncio.Sleep(ctx, time.Minute)
			fmt.Println("ready")
			asyncio.Shield(ctx, sleepFor(100*time.Millisecond))
			return err
		})
		fmt.Println("run:", err)
	}
	children["interrupt switched off"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			return asyncio.Sleep(ctx, time.Minute)
		}, asyncio.WithInterrupt(false))
	}
}

// conformance: runner-22
// pitfall: 15
func TestRun_interrupted_mainIsCancelledAndCanCleanUp(t *testing.T) {
	cmd, lines := child(t, "interrupted")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "main: asyncio: interrupted future done: false")
	wantLine(t, lines, "cleaned up")
	wantLine(t, lines, "run: true true")
	wantErr(t, "the program's end", cmd.Wait(), nil)
}

func TestRun_interruptedTwice_endsTheProgram(t *testing.T) {
	cmd, lines := child(t, "interrupted twice")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "cancelled")
	cmd.Process.Signal(os.Interrupt)
	if lines.Scan() {
		t.Errorf("the program says %q", lines.Text())
	}
	wantSignal(t, cmd)
}

// wantSignal fails the test unless the program was ended by an interrupt.
func wantSignal(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("the program ended with %v, want an interrupt", cmd.ProcessState)
	}
}

// conformance: runner-23
// pitfall: 15
func TestRun_interruptedWhenCancelledAnyway_staysCancelled(t *testing.T) {
	cmd, lines := child(t, "interrupted and cancelled")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "run: cancelled anyway")
}

func TestRun_withoutInterrupt_leavesTheSignalAlone(t *testing.T) {
	cmd, lines := child(t, "interrupt switched off")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantSignal(t, cmd)
}
