package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/standin"
)

const address = "192.0.2.1:7"

// echo answers one connection.
func echo(ctx context.Context) error {
	ln, err := aionet.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer ln.Close()
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(c, c)
	return errors.Join(err, c.Close())
}

// pings returns when each of some answers came.
func pings(ctx context.Context) (at []time.Duration, err error) {
	start := asyncio.Now(ctx)
	c, err := aionet.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for range 3 {
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
		if _, err := c.Write([]byte("ping")); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			return nil, err
		}
		at = append(at, asyncio.Now(ctx).Sub(start))
	}
	return at, nil
}

// there and back, after a second each, and after the connection.
var answers = []time.Duration{1030 * time.Millisecond, 2050 * time.Millisecond, 3070 * time.Millisecond}

func TestStep_twoLoopsOnOneClock_talkOverASimulatedNetwork(t *testing.T) {
	trace := func() (steps []string) {
		w := standin.New()
		var loops []*engine.Loop
		start := func(main func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
			l, err := asyncio.NewLoop(w.Option(1).(asyncio.Option))
			if err != nil {
				t.Fatal(err)
			}
			loops = append(loops, engine.Unwrap(l))
			return asyncio.Go(l.Context(), main)
		}
		server := start(echo)
		var got []time.Duration
		client := start(func(ctx context.Context) (err error) {
			got, err = pings(ctx)
			return err
		})
		for !server.Done() || !client.Done() {
			ran := false
			first := time.Duration(math.MaxInt64)
			for i, l := range loops {
				if l.Poll() && l.Step() {
					ran = true
					steps = append(steps, fmt.Sprint(w.Clock.Now(), i))
				}
				if when, ok := l.NextTimer(); ok {
					first = min(first, when)
				}
			}
			if !ran && !w.Next(first) {
				t.Fatalf("nothing can go on: %q", steps)
			}
		}
		if !slices.Equal(got, answers) || server.Err() != nil || client.Err() != nil {
			t.Errorf("answers came after %v, want %v; %v, %v", got, answers, server.Err(), client.Err())
		}
		for _, l := range loops {
			if err := l.Close("test"); err != nil {
				t.Error(err)
			}
		}
		return steps
	}
	if first, second := trace(), trace(); !slices.Equal(first, second) {
		t.Errorf("two runs took the steps %q and %q", first, second)
	}
}

func TestStep_runsOneTaskAndLeavesTheOthers(t *testing.T) {
	l, err := asyncio.NewLoop(asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inner := engine.Unwrap(l)
	ran := 0
	for range 3 {
		asyncio.Go(l.Context(), func(ctx context.Context) error {
			ran++
			return asyncio.Sleep(ctx, time.Minute)
		})
	}
	if _, ok := inner.NextTimer(); ok {
		t.Error("there is a timer before anything has run")
	}
	for want := 1; want <= 3; want++ {
		if !inner.Poll() || !inner.Step() || ran != want {
			t.Fatalf("after %d steps %d tasks have run", want, ran)
		}
	}
	if inner.Poll() || inner.Step() || inner.Time() != 0 {
		t.Errorf("something runs before its time: it is %v", inner.Time())
	}
	if when, ok := inner.NextTimer(); when != time.Minute || !ok {
		t.Errorf("the next timer is at %v, %v", when, ok)
	}
}

func TestIdle_eventsComeBeforeLaterTimers(t *testing.T) {
	w := standin.New()
	w.Clock.Idle = w.Next
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		server := asyncio.Go(ctx, echo)
		_ = asyncio.Yield(ctx)
		var got []time.Duration
		err := asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) (err error) {
			got, err = pings(ctx)
			return err
		})
		if !slices.Equal(got, answers) {
			t.Errorf("answers came after %v, want %v", got, answers)
		}
		_, failed := server.Await(ctx)
		return errors.Join(err, failed)
	}, w.Option(1).(asyncio.Option))
	if err != nil {
		t.Error(err)
	}
}

func TestIdle_nothingWillHappen_isADeadlock(t *testing.T) {
	w := standin.New()
	w.Clock.Idle = w.Next
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		_, err = ln.Accept()
		return err
	}, w.Option(1).(asyncio.Option))
	if _, ok := errors.AsType[*asyncio.DeadlockError](err); !ok {
		t.Errorf("the error is %v", err)
	}
}

func TestIdle_aHeldLoopIsNobodyOutside(t *testing.T) {
	w := standin.New()
	w.Clock.Idle = w.Next
	held, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := asyncio.Run(held, func(ctx context.Context) error {
		asyncio.RunningLoop(ctx)
		return new(asyncio.Event).Wait(ctx)
	}, w.Option(1).(asyncio.Option))
	if _, ok := errors.AsType[*asyncio.DeadlockError](err); !ok {
		t.Errorf("the error is %v", err)
	}
}

// order returns the order in which five tasks take their first steps, in which callbacks come between them.
func order(t *testing.T, set func(c *engine.Config)) (ran []string) {
	l, err := asyncio.NewLoop(asyncio.WithVirtualClock(), engine.Option(set).(asyncio.Option))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 5 {
		asyncio.Go(l.Context(), func(context.Context) error {
			ran = append(ran, fmt.Sprint("task ", i))
			return nil
		}, asyncio.Name(fmt.Sprint(i)))
		l.CallSoon(func() { ran = append(ran, fmt.Sprint("callback ", i)) })
	}
	for inner := engine.Unwrap(l); inner.Poll(); {
		inner.Step()
	}
	return ran
}

func TestStep_underChaos_takesWhoIsChosen(t *testing.T) {
	var offered []string
	lastTask := func(ready []*engine.Task) int {
		for i, r := range slices.Backward(ready) {
			if r != nil {
				offered = append(offered, r.Name())
				return i
			}
		}
		return 0
	}
	got := order(t, func(c *engine.Config) { c.Chaos, c.Choose = 0, lastTask })
	want := []string{"task 4", "task 3", "task 2", "task 1", "task 0"}
	if !slices.Equal(got[:5], want) || got[5] != "callback 0" || !slices.Equal(offered, []string{"4", "3", "2", "1", "0"}) {
		t.Errorf("they ran as %q, offered were %q", got, offered)
	}
	first := order(t, func(c *engine.Config) { c.Chaos = 1 })
	if again := order(t, func(c *engine.Config) { c.Chaos = 1 }); !slices.Equal(first, again) {
		t.Errorf("seed 1 gives %q and %q", first, again)
	}
	if other := order(t, func(c *engine.Config) { c.Chaos = 2 }); slices.Equal(first, other) {
		t.Errorf("seeds 1 and 2 give %q", first)
	}
}
