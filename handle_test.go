package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
// pitfall: 33
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

func namedCallback() {}

// conformance: handle-04 handle-05
func TestHandle_string_namesTheFunction_andInDebugModeWhereItWasMade(t *testing.T) {
	for _, debug := range []bool{true, false} {
		loop := clockLoop(t, asyncio.WithDebug(debug))
		future := asyncio.NewFuture[int](loop)
		task := asyncio.CreateTask(loop.Context(), sleeper(1))
		handles := map[string]fmt.Stringer{
			"Handle": loop.CallSoon(namedCallback),
			"Future": future.AddDoneCallback(func(*asyncio.Future[int]) {}),
			"Task":   task.AddDoneCallback(func(*asyncio.Task[int]) {}),
			"Later":  loop.CallLater(time.Hour, namedCallback),
			"At":     loop.CallAt(time.Hour, namedCallback),
			"Init":   initTimer(loop),
		}
		for name, h := range handles {
			text := h.String()
			made := strings.LastIndex(text, "handle_test.go:")
			if strings.Contains(text, ", made at ") != debug || debug && made < strings.Index(text, ", made at ") {
				t.Errorf("%s, debug %v: %s", name, debug, text)
			}
			if name != "Future" && name != "Task" && !strings.Contains(text, "asyncio_test.namedCallback at ") {
				t.Errorf("%s: %s", name, text)
			}
		}
		h := loop.CallSoon(namedCallback)
		h.Cancel()
		if !strings.HasPrefix(h.String(), "a Handle (cancelled, or has run") {
			t.Errorf("cancelled: %s", h)
		}
		future.Cancel()
	}
}

func initTimer(loop *asyncio.Loop) *asyncio.Timer {
	timer := new(asyncio.Timer)
	timer.Init(loop, namedCallback)
	return timer
}

// conformance: handle-10
func TestTimer_string_tellsItsTime(t *testing.T) {
	loop := clockLoop(t)
	timer := loop.CallLater(3*time.Second, namedCallback)
	if !strings.HasPrefix(timer.String(), "a Timer (at 3s, asyncio_test.namedCallback at ") {
		t.Errorf("armed: %s", timer)
	}
	timer.Stop()
	if !strings.HasPrefix(timer.String(), "a Timer (not armed, asyncio_test.namedCallback at ") {
		t.Errorf("stopped: %s", timer)
	}
	if s := new(asyncio.Timer).String(); s != "a Timer (not initialised)" {
		t.Errorf("zero: %s", s)
	}
}

// conformance: handle-05
func TestHandle_panics_inDebugMode_theReportSaysWhereItWasMade(t *testing.T) {
	var reports []asyncio.ExceptionInfo
	loop := clockLoop(t, asyncio.WithDebug(true), asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i) }))
	bad := func() { panic("boom") }
	loop.CallSoon(bad)
	loop.CallLater(0, bad)
	loop.CallSoonThreadsafe(bad)
	runAll(loop)
	if len(reports) != 3 {
		t.Fatalf("reports %v", reports)
	}
	for _, r := range reports {
		if !strings.Contains(r.Created, "handle_test.go:") {
			t.Errorf("made at %q", r.Created)
		}
	}
}
