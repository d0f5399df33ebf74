package worlds

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// How the engine's rule of fairness (see engine.TurnSteps) is kept by what reads, writes, sends, receives, accepts, connects
// or looks up: each of these calls takes a step, whether it waits or not, succeeds or fails, and what it moves counts, too.
// The call that has used up the turn lets the others have theirs before it returns, or before it begins if it opens
// something. So neither a peer that always has data or always takes some, nor a loop that repeats a failing call, can keep the
// loop from the others, from its timers, or from the program's own timeout. What goes on in one call, like a large Write,
// moves TurnBytes at most between two steps.
const (
	// TurnBytes is how much one turn moves at most, but for what its last call reads.
	TurnBytes = 128 << 10
	// OpeningSteps is what opening a socket or a file counts.
	OpeningSteps = 8
)

// Step counts a call; the bytes that it has moved go to [engine.Loop.Moved] before. ctx is the running task's; nil means
// that no task runs here, which costs no steps: callbacks and goroutines are not suspended.
func Step(ctx context.Context, l *engine.Loop) { Steps(ctx, l, 1) }

// Steps is n times Step, for a call that costs more than others.
func Steps(ctx context.Context, l *engine.Loop, n int) {
	if ctx == nil {
		return
	}
	if p := l.CurrentParking(); p.Spend(n*engine.SystemCallSteps, 0) {
		p.LetOthers() // cancelled meanwhile: the next call says so, this one has its result
	}
}
