package engine

import (
	"fmt"
	"sync"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// loops are all that are open, to find out that a goroutine is one of them.
var loops struct {
	sync.Mutex
	made uint64
	open map[*Loop]struct{}
}

func register(l *Loop) {
	loops.Lock()
	defer loops.Unlock()
	if loops.open == nil {
		loops.open = map[*Loop]struct{}{}
	}
	loops.made++
	l.number = loops.made
	l.mark = rarestMark()
	loops.open[l] = struct{}{}
}

func unregister(l *Loop) {
	loops.Lock()
	defer loops.Unlock()
	delete(loops.open, l)
}

// Here returns the loop that runs on the caller's goroutine, or nil.
func Here() *Loop {
	loops.Lock()
	defer loops.Unlock()
	g := coro.Getg()
	for l := range loops.open {
		if l.running() == g {
			return l
		}
	}
	return nil
}

// NotNested returns an error if the caller is on a running loop.
func NotNested(call string) error {
	if Here() != nil {
		return AtOnce(fmt.Errorf("asyncio: %s: called on a running event loop; await main there instead", call))
	}
	return nil
}
