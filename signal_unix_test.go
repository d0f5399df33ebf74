//go:build unix

package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// keepAlive sees to it that a signal which comes late, when the handler that a
// test has for it is gone, does not end the process.
var keepAlive = sync.OnceFunc(func() {
	ossignal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1, syscall.SIGUSR2)
})

// kill sends a signal to this process.
func kill(t *testing.T, sig syscall.Signal) {
	t.Helper()
	keepAlive()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Error(err)
	}
}

// conformance: signals-01 signals-07
func TestSignalHandler_runsOnTheLoop_asOftenAsTheSignalComes(t *testing.T) {
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		got := asyncio.NewQueue[os.Signal](0)
		wantErr(t, "AddSignalHandler", loop.AddSignalHandler(syscall.SIGUSR1, func(sig os.Signal) {
			if !loop.OnLoop() {
				t.Error("the handler runs elsewhere")
			}
			wantErr(t, "a wait in the handler", asyncio.Yield(loop.Context()), asyncio.ErrWrongContext)
			got.TryPut(sig)
		}), nil)
		for range 3 {
			kill(t, syscall.SIGUSR1)
			if sig, err := got.Get(ctx); sig != syscall.SIGUSR1 || err != nil {
				t.Errorf("got %v, %v", sig, err)
			}
		}
		if !loop.RemoveSignalHandler(syscall.SIGUSR1) || loop.RemoveSignalHandler(syscall.SIGUSR1) {
			t.Error("RemoveSignalHandler does not say whether there was one")
		}
		return asyncio.Yield(ctx)
	}, noReports(t))
	wantErr(t, "Run", err, nil)
}

// conformance: signals-02
func TestSignalHandler_signalComesWhileTheLoopSleeps_wakesIt(t *testing.T) {
	loop, err := asyncio.NewLoop(asyncio.WithWatchdog(0))
	wantErr(t, "NewLoop", err, nil)
	defer loop.Close()
	calls := 0
	wantErr(t, "AddSignalHandler", loop.AddSignalHandler(syscall.SIGUSR2, func(os.Signal) { calls++; loop.Stop() }), nil)
	loop.CallSoon(func() { go kill(t, syscall.SIGUSR2) })
	loop.CallLater(time.Hour, func() {})
	wantErr(t, "RunForever", loop.RunForever(context.Background()), nil)
	if calls != 1 {
		t.Errorf("the handler was called %d times", calls)
	}
}

// conformance: signals-01 signals-03
func TestSignalHandler_forWhatIsNoSignalOrCannotBeCaught_isRefused(t *testing.T) {
	loop := clockLoop(t)
	nothing := func(os.Signal) {}
	for _, sig := range []os.Signal{nil, syscall.SIGKILL, os.Kill, syscall.SIGSTOP, syscall.Signal(0), syscall.Signal(-1), syscall.Signal(1000), otherSignal{}} {
		err := loop.AddSignalHandler(sig, nothing)
		if err == nil || !strings.HasPrefix(err.Error(), "asyncio: Loop.AddSignalHandler: ") {
			t.Errorf("%v: %v", sig, err)
		}
		if loop.RemoveSignalHandler(sig) {
			t.Errorf("%v had a handler", sig)
		}
	}
	mustPanic(t, "asyncio: Loop.AddSignalHandler: nil function", func() { loop.AddSignalHandler(syscall.SIGUSR1, nil) })
	mustPanic(t, "asyncio: Loop.AddSignalHandler: ", func() {
		loop.CallSoon(func() {
			elsewhere(func() {
				mustPanic(t, "not the event loop's", func() { loop.AddSignalHandler(syscall.SIGUSR1, nothing) })
			})
			elsewhere(func() { mustPanic(t, "not the event loop's", func() { loop.RemoveSignalHandler(syscall.SIGUSR1) }) })
		})
		loop.RunOnce()
		loop.Close()
		loop.AddSignalHandler(syscall.SIGUSR1, nothing)
	})
}

type otherSignal struct{}

func (otherSignal) Signal()        {}
func (otherSignal) String() string { return "other" }

