package asyncio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: handle-01 loop-03
func TestHandle_cancelled_doesNotRun(t *testing.T) {
	loop := clockLoop(t)
	h := loop.CallSoon(func() { t.Error("a cancelled callback ran") })
	if h.Cancelled() {
		t.Error("cancelled from the start")
	}
	h.Cancel()
	h.Cancel()
	if !h.Cancelled() {
		t.Error("not cancelled after Cancel")
	}
	ran := false
	other := loop.CallSoon(func() { ran = true })
	runAll(loop)
	if !ran || !other.Cancelled() {
		t.Errorf("the other callback: ran %v, Cancelled %v", ran, other.Cancelled())
	}
}

func TestHandle_cancelledByACallbackBeforeIt_doesNotRun(t *testing.T) {
	loop := clockLoop(t)
	var h *asyncio.Handle
	loop.CallSoon(func() { h.Cancel() })
	h = loop.CallSoon(func() { t.Error("a cancelled callback ran") })
	runAll(loop)
}

// conformance: handle-02
func TestHandle_aPanicOfACallback_isReportedAndTheLoopGoesOn(t *testing.T) {
	var reported []asyncio.ExceptionInfo
	loop := clockLoop(t, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = append(reported, info) }))
	boom := errors.New("boom")
	ran := 0
	loop.CallSoon(func() { panic(boom) })
	loop.CallLater(time.Second, func() { panic("ouch") })
	loop.CallSoonThreadsafe(func() { panic("ow") })
	loop.CallSoon(func() { ran++ })
	loop.CallLater(time.Second, func() { ran++ })
	runAll(loop)
	if ran != 2 || len(reported) != 3 || !errors.Is(reported[0].Err, boom) {
		t.Fatalf("%d callbacks ran, reported %v", ran, reported)
	}
	for _, info := range reported {
		var p *asyncio.PanicError
		if info.Message != "a callback panicked" || !errors.As(info.Err, &p) || len(p.Stack) == 0 {
			t.Errorf("reported %q, %v", info.Message, info.Err)
		}
	}
}

// conformance: handle-08
func TestTimer_when_tellsItsTime(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		asyncio.Sleep(ctx, time.Second)
		if w := loop.CallLater(time.Minute, func() {}).When(); w != 61*time.Second {
			t.Errorf("CallLater: %v", w)
		}
		if w := loop.CallAt(time.Hour, func() {}).When(); w != time.Hour {
			t.Errorf("CallAt: %v", w)
		}
		return nil
	})
}

func TestHandle_callSoon_allocatesOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		fn := func() {}
		allocates(t, "CallSoon", 1, func() {
			loop.CallSoon(fn)
			asyncio.Yield(ctx)
		})
		return nil
	})
}
