package worlds

import (
	"context"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// LoopOf returns the loop on which the caller runs, if ctx is the running task's; else the error that a wait with ctx
// returns, such as asyncio.ErrNotOnLoop.
func LoopOf(ctx context.Context) (*engine.Loop, error) {
	if asyncio.CurrentTask(ctx) == nil {
		var none engine.WaitQueue
		return nil, none.Wait(ctx, nil) // which knows what is wrong
	}
	return engine.MustLoopOf("worlds", ctx), nil
}
