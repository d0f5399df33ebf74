package asyncio_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// abandonedCall calls a function in a thread that waits for release, and leaves
// it when it has begun.
func abandonedCall(ctx context.Context, limit *asyncio.ThreadLimiter, release <-chan bool) error {
	scope, cancel := asyncio.WithCancel(ctx)
	loop := asyncio.RunningLoop(ctx)
	_, err := asyncio.ToThreadIn(scope, limit, func() (bool, error) {
		loop.CallSoonThreadsafe(func() { cancel(nil) })
		return <-release, nil
	})
	return err
}

func TestToThread_abandonedCalls_giveTheirPermitsBackAtOnce(t *testing.T) {
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		own := asyncio.NewThreadLimiter(2)
		for range 10 {
			wantErr(t, "a call of the loop's limit", abandonedCall(ctx, nil, release), context.Canceled)
			wantErr(t, "a call of its own limit", abandonedCall(ctx, own, release), context.Canceled)
		}
		for _, limit := range []*asyncio.ThreadLimiter{nil, own} {
			v, err := asyncio.ToThreadIn(ctx, limit, func() (int, error) { return 7, nil })
			if v != 7 || err != nil {
				t.Errorf("after 10 abandoned calls: %d, %v", v, err)
			}
		}
		close(release)
		return asyncio.RunningLoop(ctx).ShutdownThreads(ctx)
	}, asyncio.WithThreadLimit(2), quiet())
}

func TestToThread_abandonedCallsThatEnd_giveNoPermitTwice(t *testing.T) {
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		one := asyncio.NewThreadLimiter(1)
		for range 3 {
			abandonedCall(ctx, one, release)
		}
		close(release)
		until(ctx, func() bool { return loop.Threads().Running == 0 })
		hold := make(chan bool)
		for range 2 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := asyncio.ToThreadIn(ctx, one, func() (bool, error) { return <-hold, nil })
				return err
			}, asyncio.EagerStart(true))
		}
		if s := loop.Threads(); s.Running != 1 || s.Waiting != 1 || len(s.Abandoned) != 0 {
			t.Errorf("with a limit of 1: %+v", s)
		}
		close(hold)
		return loop.ShutdownThreads(ctx)
	})
}

func TestThreads_namesTheAbandonedCalls_untilTheyEnd(t *testing.T) {
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.Sleep(ctx, time.Hour)
		before := loop.Now()
		task := asyncio.Go(ctx, func(ctx context.Context) error { return abandonedCall(ctx, nil, release) }, asyncio.Name("the impatient"))
		task.Await(ctx)
		asyncio.Sleep(ctx, time.Minute)
		abandonedCall(ctx, nil, release)
		s := loop.Threads()
		if s.Running != 2 || s.Waiting != 0 || len(s.Abandoned) != 2 {
			t.Fatalf("got %+v", s)
		}
		a, b := s.Abandoned[0], s.Abandoned[1]
		if a.Task != "the impatient" || b.Task != "main" || a.Since != before || b.Since != before.Add(time.Minute) {
			t.Errorf("got %+v and %+v", a, b)
		}
		if a.Call != "asyncio.ToThreadIn" || a.Caller != "asyncio_test.abandonedCall" || !strings.Contains(a.Place, "abandoned_test.go:") {
			t.Errorf("the first is %v", a)
		}
		close(release)
		until(ctx, func() bool { return loop.Threads().Running == 0 })
		if s := loop.Threads(); s.Waiting != 0 || len(s.Abandoned) != 0 {
			t.Errorf("after their end: %+v", s)
		}
		return nil
	})
}

func TestToThread_tooManyCallsInThreads_failsAndSaysWhereTheOldestCameFrom(t *testing.T) {
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		for range 3 {
			abandonedCall(ctx, nil, release)
		}
		asyncio.Sleep(ctx, time.Minute)
		own := asyncio.NewThreadLimiter(1)
		for range 3 { // what fails keeps no permit
			_, err := asyncio.ToThreadIn(ctx, own, func() (int, error) { t.Error("it ran"); return 0, nil })
			if !errors.Is(err, asyncio.ErrTooManyThreads) {
				t.Fatalf("got %v", err)
			}
			for _, want := range []string{
				"too many calls run in threads: 3, of which 3 were abandoned by tasks that were cancelled, the oldest 1m0s ago: ",
				"asyncio.ToThreadIn, called by asyncio_test.abandonedCall (", "abandoned_test.go:",
			} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		}
		release <- true
		until(ctx, func() bool { return loop.Threads().Running == 2 })
		if v, err := call(7)(ctx); v != 7 || err != nil {
			t.Errorf("when one has ended: %d, %v", v, err)
		}
		close(release)
		return loop.ShutdownThreads(ctx)
	}, asyncio.WithThreadCap(3))
}

func TestWithThreadCap_byDefault_isAboveTheLimitOfCalls(t *testing.T) {
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		const n = 1500
		for range n {
			asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := asyncio.ToThread(ctx, func() (bool, error) { return <-release, nil })
				return err
			}, asyncio.EagerStart(true))
		}
		if s := loop.Threads(); s.Running != n {
			t.Errorf("%d run", s.Running)
		}
		close(release)
		return loop.ShutdownThreads(ctx)
	}, asyncio.WithThreadLimit(1500))
	mustPanic(t, "asyncio: WithThreadCap: the cap is -1", func() { asyncio.NewLoop(asyncio.WithThreadCap(-1)) })
}

func TestToThread_manyAbandonedCalls_areLoggedOnceWithWhereTheyComeFrom(t *testing.T) {
	var log bytes.Buffer
	release := make(chan bool)
	run(t, func(ctx context.Context) error {
		for n := range 30 {
			if abandonedCall(ctx, nil, release); n == 8 && log.Len() > 0 {
				t.Errorf("after 9 calls: %s", &log)
			}
		}
		close(release)
		return asyncio.RunningLoop(ctx).ShutdownThreads(ctx)
	}, asyncio.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), asyncio.WithWatchdog(0)) // which logs, too
	got := log.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "abandoned=10") ||
		!strings.Contains(got, "10 times asyncio.ToThreadIn, called by asyncio_test.abandonedCall (") {
		t.Errorf("logged: %s", got)
	}
}

// quiet is for tests in which warnings are expected.
func quiet() asyncio.Option { return asyncio.WithLogger(slog.New(slog.DiscardHandler)) }

func TestThreads_onAForeignGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		elsewhere(func() {
			mustPanic(t, "Loop.Threads: asyncio: called from a goroutine that is not the event loop's", func() { loop.Threads() })
		})
		return nil
	})
}