func TestSignalHandler_panics_thatIsReportedAndTheLoopGoesOn(t *testing.T) {
	var reports []asyncio.ExceptionInfo
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var called asyncio.Event
		loop.AddSignalHandler(syscall.SIGUSR1, func(os.Signal) { called.Set(); panic("boom") })
		for range 2 {
			called.Clear()
			kill(t, syscall.SIGUSR1)
			called.Wait(ctx)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	var p *asyncio.PanicError
	if err != nil || len(reports) != 2 || !errors.As(reports[0].Err, &p) || p.Value != "boom" {
		t.Errorf("Run = %v, reports %v", err, reports)
	}
}

func TestSignalHandler_addedAgain_replacesTheFirst(t *testing.T) {
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		got := newFuture[string](ctx)
		loop.AddSignalHandler(syscall.SIGUSR1, func(os.Signal) { got.SetResult("the first") })
		loop.AddSignalHandler(syscall.SIGUSR1, func(os.Signal) { got.SetResult("the second") })
		kill(t, syscall.SIGUSR1)
		if v, err := got.Await(ctx); v != "the second" || err != nil {
			t.Errorf("called: %s, %v", v, err)
		}
		if !loop.RemoveSignalHandler(syscall.SIGUSR1) || loop.RemoveSignalHandler(syscall.SIGUSR1) {
			t.Error("there was not one handler")
		}
		return nil
	})
	wantErr(t, "Run", err, nil)
}

// conformance: signals-04
func TestSignalHandler_removedWhileItsSignalIsOnItsWay_isNotCalled(t *testing.T) {
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		// A second signal mostly comes in before the first one's handler has run.
		// Should one come in too late, the next round's handler gets it.
		calls := make([]int, 200)
		for i := range calls {
			var called asyncio.Event
			loop.AddSignalHandler(syscall.SIGUSR1, func(sig os.Signal) {
				calls[i]++
				loop.RemoveSignalHandler(sig)
				called.Set()
			})
			kill(t, syscall.SIGUSR1)
			runtime.Gosched()
			kill(t, syscall.SIGUSR1)
			called.Wait(ctx)
		}
		asyncio.Sleep(ctx, time.Millisecond)
		for i, n := range calls {
			if n != 1 {
				t.Errorf("handler %d was called %d times", i, n)
			}
		}
		return nil
	}, asyncio.WithWatchdog(0))
	wantErr(t, "Run", err, nil)
}

func TestSignalHandler_onSeveralLoops_eachIsCalled(t *testing.T) {
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		wait := func(ctx context.Context, ready func()) error {
			got := newFuture[os.Signal](ctx)
			asyncio.RunningLoop(ctx).AddSignalHandler(syscall.SIGUSR1, func(sig os.Signal) { got.SetResult(sig) })
			ready()
			_, err := got.Await(ctx)
			return err
		}
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			ready := make(chan struct{})
			asyncio.Spawn(g, func(ctx context.Context) (int, error) {
				return asyncio.ToThread(ctx, func() (int, error) {
					return 0, asyncio.Run(context.Background(), func(ctx context.Context) error {
						return wait(ctx, func() { close(ready) })
					})
				})
			})
			g.Go(func(ctx context.Context) error {
				return wait(ctx, func() { go func() { <-ready; kill(t, syscall.SIGUSR1) }() })
			})
			return nil
		})
	})
	wantErr(t, "Run", err, nil)
}

func TestSignalHandler_withATaskThatWaits_isNoDeadlock_untilItIsRemoved(t *testing.T) {
	var deadlock *asyncio.DeadlockError
	var event asyncio.Event
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		quietLoop(ctx).AddSignalHandler(syscall.SIGUSR1, func(os.Signal) { event.Set() })
		go kill(t, syscall.SIGUSR1)
		wantErr(t, "Wait", event.Wait(ctx), nil)
		quietLoop(ctx).RemoveSignalHandler(syscall.SIGUSR1)
		event.Clear()
		return event.Wait(ctx)
	})
	if !errors.As(err, &deadlock) {
		t.Errorf("after the removal: %v", err)
	}
}

func TestSignals_rangesOverThemAsTheyCome(t *testing.T) {
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var got []os.Signal
		loop.CallSoon(func() { kill(t, syscall.SIGUSR1) })
		for sig, err := range asyncio.Signals(ctx, syscall.SIGUSR1, syscall.SIGUSR2) {
			wantErr(t, "Signals", err, nil)
			if got = append(got, sig); len(got) == 3 {
				break
			}
			kill(t, syscall.SIGUSR2)
		}
		if fmt.Sprint(got) != fmt.Sprint([]os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGUSR2}) {
			t.Errorf("got %v", got)
		}
		if loop.RemoveSignalHandler(syscall.SIGUSR1) || loop.RemoveSignalHandler(syscall.SIGUSR2) {
			t.Error("a handler was left")
		}
		return nil
	}, fifo)
	wantErr(t, "Run", err, nil)
}

