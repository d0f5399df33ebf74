package asyncio

import (
	"context"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Now returns the wall-clock time of the loop of ctx: time.Now, or what a virtual
// clock has come to. Code that asks it, and not time.Now, is told the truth in
// tests and simulations.
//
// Any goroutine may call it, also a call of [ToThread] with its task's context.
// Where ctx is of no loop it is time.Now.
func Now(ctx context.Context) time.Time {
	if s := engine.ScopeOf(ctx); s != nil {
		return s.Loop().Now()
	}
	return time.Now()
}
