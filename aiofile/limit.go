package aiofile

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// threads is how many calls on files run in threads at once, until SetThreadLimit says otherwise. They are not the
// loop's own: a disk that hangs must not keep databases and names waiting.
const threads = 32

// shared is what the files of a loop have in common.
type shared struct{ limit *asyncio.ThreadLimiter }

func sharedOf(l *engine.Loop) *shared {
	return engine.Shared(l, func() *shared { return &shared{limit: asyncio.NewThreadLimiter(threads)} })
}

// SetThreadLimit sets how many calls on files the running loop has in threads at once, 32 at first. Calls that wait
// for a thread already, or are in one, are not counted, nor those that were abandoned (see asyncio.ToThread). It panics if n < 1, or if it is not called on the loop.
func SetThreadLimit(ctx context.Context, n int) {
	if n < 1 {
		panic(fmt.Sprintf("aiofile: SetThreadLimit: the limit is %d; it must be at least 1", n))
	}
	sharedOf(engine.MustLoopOf("aiofile.SetThreadLimit", ctx)).limit = asyncio.NewThreadLimiter(n)
}
