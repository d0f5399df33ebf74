package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// An Event is a flag that tasks can wait for. It belongs to one loop. The zero
// Event is not set.
type Event struct {
	home  engine.Home
	queue engine.WaitQueue
	set   bool
}

// Set sets the flag and wakes all that wait. They go on even if the flag is
// cleared before they run.
func (e *Event) Set() {
	e.home.Check("Event.Set")
	e.set = true
	e.queue.WakeAll()
}

// Clear resets the flag.
func (e *Event) Clear() {
	e.home.Check("Event.Clear")
	e.set = false
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set }

// Wait returns nil if the flag is set, whatever the state of ctx, and waits for it
// if not.
//
// If ctx ends first, Wait returns its cause.
func (e *Event) Wait(ctx context.Context) error {
	if e.set {
		if t := engine.Live(ctx); t != nil && t.Scope.Loop() == e.home.Loop() {
			return nil
		}
	}
	return e.wait(ctx)
}

func (e *Event) wait(ctx context.Context) error {
	p, err := e.home.Step(ctx)
	if err != nil || e.set {
		return err
	}
	return p.Wait(ctx, &e.queue, waitEvent)
}

// String shows whether the event is set, and how many tasks wait.
func (e *Event) String() string {
	state := "not set"
	if e.set {
		state = "set"
	}
	return "an Event (" + state + e.queue.Waiting()
}

var waitEvent engine.Waitable = engine.Named("an Event")
