package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// byHand is an executor that runs nothing until it is told to.
type byHand struct{ works []func() }

func (e *byHand) start(work func()) { e.works = append(e.works, work) }

// runAll runs what has come, on a goroutine.
func (e *byHand) runAll() {
	works := e.works
	e.works = nil
	elsewhere(func() {
		for _, work := range works {
			work()
		}
	})
}

// call is a call of ToThread, which returns v.
func call(v int) asyncio.Coroutine[int] {
	return func(ctx context.Context) (int, error) {
		return asyncio.ToThread(ctx, func() (int, error) { return v, nil })
	}
}

// conformance: loop-04
func TestWithExecutor_runsTheCallsOfToThread(t *testing.T) {
	jobs := make(chan func())
	defer close(jobs)
	var ran []int // by the one goroutine that works
	go func() {
		for work := range jobs {
			work()
		}
	}()
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		for i := range 3 {
			v, err := asyncio.ToThread(ctx, func() (int, error) { ran = append(ran, i); return i, boom })
			if v != i || err != boom {
				t.Errorf("got %d, %v", v, err)
			}
		}
		_, err := asyncio.ToThread(ctx, func() (int, error) { panic("ouch") })
		if p := (*asyncio.PanicError)(nil); !errors.As(err, &p) || p.Value != "ouch" {
			t.Errorf("got %v", err)
		}
		return nil
	}, asyncio.WithExecutor(func(work func()) { jobs <- work }))
	if len(ran) != 3 {
		t.Errorf("ran %v", ran)
	}
	run(t, func(ctx context.Context) error {
		v, err := call(7)(ctx)
		if v != 7 {
			t.Errorf("without an executor: %d", v)
		}
		return err
	}, asyncio.WithExecutor(nil))
}

func TestWithExecutor_theLimitHolds_andCancelledCallsGiveTheirPermitsBack(t *testing.T) {
	var hand byHand
	run(t, func(ctx context.Context) error {
		first, second, third := asyncio.CreateTask(ctx, call(1)), asyncio.CreateTask(ctx, call(2)), asyncio.CreateTask(ctx, call(3))
		asyncio.Yield(ctx)
		if len(hand.works) != 2 {
			t.Errorf("%d calls at once, want 2", len(hand.works))
		}
		first.Cancel()
		asyncio.Sleep(ctx, 0)
		asyncio.Sleep(ctx, 0)
		if len(hand.works) != 3 || !first.Done() {
			t.Errorf("after a cancellation: %d calls", len(hand.works))
		}
		hand.runAll()
		if v, err := second.Await(ctx); v != 2 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		if v, err := third.Await(ctx); v != 3 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		return nil
	}, asyncio.WithExecutor(hand.start), asyncio.WithThreadLimit(2), fifo)
}

func TestWithExecutor_thatRunsTheWorkAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		v, err := call(7)(ctx)
		if v != 7 {
			t.Errorf("got %d", v)
		}
		return err
	}, asyncio.WithExecutor(func(work func()) { work() }))
}

func TestWithExecutor_thatPanics_soDoesToThread_andNothingIsKept(t *testing.T) {
	for _, runsFirst := range []bool{false, true} {
		broken := true
		run(t, func(ctx context.Context) error {
			mustPanic(t, "no room", func() { call(1)(ctx) })
			broken = false
			if v, err := call(2)(ctx); v != 2 || err != nil { // there is one permit only
				t.Errorf("the next call: %d, %v", v, err)
			}
			return asyncio.RunningLoop(ctx).ShutdownThreads(ctx)
		}, asyncio.WithThreadLimit(1), asyncio.WithExecutor(func(work func()) {
			if !broken || runsFirst {
				work()
			}
			if broken {
				panic("no room")
			}
		}))
	}
}

// A call whose start has panicked is nobody's: a virtual clock does not wait.
func TestWithExecutor_thatPanicsWhileTheWorkRuns_doesNotHoldTheVirtualClock(t *testing.T) {
	begun, goOn := make(chan bool), make(chan bool)
	defer close(goOn)
	run(t, func(ctx context.Context) error {
		mustPanic(t, "too late", func() {
			asyncio.ToThread(ctx, func() (bool, error) { begun <- true; return <-goOn, nil })
		})
		return asyncio.Sleep(ctx, time.Hour)
	}, asyncio.WithExecutor(func(work func()) {
		go work()
		<-begun
		panic("too late")
	}))
}

func TestWithExecutor_workIsRunTwice_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := call(1)(ctx)
		return err
	}, asyncio.WithExecutor(func(work func()) {
		work()
		mustPanic(t, "asyncio: WithExecutor: work was run twice", work)
	}))
}

func TestShutdownThreads_waitsForAllThatWereMade_andRefusesNewOnes(t *testing.T) {
	var hand byHand
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		begin := func(v int) *asyncio.Task[int] { return asyncio.CreateTask(ctx, call(v), asyncio.EagerStart(true)) }
		abandoned, awaited, next, queued := begin(1), begin(2), begin(3), begin(4)
		abandoned.Cancel()
		shut := asyncio.Go(ctx, loop.ShutdownThreads, asyncio.EagerStart(true))
		if _, err := call(5)(ctx); err != asyncio.ErrThreadsShutDown {
			t.Errorf("a new call: %v", err)
		}
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		if _, err := call(5)(done); err != context.Canceled {
			t.Errorf("under a done context: %v", err)
		}
		until(ctx, func() bool { return len(hand.works) == 3 })
		for _, left := range []int{3, 1} { // the fourth had no permit yet
			if shut.Done() || len(hand.works) != left {
				t.Errorf("before the calls have ended: %v, %d calls", shut, len(hand.works))
			}
			hand.runAll()
			until(ctx, func() bool { return len(hand.works) > 0 || left == 1 })
		}
		if _, err := shut.Await(ctx); err != nil {
			t.Error(err)
		}
		for v, task := range map[int]*asyncio.Task[int]{2: awaited, 3: next, 4: queued} {
			if got, err := task.Await(ctx); got != v || err != nil {
				t.Errorf("a call that had been made: %d, %v", got, err)
			}
		}
		return loop.ShutdownThreads(ctx) // at once
	}, asyncio.WithExecutor(hand.start), asyncio.WithThreadLimit(2))
}

// conformance: loop-06
func TestShutdownThreads_timeout_saysHowManyHaveNotEnded(t *testing.T) {
	var hand byHand
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		task := asyncio.CreateTask(ctx, call(1), asyncio.EagerStart(true))
		task.Cancel() // or else the virtual clock waits for it
		err := asyncio.Timeout(ctx, time.Minute, loop.ShutdownThreads)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "asyncio: Loop.ShutdownThreads: calls of ToThread that have not ended: 1: ") {
			t.Errorf("got %v", err)
		}
		if _, err := call(2)(ctx); err != asyncio.ErrThreadsShutDown {
			t.Errorf("a new call: %v", err)
		}
		hand.runAll()
		return loop.ShutdownThreads(ctx)
	}, asyncio.WithExecutor(hand.start))
}

func TestShutdownThreads_misuse(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		elsewhere(func() {
			if err := loop.ShutdownThreads(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("on another goroutine: %v", err)
			}
			onAnotherLoop(t, func(ctx context.Context) error { return loop.ShutdownThreads(ctx) })
		})
		_, err := call(1)(ctx) // nothing was shut down
		return err
	})
}
