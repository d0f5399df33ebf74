package aiofile

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// threads is how many calls on files run in threads at once, until SetThreadLimit says otherwise. They are not the
// loop's own: a disk that hangs must not keep databases and names waiting.
const threads = 32

// limiters are those of the loops that have one. They are found by the loop's poller, since holding a Loop here
// would tell it that it is still in use.
var limiters sync.Map // poller.Poller -> *asyncio.ThreadLimiter

func limiterOf(l *asyncio.Loop) *asyncio.ThreadLimiter {
	if t, ok := limiters.Load(l.Poller()); ok {
		return t.(*asyncio.ThreadLimiter)
	}
	t := asyncio.NewThreadLimiter(threads)
	limiters.Store(l.Poller(), t)
	l.AddCloser(forget{l.Poller()})
	return t
}

type forget struct{ p poller.Poller }

func (f forget) Close() error {
	limiters.Delete(f.p)
	return nil
}

// SetThreadLimit sets how many calls on files the running loop has in threads at once, 32 at first. Calls that wait
// for a thread already, or are in one, are not counted. It panics if n < 1, or if it is not called on the loop.
func SetThreadLimit(ctx context.Context, n int) {
	if n < 1 {
		panic(fmt.Sprintf("aiofile: SetThreadLimit: the limit is %d; it must be at least 1", n))
	}
	l := asyncio.RunningLoop(ctx)
	limiterOf(l) // so that it is forgotten with the loop
	limiters.Store(l.Poller(), asyncio.NewThreadLimiter(n))
}
