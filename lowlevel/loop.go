package lowlevel

import (
	"context"
	"io"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// RunningLoop returns the loop on which the caller runs, as
// [asyncio.RunningLoop] does, but with an error instead of a panic:
// [asyncio.ErrNotOnLoop], [asyncio.ErrWrongGoroutine] or [asyncio.ErrLoopClosed].
// The caller is not taken for somebody who may call in from outside: so a
// library that keeps the Loop for later is in the way of no deadlock report.
func RunningLoop(ctx context.Context) (*asyncio.Loop, error) {
	l, err := engine.LoopOf(ctx)
	if err != nil {
		return nil, err
	}
	return l.Face.(*asyncio.Loop), nil
}

// CurrentContext returns the context of the innermost block of the task that
// runs, if the caller is that task; on any other goroutine, nil. It is for
// interfaces that leave no room for a context, such as net.Conn.
func CurrentContext(l *asyncio.Loop) context.Context { return engine.Unwrap(l).CurrentContext() }

// AddCloser lets c be closed when the loop ends, the last one first, and
// returns a function that takes it back. It is for what would otherwise
// outlive its loop, like sockets.
func AddCloser(l *asyncio.Loop, c io.Closer) (remove func()) { return engine.Unwrap(l).AddCloser(c) }

// A Local is a variable of which each loop has its own, such as a pool of
// connections. Declare it at package level; its address is what tells it from
// others. The zero Local is ready to use.
type Local[T any] struct {
	_ byte // or two could have one address
}

// Of returns the variable of l, whose value is the zero value at first. It
// belongs on the loop.
func (v *Local[T]) Of(l *asyncio.Loop) *T {
	inner := engine.Unwrap(l)
	if p, ok := inner.Local(v).(*T); ok {
		return p
	}
	p := new(T)
	inner.SetLocal(v, p)
	return p
}
