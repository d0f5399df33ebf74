package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// This file has what the tasks of a random program share, but for queues.

func (p *program) share() {
	for i := range p.semaphores {
		p.semaphores[i].permits = i + 1
	}
	p.semaphores[0].permitter = asyncio.NewSemaphore(1)
	p.semaphores[1].permitter = asyncio.NewBoundedSemaphore(2)
	for i := range p.locks {
		p.locks[i].permitter, p.locks[i].permits = &lockPermitter{}, 1
	}
	p.condition.Condition = asyncio.NewCondition(&p.condition.lock)
	p.barrier.Barrier = asyncio.NewBarrier(2 + p.rnd.IntN(2))
	p.barrier.since = map[context.Context]int{}
	p.shareQueues()
}

// permitter is a lock or semaphore.
type permitter interface {
	Acquire(ctx context.Context) error
	Release()
	Locked() bool
	fmt.Stringer
}

// guarded is a permitter with what has to be known to judge it.
type guarded struct {
	permitter
	line
	permits, out int
}

// lockPermitter is a Lock that is tried as a semaphore is.
type lockPermitter struct{ asyncio.Lock }

func (g *guarded) try(ctx context.Context) bool {
	switch k := g.permitter.(type) {
	case *lockPermitter:
		return k.TryAcquire(ctx)
	case interface{ TryAcquire() bool }:
		return k.TryAcquire()
	}
	return false
}

func (p *program) lock(ctx context.Context, depth int) error {
	return p.permit(&p.locks[p.rnd.IntN(len(p.locks))], "lock", ctx, depth)
}

func (p *program) semaphore(ctx context.Context, depth int) error {
	return p.permit(&p.semaphores[p.rnd.IntN(len(p.semaphores))], "semaphore", ctx, depth)
}

// permit takes steps while it holds a permit.
func (p *program) permit(g *guarded, what string, ctx context.Context, depth int) error {
	if p.rnd.IntN(4) == 0 {
		if !g.try(ctx) {
			return nil
		}
	} else if err := p.inLine(what, !g.Locked(), g, &g.line, ctx, func() error { return g.Acquire(ctx) }); err != nil {
		return err
	}
	if g.out++; g.out > g.permits {
		p.fault("%s: %d of %d permits are out", what, g.out, g.permits)
	}
	defer p.giveBack(func() { g.out--; g.Release() })
	return p.block(ctx, depth, false)
}

func (g *guarded) atRest(p *program) {
	g.line.atRest(p, "lock or semaphore", g.out < g.permits)
}

func (g *guarded) atEnd(p *program) {
	if g.out != 0 || len(g.line) > 0 || g.Locked() {
		p.fault("%v at the end: %d are out, %d wait", g, g.out, len(g.line))
	}
	for range g.permits {
		if ctx := lowlevel.CurrentContext(p.loop); !g.try(ctx) {
			p.fault("%v: a permit is lost", g)
		}
	}
	if !g.Locked() {
		p.fault("%v: a permit too many", g)
	}
	for range g.permits {
		g.Release()
	}
	if _, ok := g.permitter.(*asyncio.Semaphore); !ok && !panics(g.Release) {
		p.fault("%v: released above its permits", g)
	}
}

func panics(fn func()) (did bool) {
	defer func() { did = recover() != nil }()
	fn()
	return false
}

// signal is an event and who waits for it.
type signal struct {
	line
	asyncio.Event
}

func (p *program) event(ctx context.Context) error {
	e := &p.events[p.rnd.IntN(len(p.events))]
	switch {
	case p.rnd.IntN(3) == 0:
		e.Clear()
		return nil
	case e.IsSet():
		return e.Wait(ctx)
	}
	return p.inLine("event", false, e, &e.line, ctx, func() error { return e.Wait(ctx) })
}

func (p *program) setEvent(context.Context) error {
	p.later(func() { p.events[p.rnd.IntN(len(p.events))].Set() })
	return nil
}

func (e *signal) atRest(p *program) { e.line.atRest(p, "event", e.IsSet()) }

func (e *signal) atEnd(p *program) {
	if len(e.line) > 0 {
		p.fault("%v at the end: %d wait", e, len(e.line))
	}
}

// condition is one with its lock, and who waits to be notified.
type condition struct {
	*asyncio.Condition
	lock    asyncio.Lock
	line        // for the lock
	out     int // who hold the lock
	waiters []*notifiable
}

// notifiable is somebody who waits for a notification, which is a token: it has
// to come to somebody, and in the order of waiting.
type notifiable struct {
	ctx      context.Context
	notified bool
}

// underCondition waits and notifies while it has the lock. It does nothing else
// there that waits for other tasks, since who waits for a notification takes the
// lock again whatever happens.
func (p *program) underCondition(ctx context.Context) error {
	c := &p.condition
	err := p.inLine("condition", !c.Locked(), &c.lock, &c.line, ctx, func() error { return c.Acquire(ctx) })
	if err != nil {
		return err
	}
	c.enter(p)
	defer p.giveBack(func() { c.out--; c.Release() })
	for range 1 + p.rnd.IntN(4) {
		switch p.rnd.IntN(6) {
		case 0, 1:
			err = p.notified(ctx)
		case 2, 3:
			err = p.sleep(ctx)
		case 4:
			n := p.rnd.IntN(3)
			c.notify(p, n, c.Notify(n))
		default:
			c.notify(p, 1<<62, c.NotifyAll())
		}
		if err != nil && p.rnd.IntN(4) > 0 {
			return err
		}
	}
	return err
}

