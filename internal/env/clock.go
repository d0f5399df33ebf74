package env

import (
	"sync/atomic"
	"time"
)

// A Clock stands still until somebody moves it: a loop that has nothing to do before its next timer, or, if several
// loops share it, what steps them all. Any goroutine may read it.
type Clock struct {
	// Idle lets time pass for a loop that has nothing to do: it moves the clock on to a time, or to the first event of
	// the environment before that, lets that happen, and reports false if there is none and never will be: nobody is
	// outside then, also not those who hold the Loop. nil: the clock jumps to the loop's next timer, and other events come
	// as the system has them. It is set before a loop runs.
	Idle func(until time.Duration) bool

	now   atomic.Int64
	epoch time.Time
}

// NewClock returns a clock that shows zero, and the wall-clock time of epoch.
func NewClock(epoch time.Time) *Clock { return &Clock{epoch: epoch} }

// Now returns how far the clock has come.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// Epoch returns the wall-clock time at zero.
func (c *Clock) Epoch() time.Time { return c.epoch }

// Wall returns the wall-clock time.
func (c *Clock) Wall() time.Time { return c.epoch.Add(c.Now()) }

// Advance moves the clock on to a time. It never goes back. One goroutine at a time moves a clock.
func (c *Clock) Advance(to time.Duration) { c.now.Store(max(c.now.Load(), int64(to))) }