func TestSignals_cancelledOrRefused_endsWithTheError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		only := func(ctx context.Context, sigs ...os.Signal) error {
			var errs []error
			for sig, err := range asyncio.Signals(ctx, sigs...) {
				if errs = append(errs, err); sig != nil {
					t.Errorf("a signal beside an error: %v", sig)
				}
			}
			if len(errs) != 1 {
				t.Errorf("errors: %v", errs)
			}
			return errors.Join(errs...)
		}
		wantErr(t, "timeout", asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return only(ctx, syscall.SIGUSR1) }), context.DeadlineExceeded)
		loop := asyncio.RunningLoop(ctx)
		loop.AddSignalHandler(syscall.SIGUSR2, func(os.Signal) {})
		if err := only(ctx, syscall.SIGUSR1, syscall.SIGUSR2); err == nil || !strings.Contains(err.Error(), "has a handler already") {
			t.Errorf("taken: %v", err)
		}
		if err := only(ctx, syscall.SIGKILL); err == nil || !strings.Contains(err.Error(), "cannot be caught") {
			t.Errorf("SIGKILL: %v", err)
		}
		if loop.RemoveSignalHandler(syscall.SIGUSR1) || !loop.RemoveSignalHandler(syscall.SIGUSR2) {
			t.Error("handlers that were not its own are gone, or its own are left")
		}
		return nil
	})
}

func init() {
	children["handler removed"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			got := asyncio.NewQueue[os.Signal](0)
			for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} {
				loop.AddSignalHandler(sig, func(sig os.Signal) { got.TryPut(sig) })
			}
			fmt.Println("ready")
			sig, _ := got.Get(ctx)
			fmt.Println(sig)
			loop.RemoveSignalHandler(syscall.SIGTERM)
			fmt.Println("removed")
			sig, _ = got.Get(ctx)
			fmt.Println(sig)
			return asyncio.Sleep(ctx, time.Minute)
		})
	}
	children["loop closed"] = func() {
		loop, _ := asyncio.NewLoop()
		loop.AddSignalHandler(syscall.SIGTERM, func(os.Signal) {})
		loop.AddSignalHandler(os.Interrupt, func(os.Signal) {})
		loop.Close()
		fmt.Println("ready")
		time.Sleep(time.Minute)
	}
	children["interrupt taken over"] = func() {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			var called asyncio.Event
			loop.AddSignalHandler(os.Interrupt, func(os.Signal) { called.Set() })
			for range 3 {
				fmt.Println("ready")
				called.Wait(ctx)
				called.Clear()
				fmt.Println("handled:", context.Cause(ctx))
			}
			fmt.Println(loop.RemoveSignalHandler(os.Interrupt))
			err := asyncio.Sleep(ctx, time.Minute)
			fmt.Println("main:", err)
			asyncio.Shield(ctx, func(ctx context.Context) error {
				loop.AddSignalHandler(os.Interrupt, func(os.Signal) { called.Set() })
				fmt.Println("taken over again")
				err := called.Wait(ctx)
				loop.RemoveSignalHandler(os.Interrupt)
				return err
			})
			fmt.Println("default")
			return asyncio.Shield(ctx, sleepFor(time.Minute))
		})
		fmt.Println("run:", err)
	}
	children["handler from before the run"] = func() {
		loop, _ := asyncio.NewLoop()
		loop.AddSignalHandler(os.Interrupt, func(os.Signal) { fmt.Println("handled"); loop.Stop() })
		loop.CallSoon(func() { fmt.Println("ready") })
		fmt.Println("run:", loop.RunForever(context.Background()))
		loop.Close()
	}
}

// conformance: signals-08
func TestSignalHandler_removed_theDefaultIsBack_andOtherHandlersStay(t *testing.T) {
	cmd, lines := child(t, "handler removed")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(syscall.SIGTERM)
	wantLine(t, lines, "terminated")
	wantLine(t, lines, "removed")
	cmd.Process.Signal(syscall.SIGHUP)
	wantLine(t, lines, "hangup")
	cmd.Process.Signal(syscall.SIGTERM)
	wantSignal(t, cmd)
}

// conformance: signals-10
func TestSignalHandler_loopIsClosed_theDefaultIsBack(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, lines := child(t, "loop closed")
		wantLine(t, lines, "ready")
		cmd.Process.Signal(sig)
		wantSignal(t, cmd)
	}
}

// conformance: signals-08
// pitfall: 15
func TestSignalHandler_forInterrupt_takesOverFromRun_untilItIsRemoved(t *testing.T) {
	cmd, lines := child(t, "interrupt taken over")
	for range 3 {
		wantLine(t, lines, "ready")
		cmd.Process.Signal(os.Interrupt)
		wantLine(t, lines, "handled: <nil>")
	}
	wantLine(t, lines, "true")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "main: asyncio: interrupted")
	wantLine(t, lines, "taken over again")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "default")
	cmd.Process.Signal(os.Interrupt)
	wantSignal(t, cmd)
}

func TestSignalHandler_forInterrupt_addedBeforeTheRun_keepsIt(t *testing.T) {
	cmd, lines := child(t, "handler from before the run")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	wantLine(t, lines, "handled")
	wantLine(t, lines, "run: <nil>")
	wantErr(t, "the program's end", cmd.Wait(), nil)
}
