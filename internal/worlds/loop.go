package worlds

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// LoopOf begins a call that is given a context and may wait: it takes a step of the turn, so that also a call which always
// fails at once lets the others in now and then. It returns the loop on which the caller runs, if ctx is the running
// task's; else the error that a wait with ctx returns, such as asyncio.ErrNotOnLoop.
func LoopOf(ctx context.Context) (*engine.Loop, error) {
	p, err := engine.Step(ctx)
	if err != nil {
		return nil, err
	}
	return p.Loop(), nil
}
