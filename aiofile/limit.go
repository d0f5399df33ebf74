package aiofile

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// threads is how many calls on files run in threads at once, until SetThreadLimit says otherwise. They are not the
// loop's own: a disk that hangs must not keep databases and names waiting.
const threads = 32

// shared is what the files of a loop have in common.
type shared struct {
	limit  *asyncio.ThreadLimiter
	streak streak // of ReadFile
}

// loops are those that have used files. They are found by their poller, since holding a Loop here would tell it that
// it is still in use.
var loops sync.Map // poller.Poller -> *shared

func sharedOf(l *engine.Loop) *shared {
	if s, ok := loops.Load(l.Poller()); ok {
		return s.(*shared)
	}
	s := &shared{limit: asyncio.NewThreadLimiter(threads)}
	loops.Store(l.Poller(), s)
	l.AddCloser(forget{l.Poller()})
	return s
}

type forget struct{ p poller.Poller }

func (f forget) Close() error {
	loops.Delete(f.p)
	return nil
}

// SetThreadLimit sets how many calls on files the running loop has in threads at once, 32 at first. Calls that wait
// for a thread already, or are in one, are not counted. It panics if n < 1, or if it is not called on the loop.
func SetThreadLimit(ctx context.Context, n int) {
	if n < 1 {
		panic(fmt.Sprintf("aiofile: SetThreadLimit: the limit is %d; it must be at least 1", n))
	}
	sharedOf(engine.MustLoopOf("aiofile", ctx)).limit = asyncio.NewThreadLimiter(n)
}
