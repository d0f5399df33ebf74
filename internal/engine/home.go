package engine

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// A Home remembers the loop that a primitive belongs to, which is that of the
// task which first used it, so that a use from elsewhere can be refused and
// does not corrupt it. When that loop has ended, the next one to come owns it.
type Home struct{ loop *Loop }

// Loop returns the loop, nil if the primitive has not been used.
func (h *Home) Loop() *Loop { return h.loop }

// Step is the function Step for a primitive that may belong to another loop.
func (h *Home) Step(ctx context.Context) (*Parking, error) {
	p, err := Running(ctx)
	if err != nil {
		return nil, AtOnce(err)
	}
	if p.Spend(1, 0) {
		p.LetOthers()
	}
	if h.loop != p.Loop() {
		err = h.Move(p.Loop())
	}
	return p, err
}

// Move makes l the primitive's loop, unless it belongs to another one that lives.
func (h *Home) Move(l *Loop) error {
	if h.loop != nil && !h.loop.Closed() {
		return misused(ErrOtherLoop)
	}
	h.loop = l
	return nil
}

// Check panics if the loop runs, and the caller is not on it.
func (h *Home) Check(call string) {
	if l := h.loop; l != nil && l.Elsewhere() {
		l.misuse(call)
	}
}

// Elsewhere reports whether the loop runs, and the caller is not on it.
func (l *Loop) Elsewhere() bool {
	g := l.running()
	return g != 0 && g != coro.Getg()
}
