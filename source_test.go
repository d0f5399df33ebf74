package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// spring is the owner of a Source.
type spring struct {
	lowlevel.Source
	turns  int
	turn   func()
	failed error
}

func (s *spring) Turn() {
	s.turns++
	if s.turn != nil {
		s.turn()
	}
}

func (s *spring) Failed(err error) { s.failed = err }

func TestSource_Ready_isOneTurnForAnyNumberOfCalls(t *testing.T) {
	loop := clockLoop(t)
	s := &spring{}
	s.Open(loop, s)
	var order []string
	loop.CallSoon(func() { order = append(order, "before") })
	s.turn = func() { order = append(order, "turn") }
	s.Ready()
	s.Ready()
	loop.CallSoon(func() { order = append(order, "after") })
	loop.RunOnce()
	if got := strings.Join(order, " "); got != "before turn after" {
		t.Errorf("%q", got)
	}
	s.turn = func() {
		if s.turn = nil; s.turns == 2 {
			s.Ready()
		}
	}
	s.Ready()
	loop.RunOnce()
	if s.turns != 2 {
		t.Errorf("%d turns in one: what a turn asks for comes in the next one", s.turns)
	}
	if loop.RunOnce(); s.turns != 3 {
		t.Errorf("%d turns", s.turns)
	}
	s.Close()
}

func TestSource_Close_takesBackTheTurn(t *testing.T) {
	loop := clockLoop(t)
	s := &spring{}
	if s.Close() || s.OnLoop() || s.Loop() != nil {
		t.Error("a Source that was never opened is of no loop")
	}
	s.Open(loop, s)
	s.Ready()
	if !s.Close() || s.Close() || s.Loop() != loop {
		t.Error("Close")
	}
	s.Ready()
	loop.RunOnce()
	if s.turns != 0 {
		t.Errorf("%d turns", s.turns)
	}
	s.Open(loop, s)
	s.Ready()
	loop.RunOnce()
	if s.turns != 1 {
		t.Errorf("%d turns after opening again", s.turns)
	}
	s.Close()
}

func TestSource_panic_isTold(t *testing.T) {
	loop := clockLoop(t)
	s := &spring{turn: func() { panic("boom") }}
	s.Open(loop, s)
	s.Ready()
	loop.RunOnce()
	var p *asyncio.PanicError
	if !errors.As(s.failed, &p) || p.Value != "boom" {
		t.Error(s.failed)
	}
	s.turn = nil
	s.Ready()
	if loop.RunOnce(); s.turns != 2 {
		t.Error("the Source did not survive")
	}
	s.Close()
}

func TestSource_thatIsOpen_isWaitedFor(t *testing.T) {
	loop := clockLoop(t)
	s := &spring{}
	s.Open(loop, s)
	go func() { _ = loop.CallSoonThreadsafe(s.Ready) }()
	for s.turns == 0 {
		if !loop.RunOnce() {
			t.Fatal("the loop says that nothing will ever happen")
		}
	}
	s.Close()
	if loop.RunOnce() {
		t.Error("the loop waits for a Source that is closed")
	}
}

func TestSource_Ready_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := &spring{}
		s.Open(asyncio.RunningLoop(ctx), s)
		defer s.Close()
		allocs := testing.AllocsPerRun(100, func() {
			s.Ready()
			_ = asyncio.Yield(ctx)
		})
		if allocs != 0 || s.turns < 100 {
			t.Errorf("%v allocations, %d turns", allocs, s.turns)
		}
		return nil
	})
}

func TestSource_misuse(t *testing.T) {
	loop := clockLoop(t)
	s := &spring{}
	mustPanic(t, "Source.Ready: the Source was never opened", s.Ready)
	mustPanic(t, "Source.Open: nil owner", func() { s.Open(loop, nil) })
	s.Open(loop, s)
	mustPanic(t, "Source.Open: the Source is open", func() { s.Open(loop, s) })
	s.Close()
}
