package worlds

import (
	"context"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// The rule of fairness, for all that reads, writes, sends, receives, accepts, connects or looks up:
//
// A call that would wait if need be takes a step, whether it waits or not, succeeds or fails. What it moves counts, too:
// stepBytes are one more step. The call that has used up the steps of a turn lets the others have theirs before it returns,
// or before it begins if it opens something. So neither a peer that always has data or always takes some, nor a loop that repeats a failing call, can keep the
// loop from the others, from its timers, or from the program's own timeout.
//
// The budget is one for the whole loop and not one for each connection: who has a thousand connections has no longer turns.
// What goes on in one call, like a large Write, moves TurnBytes at most between two steps.
const (
	// turnSteps is how many steps a turn has. A step is a system call or so, which is some 5 µs; to let the others have a
	// turn costs 0.1 µs.
	turnSteps = 32
	// stepBytes is what takes about as long to copy or to encrypt as a step.
	stepBytes = 4 << 10
	// TurnBytes is how much one turn moves at most, but for what its last call reads.
	TurnBytes = turnSteps * stepBytes
	// OpeningSteps is what opening a socket counts.
	OpeningSteps = 8
)

// A Fair counts the steps of a loop's turn. It is the loop's.
type Fair struct{ steps int }

// FairOf returns that of the running loop.
func FairOf(l *engine.Loop) *Fair { return engine.Shared(l, func() *Fair { return new(Fair) }) }

// Step counts a call. ctx is the running task's; nil means that no task runs here, which costs no steps: callbacks and
// goroutines are not suspended.
func (f *Fair) Step(ctx context.Context) { f.Steps(ctx, 1) }

// Steps is n times Step, for a call that costs more than others.
func (f *Fair) Steps(ctx context.Context, n int) {
	if ctx == nil {
		return
	}
	if f.steps += n; f.steps > turnSteps {
		f.yield(ctx)
	}
}

func (f *Fair) yield(ctx context.Context) {
	f.steps = 0
	_ = asyncio.Yield(ctx) // cancelled meanwhile: the next call says so, this one has its result
	f.steps = 0
}

// Moved counts bytes that the call has moved. On the loop only.
func (f *Fair) Moved(n int) { f.steps += n / stepBytes }

// Waited begins a turn: the caller has just been suspended.
func (f *Fair) Waited() { f.steps = 0 }
