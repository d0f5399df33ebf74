package worlds

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// LoopOf returns the loop on which the caller runs, if ctx is the running task's; else the error that a wait with ctx
// returns, such as asyncio.ErrNotOnLoop.
func LoopOf(ctx context.Context) (*engine.Loop, error) {
	p, err := engine.Running(ctx)
	if err != nil {
		return nil, err
	}
	return p.Loop(), nil
}
