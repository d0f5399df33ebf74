package asyncio_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// logTo is a logger that writes to the buffer.
func logTo(b *bytes.Buffer) asyncio.Option {
	return asyncio.WithLogger(slog.New(slog.NewTextHandler(b, nil)))
}

// conformance: exception-handler-01
func TestCallback_panics_thatIsLoggedAndTheLoopGoesOn(t *testing.T) {
	var log bytes.Buffer
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.CallSoon(func() { panic("in a callback") })
		loop.CallLater(time.Second, func() { panic("in a timer") })
		task := asyncio.Go(ctx, asyncio.Yield)
		task.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { panic("in a done callback") })
		return asyncio.Sleep(ctx, time.Minute)
	}, logTo(&log))
	wantText(t, log.String(), "a callback panicked", "panic: in a callback", "panic: in a timer", "panic: in a done callback", "failure_test.go")
}

// conformance: exception-handler-02 exception-handler-04 future-22
func TestTask_failureThatNobodySaw_isReportedAtTheEnd(t *testing.T) {
	boom := errors.New("boom")
	main := func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.CreateTask(ctx, failing[int](boom), asyncio.Name("unseen"))
		asyncio.NewFuture[string](loop).SetError(boom)
		asyncio.Go(ctx, explode("bang"), asyncio.Name("panics"))

		// None of these is reported.
		seen := asyncio.CreateTask(ctx, failing[int](boom))
		seen.Await(ctx)
		looked := asyncio.CreateTask(ctx, failing[int](boom))
		asyncio.Sleep(ctx, time.Second)
		looked.Result()
		f := asyncio.NewFuture[int](loop)
		f.SetError(boom)
		f.Result()
		asyncio.NewFuture[int](loop).SetResult(1)
		asyncio.NewFuture[int](loop).Cancel()
		asyncio.NewFuture[int](loop)
		asyncio.CreateTask(ctx, sleeper(1)).Cancel()
		asyncio.CreateTask(ctx, value(1))
		asyncio.CreateTask(ctx, failing[int](boom)).AddDoneCallback(func(t *asyncio.Task[int]) { t.Err() })
		return asyncio.Yield(ctx)
	}
	var reports []asyncio.ExceptionInfo
	run(t, main, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	tasks := map[string]bool{}
	for _, r := range reports {
		tasks[r.Task] = true
		var p *asyncio.PanicError
		if r.Err != boom && !errors.As(r.Err, &p) || p == nil && !strings.Contains(r.Message, "never retrieved") {
			t.Errorf("report %+v", r)
		}
	}
	if len(reports) != 3 || !tasks["unseen"] || !tasks["a Future[string]"] || !tasks["panics"] {
		t.Errorf("reports %+v", reports)
	}

	var log bytes.Buffer
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.SetExceptionHandler(func(asyncio.ExceptionInfo) { t.Error("the handler is called although it was reset") })
		loop.SetExceptionHandler(nil)
		return main(ctx)
	}, logTo(&log))
	wantText(t, log.String(), "never retrieved", "err=boom", "task=unseen")
}

func TestTask_lookedAtTooEarlyOrByACallbackThatDoesNotAsk_itsFailureIsStillReported(t *testing.T) {
	boom := errors.New("boom")
	reports := 0
	run(t, func(ctx context.Context) error {
		early := asyncio.CreateTask(ctx, failing[int](boom))
		early.Err()
		early.Result()
		called := 0
		late := asyncio.CreateTask(ctx, failing[int](boom))
		late.AddDoneCallback(func(*asyncio.Task[int]) { called++ })
		asyncio.Yield(ctx)
		late.AddDoneCallback(func(*asyncio.Task[int]) { called++ })
		f := newFuture[int](ctx)
		f.AddDoneCallback(func(*asyncio.Future[int]) { called++ })
		f.SetError(boom)
		asyncio.Sleep(ctx, time.Second)
		if called != 3 {
			t.Errorf("%d of 3 callbacks ran", called)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { reports++ }))
	if reports != 3 {
		t.Errorf("%d of 3 are reported", reports)
	}
}

// uncomparable is an error that == cannot compare.
type uncomparable struct{ parts []string }

func (uncomparable) Error() string { return "uncomparable" }

func TestTask_errorsThatCannotBeCompared_doNoHarm(t *testing.T) {
	odd := uncomparable{[]string{"x"}}
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, sleeper(1))
		asyncio.Yield(ctx)
		task.Cancel(odd)
		_, err := task.Await(ctx)
		if u := (uncomparable{}); !errors.As(err, &u) {
			t.Errorf("got %v", err)
		}
		err = asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(failing2(odd))
			g.Go(failing2(odd))
			return odd
		})
		if u := (uncomparable{}); !errors.As(err, &u) {
			t.Errorf("got %v", err)
		}
		own, cancel := asyncio.WithCancel(ctx)
		cancel(odd)
		asyncio.Timeout(own, time.Second, asyncio.Yield)
		asyncio.Gather(own, sleeper(1))
		return nil
	})
}

