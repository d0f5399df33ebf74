package engine

import (
	"context"
	"fmt"

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

// Admit is what Step does about the loop, for a task that has taken its step.
func (h *Home) Admit(p *Parking) error {
	if h.loop == p.Loop() {
		return nil
	}
	return h.Move(p.Loop())
}

// Check panics if the loop runs, and the caller is not on it. If the primitive
// belongs to none, it belongs to the caller's from now on: so a use from
// elsewhere is found even if nobody has ever waited.
func (h *Home) Check(call string) {
	switch l := h.loop; {
	case l != nil && l.On():
	case l != nil && l.Running():
		l.misuse(call)
	case l == nil || l.Closed():
		if here := Here(); here != nil {
			h.loop = here
		}
	}
}

// Here is Check for a primitive that has to know its loop: it returns the caller's,
// and panics if there is none.
func (h *Home) Here(call string) *Loop {
	if h.loop != nil && !h.loop.Closed() {
		h.loop.Check(call)
		return h.loop
	}
	l := Here()
	if l == nil {
		panic(fmt.Sprintf("asyncio: %s: %v", call, ErrWrongGoroutine))
	}
	return l
}

// On reports whether the caller is on the primitive's loop.
func (h *Home) On() bool { return h.loop != nil && h.loop.On() }

// Elsewhere reports whether the loop runs, and the caller is not on it.
func (l *Loop) Elsewhere() bool {
	g := l.running()
	return g != 0 && g != coro.Getg()
}
