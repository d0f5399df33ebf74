package engine

import (
	"context"
	"time"
)

// outsiders counts what can make something ready from outside the loop, and is
// under way. While there is any of it, waiting is no deadlock. What the library
// itself has open, such as a listener on which nobody waits, does not count.
type outsiders struct {
	threads int  // calls in threads that are awaited: a virtual clock waits for them
	outside int  // waits for the system, for goroutines, for submissions
	callers int  // those who may call in at any time, or never
	taken   bool // user code has the Loop, and may call in

	suspectSince time.Time // that nothing is left to run, and nobody has called in
	suspected    bool      // and that was reported
}

// BeginThread and EndThread enclose a call in a thread that a task awaits. Also
// a virtual clock waits for that.
func (l *Loop) BeginThread() { l.threads++ }
func (l *Loop) EndThread()   { l.threads-- }

// BeginOutside and EndOutside enclose a wait for what comes from outside.
func (l *Loop) BeginOutside() { l.outside++ }
func (l *Loop) EndOutside()   { l.outside-- }

// Take notes that user code has the Loop, and may call in as long as it runs.
func (l *Loop) Take() { l.taken = true }

// BeginCaller and EndCaller enclose that somebody may call in from outside.
func (l *Loop) BeginCaller() { l.callers++ }
func (l *Loop) EndCaller()   { l.callers-- }

// countFor returns the counter for a context that somebody else may cancel: with
// a deadline it will end, and without one it may.
func (l *Loop) countFor(ctx context.Context) *int {
	if _, ok := ctx.Deadline(); ok {
		return &l.outside
	}
	return &l.callers
}

// HandOver notes that a goroutine was given something to do: before the loop
// sleeps, it lets that run.
func (l *Loop) HandOver() { l.handed = true }

// willHear reports whether something from outside is on its way.
func (o *outsiders) willHear() bool { return o.threads > 0 || o.outside > 0 }

// mayHear reports whether there is somebody outside who could call in.
func (o *outsiders) mayHear() bool { return o.taken || o.callers > 0 }