func TestTask_severalFailuresThatNobodySaw_areReportedInTheirOrder(t *testing.T) {
	var order []string
	run(t, func(ctx context.Context) error {
		for _, name := range strings.Fields("a b c d e f g h") {
			asyncio.Go(ctx, failing2(errors.New(name)), asyncio.Name(name))
		}
		return asyncio.Yield(ctx)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { order = append(order, i.Task) }), fifo)
	if got := strings.Join(order, " "); got != "a b c d e f g h" {
		t.Errorf("order %s", got)
	}
}

// conformance: future-23
func TestFailure_whatFailedIsDropped_isReportedWhileTheLoopRuns(t *testing.T) {
	boom := errors.New("boom")
	reports := 0
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		asyncio.CreateTask(ctx, failing[int](boom))
		newFuture[int](ctx).SetError(boom)
		for range 1000 {
			if reports == 2 {
				return nil
			}
			runtime.GC()
			asyncio.Sleep(ctx, time.Millisecond)
		}
		t.Errorf("%d of 2 are reported", reports)
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
		reports++
		wantErr(t, "report", i.Err, boom)
	}))
	if err != nil || reports != 2 {
		t.Errorf("got %v, %d reports", err, reports)
	}
}

// conformance: task-debug-03
func TestTask_failed_cancelIsRefusedAndTheFailureStays(t *testing.T) {
	boom := errors.New("boom")
	reports := 0
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, failing[int](boom))
		asyncio.Yield(ctx)
		if task.Cancel() || task.Cancelled() || !task.Done() {
			t.Error("a failed task was cancelled")
		}
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { reports++ }))
	if reports != 1 {
		t.Errorf("%d reports, want 1", reports)
	}
}

// conformance: exception-handler-05
// pitfall: 33
func TestExceptionHandler_panics_thatIsLoggedWithTheFailure(t *testing.T) {
	var log bytes.Buffer
	run(t, func(ctx context.Context) error {
		asyncio.RunningLoop(ctx).CallException(asyncio.ExceptionInfo{Message: "the first message", Err: errors.New("the first error")})
		return nil
	}, logTo(&log), asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { panic("broken handler") }))
	wantText(t, log.String(), "the exception handler panicked", "broken handler", "the first message", "the first error")
}

type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool { panic("broken log") }

// conformance: exception-handler-06
// pitfall: 33
func TestExceptionHandler_theLogIsBrokenToo_theFailureIsPrintedAndTheLoopGoesOn(t *testing.T) {
	printed := stderrOf(t, func() {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			loop.CallSoon(func() { panic("first") })
			asyncio.Sleep(ctx, time.Second)
			loop.SetExceptionHandler(func(asyncio.ExceptionInfo) { panic("broken handler") })
			loop.CallSoon(func() { panic("second") })
			return asyncio.Sleep(ctx, time.Second)
		}, asyncio.WithLogger(slog.New(brokenLog{})))
	})
	wantText(t, printed, "broken log", "panic: first", "panic: second", "broken handler")
}

// stderrOf returns what fn prints on the standard error.
func stderrOf(t *testing.T, fn func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	fn()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExceptionHandler_calledOnAnotherGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		elsewhere(func() {
			mustPanic(t, "not the event loop's", func() { loop.SetExceptionHandler(nil) })
			mustPanic(t, "not the event loop's", func() { loop.CallException(asyncio.ExceptionInfo{}) })
		})
		return nil
	})
}

// Nothing runs here but a task that waits for the outside, as in an idle server.
func TestTask_panicsInAnIdleProgram_isReportedAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	handler := func(i asyncio.ExceptionInfo) {
		var p *asyncio.PanicError
		if !errors.As(i.Err, &p) || i.Task != "heartbeat" {
			t.Errorf("report %+v", i)
		}
		cancel()
	}
	err := asyncio.Run(ctx, func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(context.Context) error { panic("boom") }, asyncio.Name("heartbeat"))
		_, _, err := asyncio.Recv(ctx, make(chan int))
		runtime.KeepAlive(task) // that somebody holds it is no reason to wait
		return err
	}, asyncio.WithExceptionHandler(handler))
	wantErr(t, "Run", err, context.Canceled)
}

func TestTask_failsAndIsDropped_isReportedWhileTheProgramIdles_andNotWhileItIsHeld(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	boom := errors.New("boom")
	var reports []string
	handler := func(i asyncio.ExceptionInfo) {
		reports = append(reports, i.Task)
		cancel()
	}
	err := asyncio.Run(ctx, func(ctx context.Context) error {
		held := asyncio.CreateTask(ctx, failing[int](boom), asyncio.Name("held"))
		asyncio.CreateTask(ctx, failing[int](boom), asyncio.Name("dropped"))
		_, _, err := asyncio.Recv(ctx, make(chan int))
		held.Err()
		return err
	}, asyncio.WithExceptionHandler(handler))
	if wantErr(t, "Run", err, context.Canceled); !slices.Equal(reports, []string{"dropped"}) {
		t.Errorf("reports %v", reports)
	}
}
