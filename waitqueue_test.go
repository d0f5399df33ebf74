package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// why is what the tests' waits wait for.
type why string

func (w why) WaitName() string { return string(w) }

// letWait lets all other tasks run until each of them waits: on a virtual clock
// the time comes only when nobody has anything left to do.
func letWait(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := asyncio.Sleep(ctx, time.Nanosecond); err != nil {
		t.Fatal(err)
	}
}

// mustPanic runs fn and fails the test unless it panics with a message that
// contains want.
func mustPanic(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		switch v := recover(); {
		case v == nil:
			t.Errorf("no panic; want one that says %q", want)
		case !strings.Contains(fmt.Sprint(v), want):
			t.Errorf("panic %q, want one that says %q", v, want)
		}
	}()
	fn()
}

// elsewhere runs fn on a goroutine that is not the loop's and waits for it.
func elsewhere(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

// onAnotherLoop fails the test unless call, on another loop, returns an error which
// says that what it uses belongs to this one.
func onAnotherLoop(t *testing.T, call func(ctx context.Context) error) {
	t.Helper()
	var got error
	run(t, func(ctx context.Context) error { got = call(ctx); return nil })
	if got == nil || !strings.Contains(got.Error(), "another event loop") {
		t.Errorf("on another loop: %v", got)
	}
}

// allocates fails the test unless fn allocates want objects a call on average.
func allocates(t *testing.T, what string, want float64, fn func()) {
	t.Helper()
	if raceEnabled {
		return // the detector's own bookkeeping allocates
	}
	if n := testing.AllocsPerRun(1000, fn); n > want {
		t.Errorf("%s: %v allocations, want at most %v", what, n, want)
	}
}

func TestWaitQueue_wakesInTheOrderOfWaiting(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		var order []int
		for i := range 5 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				err := q.Wait(ctx, why("a turn"))
				order = append(order, i)
				return err
			})
		}
		letWait(t, ctx)
		if q.Len() != 5 || q.Empty() {
			t.Fatalf("Len %d, Empty %v, want 5, false", q.Len(), q.Empty())
		}
		if n := q.Wake(2); n != 2 || len(order) != 0 {
			t.Errorf("Wake(2) woke %d, and %v ran inside it", n, order)
		}
		letWait(t, ctx)
		if fmt.Sprint(order) != "[0 1]" {
			t.Errorf("after Wake(2): %v", order)
		}
		if n := q.Wake(0) + q.Wake(-1); n != 0 {
			t.Errorf("Wake(0) and Wake(-1) woke %d", n)
		}
		if n := q.WakeAll(); n != 3 {
			t.Errorf("WakeAll woke %d, want 3", n)
		}
		letWait(t, ctx)
		if fmt.Sprint(order) != "[0 1 2 3 4]" || !q.Empty() || q.Wake(1) != 0 {
			t.Errorf("at the end: %v, Len %d", order, q.Len())
		}
		return nil
	}, fifo)
}

func TestWaitQueue_whoIsCancelledIsOutOfLineAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		wait := func(ctx context.Context) error { return q.Wait(ctx, why("a turn")) }
		first, middle, last := asyncio.Go(ctx, wait), asyncio.Go(ctx, wait), asyncio.Go(ctx, wait)
		letWait(t, ctx)
		boom := errors.New("boom")
		middle.Cancel(boom)
		if q.Len() != 2 {
			t.Errorf("%d in line after a cancellation, want 2", q.Len())
		}
		first.Cancel()
		last.Cancel()
		if !q.Empty() || q.WakeAll() != 0 {
			t.Errorf("%d in line when all are cancelled", q.Len())
		}
		if _, err := middle.Await(ctx); err != boom {
			t.Errorf("the cancelled wait returned %v, want its cause", err)
		}
		if _, err := first.Await(ctx); err != context.Canceled {
			t.Errorf("the cancelled wait returned %v, want context.Canceled", err)
		}
		return nil
	})
}

