package asyncio_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/lowlevel"
)

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

var _ io.Closer = closerFunc(nil)

func TestAddCloser_notTakenBack_isClosedAtTheEnd(t *testing.T) {
	var closed []string
	closer := func(name string) io.Closer {
		return closerFunc(func() error { closed = append(closed, name); return nil })
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		lowlevel.AddCloser(loop, closer("first"))
		remove := lowlevel.AddCloser(loop, closer("taken back"))
		lowlevel.AddCloser(loop, closer("last"))
		remove()
		return nil
	})
	if err != nil || len(closed) != 2 || closed[0] != "last" || closed[1] != "first" {
		t.Errorf("Run = %v, closed = %v, want last and first", err, closed)
	}
}

func TestAddCloser_removeIsHeld_deadlocksAreStillReported(t *testing.T) {
	var remove func()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		remove = lowlevel.AddCloser(quietLoop(ctx), closerFunc(func() error { return nil }))
		var never asyncio.Event
		return never.Wait(ctx)
	})
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) {
		t.Errorf("Run = %v, want a deadlock", err)
	}
	runtime.KeepAlive(remove)
}

func TestAddCloser_oneTakenBack_theOthersKeepTheirOrder(t *testing.T) {
	var closed string
	loop := clockLoop(t)
	var remove []func()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		remove = append(remove, lowlevel.AddCloser(loop, closerFunc(func() error { closed += name; return nil })))
	}
	remove[0]()
	remove[2]()
	remove[2]()
	loop.Close()
	remove[1]()
	if closed != "edb" {
		t.Errorf("closed %s, want edb", closed)
	}
}

func TestAddCloser_closersThatFailOrAddAndRemoveOthers(t *testing.T) {
	var reported []asyncio.ExceptionInfo
	loop := clockLoop(t, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = append(reported, info) }))
	boom := errors.New("boom")
	var closed string
	lowlevel.AddCloser(loop, closerFunc(func() error { closed += "first"; return nil }))
	taken := lowlevel.AddCloser(loop, closerFunc(func() error { closed += "taken back"; return nil }))
	lowlevel.AddCloser(loop, closerFunc(func() error {
		taken()
		lowlevel.AddCloser(loop, closerFunc(func() error { closed += "late "; return nil }))
		return boom
	}))
	loop.Close()
	if closed != "late first" || len(reported) != 1 || reported[0].Err != boom {
		t.Errorf("closed %q, reported %v", closed, reported)
	}
}

// conformance: loop-02
func TestClose_again_doesNothing_andAClosedLoopDoesNotRun(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	if a, b := loop.Close(), loop.Close(); a != nil || b != nil {
		t.Errorf("Close returned %v and %v", a, b)
	}
	mustPanic(t, "asyncio: Run: asyncio: the event loop is closed", func() {
		loop.Run(context.Background(), func(context.Context) error { return nil })
	})
	mustPanic(t, "asyncio: Loop.RunOnce: asyncio: the event loop is closed", func() { loop.RunOnce() })
}

// conformance: loop-32
func TestClose_whateverIsScheduledAfterwards_isRefused(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	ctx := loop.Context()
	loop.Close()
	closed := "asyncio: the event loop is closed"
	nothing := func() {}
	mustPanic(t, "Loop.CallSoon: "+closed, func() { loop.CallSoon(nothing) })
	mustPanic(t, "Loop.CallLater: "+closed, func() { loop.CallLater(1, nothing) })
	mustPanic(t, "Loop.CallAt: "+closed, func() { loop.CallAt(1, nothing) })
	mustPanic(t, "Go: "+closed, func() { asyncio.Go(ctx, func(context.Context) error { return nil }) })
	mustPanic(t, "AddCloser: "+closed, func() { lowlevel.AddCloser(loop, nil) })
	if err := loop.CallSoonThreadsafe(nothing); !errors.Is(err, asyncio.ErrLoopClosed) {
		t.Errorf("CallSoonThreadsafe: %v", err)
	}
	if err := asyncio.Sleep(ctx, 1); !errors.Is(err, asyncio.ErrLoopClosed) {
		t.Errorf("Sleep: %v", err)
	}
	if _, err := asyncio.ToThread(ctx, func() (int, error) { return 0, nil }); !errors.Is(err, asyncio.ErrLoopClosed) {
		t.Errorf("ToThread: %v", err)
	}
}

// conformance: loop-31
func TestClose_ofARunningLoop_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		mustPanic(t, "asyncio: Loop.Close: the event loop is running already", func() { loop.Close() })
		elsewhere(func() {
			mustPanic(t, "asyncio: Loop.Close: the event loop is running already", func() { loop.Close() })
		})
		return asyncio.Yield(ctx)
	})
}

// conformance: loop-29
func TestClose_givesItsDescriptorsBack(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd here")
		}
		return len(entries)
	}
	before := count()
	for range 10 {
		run(t, func(ctx context.Context) error { return nil })
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// abandon ends a loop at once, as when a callback calls runtime.Goexit: it waits
// for nobody's clean-up.
func abandon(loop *asyncio.Loop) error { return engine.Unwrap(loop).Drop() }

func TestClose_tasksThatNeverEnd_areUnwound(t *testing.T) {
	loop := clockLoop(t)
	unwound := map[string]bool{}
	stubborn := func(name string, wait func(ctx context.Context)) {
		asyncio.Go(loop.Context(), func(ctx context.Context) error {
			defer func() { unwound[name] = true }()
			for {
				wait(ctx)
			}
		})
	}
	var event asyncio.Event
	var lock asyncio.Lock
	q := asyncio.NewQueue[int](0)
	stubborn("yields", func(ctx context.Context) { asyncio.Yield(ctx) })
	stubborn("sleeps", func(ctx context.Context) { asyncio.Sleep(ctx, time.Second) })
	stubborn("waits for an event", func(ctx context.Context) { event.Wait(ctx) })
	stubborn("wants a lock", func(ctx context.Context) { lock.Acquire(ctx) })
	stubborn("gets", func(ctx context.Context) { q.Get(ctx) })
	stubborn("is shielded", func(ctx context.Context) {
		asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
	})
	for range 10 {
		loop.RunOnce()
	}
	loop.Close()
	if len(unwound) != 6 {
		t.Errorf("unwound: %v", unwound)
	}
}

func TestClose_aCallbackThatAsksForItselfForEver_doesNotHoldItUp(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	var again func()
	again = func() { loop.CallSoon(again) }
	again()
	loop.RunOnce()
	asyncio.Go(loop.Context(), func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
	loop.RunOnce()
	loop.Close()
}

func TestClose_whatIsStillInLine_runs(t *testing.T) {
	loop, err := asyncio.NewLoop(fifo)
	if err != nil {
		t.Fatal(err)
	}
	ran := ""
	loop.CallSoon(func() { ran += "soon " })
	loop.CallSoonThreadsafe(func() { ran += "threadsafe " })
	asyncio.Go(loop.Context(), func(ctx context.Context) error { ran += "task "; return nil })
	loop.CallLater(0, func() { ran += "timer" })
	loop.Close()
	if ran != "soon task threadsafe " {
		t.Errorf("ran: %s", ran)
	}
}
