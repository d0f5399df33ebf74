package aionet

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// This file is how a call of this package begins: it takes its steps by the rule of fairness, for which see [worlds.Step],
// and if it is given a context it asks on which loop it is.

// stepper is a connection, for what is built on it and has calls that do not reach it. Its step is worlds.Step where the
// caller may be a coroutine, a callback or a goroutine.
type stepper interface{ step() }

func (c *Conn) step() { worlds.Step(c.loop.CurrentContext(), c.loop) }

// step is for the calls that wait.
func (t *transport) step() {
	l := t.source.Loop()
	worlds.Step(l.CurrentContext(), l)
}

func (t *TLSConn) step() { worlds.Step(t.loop.CurrentContext(), t.loop) }

// moved is engine.Loop.Moved where the caller may be anybody.
func (t *TLSConn) moved(n int) {
	if t.loop.On() {
		t.loop.Moved(n)
	}
}

// loopOf begins each function that is given a context: it returns the loop on which the caller runs, or one of
// asyncio.ErrNotOnLoop, asyncio.ErrWrongGoroutine and asyncio.ErrLoopClosed. A callback of the loop may go on, as far as it
// need not wait. It takes the steps of opening something, as what follows may fail at once.
func loopOf(ctx context.Context) (*engine.Loop, error) {
	l, err := engine.LoopOf(ctx)
	if err == nil {
		worlds.Steps(l.CurrentContext(), l, worlds.OpeningSteps)
	}
	return l, err
}