func (c *condition) enter(p *program) {
	if c.out++; c.out > 1 || !c.Locked() {
		p.fault("%d hold the lock of a condition", c.out)
	}
}

// notified waits for a notification.
func (p *program) notified(ctx context.Context) error {
	c := &p.condition
	me := &notifiable{ctx: ctx}
	if done := ctx.Err() != nil; done {
		err := c.Wait(ctx)
		p.checkWait("condition", ctx, true, err)
		return err
	}
	c.waiters = append(c.waiters, me)
	c.out--
	err := c.Wait(ctx)
	c.enter(p)
	i := slices.Index(c.waiters, me)
	c.waiters = slices.Delete(c.waiters, i, i+1)
	if err != nil && me.notified {
		c.pass(1)
	}
	if (err == nil) != (me.notified && ctx.Err() == nil) && !p.foreign {
		p.fault("a condition's Wait returned %v; it was notified %v, its context is %v", err, me.notified, ctx.Err())
	}
	p.say("notified: %v", err)
	if err != nil && (ctx.Err() == nil || err != context.Cause(ctx)) {
		p.fault("a condition's Wait failed with %v and not with the cause %v", err, context.Cause(ctx))
	}
	return err
}

func (c *condition) notify(p *program, n int, err error) {
	if err != nil {
		p.fault("Notify under the lock: %v", err)
	}
	c.pass(n)
}

// pass notes that the next n of those who wait are notified.
func (c *condition) pass(n int) {
	for _, w := range c.waiters {
		if n > 0 && !w.notified && w.ctx.Err() == nil {
			w.notified = true
			n--
		}
	}
}

func (c *condition) atRest(p *program) {
	c.line.atRest(p, "the lock of a condition", c.out == 0)
	for _, w := range c.waiters {
		if c.out == 0 && (w.notified && !p.foreign || w.ctx.Err() != nil) {
			p.fault("a condition: somebody waits who was notified %v, with %v", w.notified, w.ctx.Err())
		}
	}
}

func (c *condition) atEnd(p *program) {
	if c.Locked() || c.out != 0 || len(c.line) > 0 || len(c.waiters) > 0 {
		p.fault("%v at the end: %d hold it, %d wait for it, %d to be notified", c, c.out, len(c.line), len(c.waiters))
	}
	if err := c.Notify(1); !errors.Is(err, asyncio.ErrNotLocked) {
		p.fault("Notify without the lock: %v", err)
	}
}

// barrier is one with who waits there, and who of the round has left.
type barrier struct {
	*asyncio.Barrier
	line
	left   []int                   // the indices of those who have
	breaks int                     // how often it was reset or aborted
	since  map[context.Context]int // the last of these that does not concern a task
}

func (p *program) meet(ctx context.Context) error {
	b := &p.barrier
	broken, done := b.Broken(), ctx.Err() != nil
	own := context.WithValue(ctx, program{}.rnd, "barrier")
	b.line = append(b.line, own)
	b.since[own] = b.breaks
	index, err := b.Wait(ctx)
	i := slices.Index(b.line, own)
	b.line = slices.Delete(b.line, i, i+1)
	p.say("barrier: %d, %v", index, err)
	switch {
	case errors.Is(err, asyncio.ErrBrokenBarrier):
		if !broken && b.since[own] == b.breaks {
			p.fault("a barrier is broken that nobody has broken")
		}
		return nil
	case err != nil:
		p.checkWait("barrier", ctx, done, err)
		return err
	case broken || done:
		p.fault("a wait at a barrier succeeded; broken %v, cancelled %v", broken, done)
	}
	if index < 0 || index >= b.Parties() || slices.Contains(b.left, index) {
		p.fault("a barrier gave %d after %v", index, b.left)
	}
	if b.left = append(b.left, index); len(b.left) == b.Parties() {
		b.left = nil
	}
	return nil
}

func (p *program) breakBarrier(context.Context) error {
	b := &p.barrier
	if p.rnd.IntN(3) > 0 {
		b.reset(p)
		return nil
	}
	b.breaks++
	b.left = nil // the others of that round fail
	b.Abort()
	p.later(func() { b.reset(p) })
	return nil
}

// reset resets the barrier, which does not concern those who wait for the round
// after one that is draining.
func (b *barrier) reset(p *program) {
	b.breaks++
	b.left = nil
	if strings.Contains(b.String(), "draining") && !p.foreign {
		waiting := b.Waiting()
		for _, ctx := range slices.Backward(b.line) {
			if waiting > 0 && ctx.Err() == nil {
				b.since[ctx] = b.breaks
				waiting--
			}
		}
	}
	b.Reset()
}

func (b *barrier) atRest(p *program) {
	b.line.atRest(p, "barrier", len(b.line) >= b.Parties() || b.Broken())
	if len(b.left) > 0 || b.Waiting() != len(b.line) {
		p.fault("%v at rest: %v have left, %d wait", b, b.left, len(b.line))
	}
}

func (b *barrier) atEnd(p *program) {
	if len(b.line) > 0 || b.Waiting() > 0 {
		p.fault("%v at the end: %d wait", b, len(b.line))
	}
}