func TestWaitQueue_wokenAndCancelledInTheSameTurn_keepsWhatItWasWokenFor(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		var woken, next error
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			woken = q.Wait(ctx, why("a turn"))
			next = q.Wait(ctx, why("another turn"))
			return nil
		})
		letWait(t, ctx)
		q.Wake(1)
		task.Cancel()
		task.Await(ctx)
		if woken != nil || next != context.Canceled {
			t.Errorf("the waits returned %v and %v, want nil and context.Canceled", woken, next)
		}
		return nil
	})
}

func TestWaitQueue_underADoneContext_yieldsOnceAndIsNotInLine(t *testing.T) {
	run(t, func(ctx context.Context) error {
		contexts := map[string]func() (context.Context, func()){
			"ours":     func() (context.Context, func()) { c, f := asyncio.WithCancel(ctx); return c, func() { f(nil) } },
			"standard": func() (context.Context, func()) { c, f := context.WithCancel(ctx); return c, f },
		}
		for name, make := range contexts {
			var q lowlevel.WaitQueue
			done, cancel := make()
			cancel()
			others := 0
			other := asyncio.Go(ctx, func(ctx context.Context) error { others++; return nil })
			if err := q.Wait(done, why("nothing")); err != context.Canceled {
				t.Errorf("%s: got %v, want context.Canceled", name, err)
			}
			if others != 1 || !q.Empty() {
				t.Errorf("%s: %d others ran, %d in line, want 1, 0", name, others, q.Len())
			}
			other.Await(ctx)
		}
		return nil
	})
}

func TestWaitQueue_underAStandardContext_isCancelledFromAnotherGoroutine(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		boom := errors.New("boom")
		foreign, cancel := context.WithCancelCause(ctx)
		asyncio.Go(ctx, func(context.Context) error {
			go cancel(boom)
			return nil
		})
		if err := q.Wait(foreign, why("a cancellation")); err != boom || !q.Empty() {
			t.Errorf("got %v, %d in line, want boom, 0", err, q.Len())
		}
		return nil
	})
}

func TestWaitQueue_wrongCaller_getsAnErrorThatNamesTheFault(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		if err := q.Wait(context.Background(), why("x")); !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("without a coroutine's context: %v", err)
		}
		elsewhere(func() {
			if err := q.Wait(ctx, why("x")); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("on a foreign goroutine: %v", err)
			}
		})
		asyncio.Go(ctx, func(own context.Context) error {
			if err := q.Wait(ctx, why("x")); !errors.Is(err, asyncio.ErrWrongContext) {
				t.Errorf("with another task's context: %v", err)
			}
			return nil
		}).Await(ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() {
			if err := q.Wait(ctx, why("x")); !errors.Is(err, asyncio.ErrWrongContext) {
				t.Errorf("in a callback: %v", err)
			}
		})
		letWait(t, ctx)
		if !q.Empty() {
			t.Errorf("%d in line after refused waits", q.Len())
		}
		return nil
	})
}

func TestWaitQueue_wakeOnAForeignGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		task := asyncio.Go(ctx, func(ctx context.Context) error { return q.Wait(ctx, why("x")) })
		letWait(t, ctx)
		elsewhere(func() {
			mustPanic(t, "WaitQueue.Wake: asyncio: called from a goroutine that is not the event loop's", func() { q.Wake(1) })
		})
		if q.Wake(1) != 1 {
			t.Error("the waiter is lost")
		}
		_, err := task.Await(ctx)
		return err
	})
}

func TestWaitQueue_ofAnotherLoop_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		asyncio.Go(ctx, func(ctx context.Context) error { return q.Wait(ctx, why("x")) })
		letWait(t, ctx)
		elsewhere(func() {
			onAnotherLoop(t, func(ctx context.Context) error { return q.Wait(ctx, why("x")) })
		})
		if q.Wake(1) != 1 {
			t.Error("the waiter is lost")
		}
		return nil
	})
}

func TestWaitQueue_parkAndWake_allocateNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q lowlevel.WaitQueue
		stop := false
		asyncio.Go(ctx, func(ctx context.Context) error {
			for !stop {
				if err := q.Wait(ctx, nil); err != nil {
					return err
				}
			}
			return nil
		})
		letWait(t, ctx)
		allocates(t, "a park and a wake", 0, func() {
			q.Wake(1)
			asyncio.Yield(ctx)
		})
		stop = true
		q.Wake(1)
		return nil
	})
}
