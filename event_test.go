package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: event-02
func TestEvent_set_letsAllGoOn_andALateComerDoesNotWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		var order []string
		wait := func(name string) {
			asyncio.Go(ctx, func(ctx context.Context) error {
				err := e.Wait(ctx)
				order = append(order, name)
				return err
			})
		}
		wait("a")
		wait("b")
		letWait(t, ctx)
		if len(order) != 0 {
			t.Errorf("before Set: %v", order)
		}
		wait("late") // is ready before those that Set wakes
		e.Set()
		if len(order) != 0 {
			t.Errorf("inside Set: %v", order)
		}
		letWait(t, ctx)
		if fmt.Sprint(order) != "[late a b]" {
			t.Errorf("order %v", order)
		}
		return nil
	}, fifo)
}

// conformance: event-03
func TestEvent_waitOnASetEvent_returnsAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		e.Set()
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		if err := e.Wait(ctx); err != nil || others != 0 {
			t.Errorf("got %v, %d others ran", err, others)
		}
		return nil
	}, fifo)
}

// conformance: event-04
func TestEvent_cancelledWaiter_leavesNobodyBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		err := asyncio.Timeout(ctx, time.Second, e.Wait)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if s := e.String(); s != "an Event (not set)" {
			t.Errorf("after the cancellation: %s", s)
		}
		return nil
	})
}

// conformance: event-01 event-05
func TestEvent_setAndClear_toggleIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		states := []struct {
			do   func()
			set  bool
			text string
		}{
			{func() {}, false, "an Event (not set)"},
			{e.Set, true, "an Event (set)"},
			{e.Set, true, "an Event (set)"},
			{e.Clear, false, "an Event (not set)"},
			{e.Clear, false, "an Event (not set)"},
			{func() { asyncio.Go(ctx, e.Wait); letWait(t, ctx) }, false, "an Event (not set, 1 waits)"},
			{func() { asyncio.Go(ctx, e.Wait); letWait(t, ctx) }, false, "an Event (not set, 2 wait)"},
			{e.Set, true, "an Event (set)"},
		}
		for i, s := range states {
			s.do()
			if e.IsSet() != s.set || e.String() != s.text {
				t.Errorf("state %d: IsSet %v, %s; want %v, %s", i, e.IsSet(), &e, s.set, s.text)
			}
		}
		return nil
	})
}

// conformance: event-06
// pitfall: 26
func TestEvent_setThenClear_stillWakesThoseWhoWaited(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		early := asyncio.Go(ctx, e.Wait)
		letWait(t, ctx)
		e.Set()
		e.Set()
		e.Clear()
		late := asyncio.Go(ctx, e.Wait)
		letWait(t, ctx)
		if !early.Done() || early.Err() != nil || late.Done() {
			t.Errorf("early %v, late %v", early, late)
		}
		e.Set()
		_, err := late.Await(ctx)
		return err
	})
}

func TestEvent_onAForeignGoroutine_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e asyncio.Event
		waiter := asyncio.Go(ctx, e.Wait)
		letWait(t, ctx)
		loop := asyncio.RunningLoop(ctx)
		elsewhere(func() {
			mustPanic(t, "Event.Set: asyncio: called from a goroutine that is not the event loop's", e.Set)
			mustPanic(t, "Event.Clear: asyncio: called from", e.Clear)
			if err := e.Wait(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("Wait returned %v", err)
			}
			loop.CallSoonThreadsafe(e.Set) // this is how
		})
		_, err := waiter.Await(ctx)
		return err
	})
}

func TestEvent_outlivesItsLoop(t *testing.T) {
	var e asyncio.Event
	for range 2 {
		run(t, func(ctx context.Context) error {
			asyncio.RunningLoop(ctx).CallLater(time.Second, e.Set)
			return e.Wait(ctx)
		})
		e.Clear()
	}
}

func TestEvent_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var ping, pong asyncio.Event
		stop := false
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for !stop {
				ping.Wait(ctx)
				ping.Clear()
				pong.Set()
			}
			return nil
		})
		allocates(t, "two hand-overs", 0, func() {
			ping.Set()
			pong.Wait(ctx)
			pong.Clear()
		})
		stop = true
		ping.Set()
		_, err := other.Await(ctx)
		return err
	})
}
