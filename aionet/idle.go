package aionet

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// idleBlock is a handler that has nothing to finish.
type idleBlock struct {
	cancel     context.CancelCauseFunc
	next, prev *idleBlock
}

// idleBlocks are a server's, in the order in which they began.
type idleBlocks struct{ first, last *idleBlock }

func (all *idleBlocks) add(b *idleBlock) {
	b.prev = all.last
	if all.last != nil {
		all.last.next = b
	} else {
		all.first = b
	}
	all.last = b
}

func (all *idleBlocks) remove(b *idleBlock) {
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		all.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		all.last = b.prev
	}
}

func (all *idleBlocks) cancel(cause error) {
	for b := all.first; b != nil; b = b.next {
		b.cancel(cause)
	}
}

// Idle runs fn as a block that a closing server ends at once, with [ErrServerClosed], while it lets everything else in
// its handlers finish ([WithDrain]). Put the wait for a client's next request there:
//
//	for {
//		err := aionet.Idle(ctx, func(context.Context) error {
//			line, err = r.ReadString('\n')
//			return err
//		})
//		if err != nil {
//			return err
//		}
//		answer(ctx, c, line)
//	}
//
// A handler that returns the error is not reported as failed. Outside the handlers of a [Server] it just runs fn.
func Idle(ctx context.Context, fn func(ctx context.Context) error) error {
	s, _ := ctx.Value(serverKey{}).(*Server)
	if s == nil {
		return fn(ctx)
	}
	if _, err := engine.LoopOf(ctx); err != nil {
		return fmt.Errorf("aionet: Idle: %w", err)
	}
	inner, cancel := asyncio.WithCancel(ctx)
	defer cancel(nil)
	if s.closed {
		cancel(ErrServerClosed)
	}
	b := &idleBlock{cancel: cancel}
	s.idle.add(b)
	defer s.idle.remove(b)
	return asyncio.Enter(inner, func() error { return fn(inner) })
}
