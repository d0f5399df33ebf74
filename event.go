package asyncio

import "context"

// An Event is a flag that tasks can wait for. It belongs to one loop. The zero
// Event is not set.
type Event struct {
	queue WaitQueue
	set   bool
}

// Set sets the flag and wakes all that wait. They go on even if the flag is
// cleared before they run.
func (e *Event) Set() {
	e.set = true
	e.queue.WakeAll()
}

// Clear resets the flag.
func (e *Event) Clear() { e.set = false }

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set }

// Wait returns at once if the flag is set, and waits for it if not.
//
// If ctx ends first, Wait returns its cause.
func (e *Event) Wait(ctx context.Context) error {
	if e.set {
		return nil
	}
	return e.queue.Wait(ctx, waitEvent)
}

var waitEvent Waitable = waitFor("an Event")
