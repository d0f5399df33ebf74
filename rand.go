package asyncio

import (
	"context"
	"math/rand/v2"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// Rand returns the loop's source of random numbers. On a virtual clock its
// numbers are the same in each run: they come from the seed in the environment
// variable ASYNCIO_SEED, a number, or if there is none, always from the same
// seed. On a real clock nobody can foretell them.
//
// It is for pauses, samples and shuffles, not for secrets: use crypto/rand for
// those. It belongs to the loop: Rand panics elsewhere, and another goroutine must
// not use what it returned. Give that goroutine a source of its own, with a number
// from this one as the seed.
func Rand(ctx context.Context) *rand.Rand {
	return engine.MustLoopOf("Rand", ctx).Rand(env.ForUsers)
}
