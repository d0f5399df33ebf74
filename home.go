package asyncio

import (
	"context"
	"errors"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// home remembers the loop that a primitive belongs to, which is that of the
// task which first used it, so that a use from elsewhere can be refused and
// does not corrupt it. When that loop has ended, the next one to come owns it.
type home struct{ loop *loop }

// running is the function running for a primitive that may belong to another loop.
func (h *home) running(ctx context.Context) (*worker, error) {
	w, err := running(ctx)
	if err == nil && h.loop != w.State.task.scope.loop {
		err = h.move(w.State.task.scope.loop)
	}
	return w, err
}

func (h *home) move(l *loop) error {
	if h.loop != nil && !h.loop.isClosed() {
		return errOtherLoop
	}
	h.loop = l
	return nil
}

// check panics if the loop runs, and the caller is not on it.
func (h *home) check(call string) {
	if l := h.loop; l != nil && l.elsewhere() {
		l.misuse(call)
	}
}

// elsewhere reports whether the loop runs, and the caller is not on it.
func (l *loop) elsewhere() bool {
	g := l.running()
	return g != 0 && g != coro.Getg()
}

var errOtherLoop = errors.New("asyncio: what is waited for belongs to another event loop; use RunThreadsafe")
