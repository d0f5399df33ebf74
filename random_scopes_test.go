package asyncio_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file has the blocks and the owners of tasks in random programs.

// shield runs a calm block that nobody can cancel.
func (p *program) shield(ctx context.Context, depth int) error {
	check := func(ctx context.Context) error {
		err := p.block(ctx, depth, true)
		if ctx.Err() != nil {
			p.fault("a shielded block was cancelled: %v", ctx.Err())
		}
		return err
	}
	if p.rnd.IntN(2) == 0 {
		return check(context.WithoutCancel(ctx))
	}
	return asyncio.Shield(ctx, check)
}

func (p *program) timeout(ctx context.Context, depth int) error {
	d, start, done := p.microseconds(50), p.loop.Time(), ctx.Err() != nil
	var inner context.Context
	err := asyncio.Timeout(ctx, d, func(ctx context.Context) error {
		inner = ctx
		if (d <= 0 || done) != (ctx.Err() != nil) {
			p.fault("a timeout of %v begins with %v", d, ctx.Err())
		}
		return p.block(ctx, depth, false)
	})
	if inner != nil && inner.Err() == nil { // nil: refused, as the loop is closing
		p.fault("a timeout's context is alive after its end")
	}
	var timeout *asyncio.TimeoutError
	if errors.As(err, &timeout) && timeout == context.Cause(inner) && timeout != context.Cause(ctx) && p.loop.Time() < start+d {
		p.fault("a timeout of %v came after %v", d, p.loop.Time()-start)
	}
	p.say("timeout: %v", err)
	return p.leave(ctx, err)
}

// leave goes on after a block that was cancelled, if nothing else was.
func (p *program) leave(ctx context.Context, err error) error {
	if ctx.Err() == nil && cancelled(err) {
		p.got(err)
		return nil
	}
	return err
}

// moved is a timeout that is moved, by its block and by a callback.
func (p *program) moved(ctx context.Context, depth int) error {
	d, due, over := p.microseconds(30), asyncio.Forever, false
	if p.rnd.IntN(4) == 0 {
		d = asyncio.Forever
	} else {
		due = p.loop.Time() + d
	}
	var scope *asyncio.Deadline
	check := func(ctx context.Context) {
		now, expired := p.loop.Time(), scope.Expired()
		if at, ok := scope.When(); ok != (due != asyncio.Forever) || ok && at != due {
			p.fault("%v, want one at %v", scope, due)
		}
		if expired && now < due || !expired && now > due && ctx.Err() == nil || expired && ctx.Err() == nil {
			p.fault("%v at %v, due at %v; ctx: %v", scope, now, due, ctx.Err())
		}
	}
	move := func() {
		at := p.loop.Time() + p.microseconds(30) - 5*time.Microsecond
		if p.rnd.IntN(4) == 0 {
			at = asyncio.Forever
		}
		was := scope.Expired() || over
		if err := scope.Reschedule(at); was != errors.Is(err, asyncio.ErrInvalidState) || !was && err != nil {
			p.fault("Reschedule of %v, expired or over %v: %v", scope, was, err)
		} else if err == nil {
			due = at
		}
	}
	err := asyncio.TimeoutScope(ctx, d, func(ctx context.Context, t *asyncio.Deadline) error {
		scope = t
		p.later(move)
		for range 2 {
			check(ctx)
			if err := p.block(ctx, depth, false); err != nil {
				check(ctx)
				return err
			}
			move()
		}
		check(ctx)
		return nil
	})
	over = true
	if scope == nil { // refused, as the loop is closing
		return err
	}
	var timeout *asyncio.TimeoutError
	if scope.Expired() && !errors.As(err, &timeout) && err == context.DeadlineExceeded {
		p.fault("%v returned %v", scope, err)
	}
	p.say("%v: %v", scope, err)
	return p.leave(ctx, err)
}

// cancelScope runs a block that a callback cancels.
func (p *program) cancelScope(ctx context.Context, depth int) error {
	inner, cancel := asyncio.WithCancel(ctx)
	if p.foreign && p.rnd.IntN(2) == 0 {
		inner, cancel = context.WithCancelCause(ctx)
	}
	defer cancel(nil)
	p.later(func() { cancel(nil) })
	return p.leave(ctx, p.block(inner, depth, false))
}

// family is what somebody owns: it has to have ended before that one goes on.
type family struct {
	running int
	over    bool
}

// member wraps the function of a task so as to be counted.
func (f *family) member(p *program, fn asyncio.Coroutine[int]) asyncio.Coroutine[int] {
	f.running++
	return func(ctx context.Context) (int, error) {
		defer func() {
			f.running--
			if f.over {
				p.fault("a task ran after its owner's end")
			}
		}()
		return fn(ctx)
	}
}

// end is called when the owner has ended.
func (f *family) end(p *program, what string) {
	f.over = true
	if f.running != 0 {
		p.fault("%s ended before %d of its tasks", what, f.running)
	}
}

func (p *program) group(ctx context.Context, depth int) error {
	var own family
	var inner context.Context
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		inner = ctx
		spawn := func() {
			p.begin(depth, func(fn asyncio.Coroutine[int], option asyncio.TaskOption) *asyncio.Task[int] {
				return asyncio.Spawn(g, own.member(p, fn), option)
			})
		}
		for range 1 + p.rnd.IntN(4) {
			spawn()
		}
		if p.rnd.IntN(4) == 0 {
			p.later(func() {
				if !own.over {
					g.Cancel()
				}
			})
		}
		err := p.block(ctx, depth, false)
		if p.rnd.IntN(2) == 0 {
			spawn()
		}
		return err
	})
	own.end(p, "a group")
	if inner != nil && inner.Err() == nil { // nil: refused, as the loop is closing
		p.fault("a group's context is alive after its end")
	}
	p.say("group: %v", err)
	return err
}

// start runs a group with a task of which it is waited for that it says it is ready.
func (p *program) start(ctx context.Context, depth int) error {
	var own family
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		ready, ended := false, false
		fn := own.member(p, func(ctx context.Context) (int, error) { return 0, p.block(ctx, depth, false) })
		err := g.Start(ctx, func(ctx context.Context, isReady func()) error {
			defer func() { ended = true }()
			if _, err := fn(ctx); err != nil {
				return err
			}
			if p.rnd.IntN(4) > 0 {
				isReady()
				ready = true
			}
			return p.block(ctx, depth, false)
		})
		if err == nil && !ready || err != nil && !ended {
			p.fault("Start returned %v; the task was ready %v, has ended %v", err, ready, ended)
		}
		p.say("start: %v", err)
		if errors.Is(err, asyncio.ErrNotReady) {
			return nil
		}
		return err
	})
	own.end(p, "a group with a task that was started")
	return err
}

// racers are functions for a race, and who of them was the first to succeed. Not
// all need be started.
type racers struct {
	family
	fns    []asyncio.Coroutine[int]
	begun  int
	failed time.Duration // when the one begun last has failed; 0: it has not
	winner int
}

func (p *program) racers(depth int) *racers {
	r := &racers{winner: -1}
	for i := range 1 + p.rnd.IntN(3) {
		fn := p.task(depth)
		r.fns = append(r.fns, func(ctx context.Context) (int, error) {
			if r.failed != 0 && p.loop.Time() != r.failed {
				p.fault("a race has begun the next one at %v, when one had failed at %v", p.loop.Time(), r.failed)
			}
			r.failed = 0
			r.begun++
			_, err := r.member(p, fn)(ctx)
			if err != nil && r.begun == i+1 {
				r.failed = p.loop.Time()
			}
			p.got(err) // a race drops the errors of those who lose
			if r.winner >= 0 && ctx.Err() == nil {
				p.fault("number %d goes on although %d has won the race", i, r.winner)
			}
			if err == nil && r.winner < 0 {
				r.winner = i
			}
			return i, err
		})
	}
	return r
}

func (r *racers) end(p *program, what string) {
	p.started -= len(r.fns) - r.begun
	r.family.end(p, what)
}

func (p *program) race(ctx context.Context, depth int) error {
	r := p.racers(depth)
	i, err := asyncio.Race(ctx, r.fns...)
	r.end(p, "a race")
	if err == nil && i != r.winner || err != nil && r.winner >= 0 {
		p.fault("Race returned %d, %v; the winner is %d", i, err, r.winner)
	}
	p.say("race: %d, %v", i, err)
	p.got(err)
	if cancelled(err) {
		return ctx.Err()
	}
	return err
}

func (p *program) staggeredRace(ctx context.Context, depth int) error {
	r := p.racers(depth)
	i, who, errs := asyncio.StaggeredRace(ctx, p.microseconds(20)-5*time.Microsecond, r.fns...)
	r.end(p, "a staggered race")
	if len(errs) != r.begun || who != r.winner || who >= 0 && (i != who || errs[who] != nil) {
		p.fault("StaggeredRace returned %d, %d, %v; %d have begun, the winner is %d", i, who, errs, r.begun, r.winner)
	}
	for j, err := range errs {
		p.got(err)
		if err == nil && j != who {
			p.fault("StaggeredRace: number %d has no error, but %d has won", j, who)
		}
	}
	p.say("staggered race: %d, %v", who, errs)
	return nil
}

func (p *program) waitFor(ctx context.Context, depth int) error {
	d, start := p.microseconds(30), p.loop.Time()
	entered, ended := false, false
	v, err := asyncio.WaitFor(ctx, d, func(ctx context.Context) (int, error) {
		entered = true
		defer func() { ended = true }()
		return 7, p.block(ctx, depth, false)
	})
	if entered != ended || entered != (d > 0) || err == nil && v != 7 {
		p.fault("WaitFor(%v) returned %d, %v; the function was entered %v, has ended %v", d, v, err, entered, ended)
	}
	p.say("waited for %v: %v", p.loop.Time()-start, err)
	return err
}

// waitForTask owns the task that it waits for.
func (p *program) waitForTask(ctx context.Context, depth int) error {
	d := p.microseconds(30)
	due := asyncio.Forever
	task := p.begin(depth, func(fn asyncio.Coroutine[int], option asyncio.TaskOption) *asyncio.Task[int] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			defer func() {
				if p.loop.Time() > due && ctx.Err() == nil {
					p.fault("a task for which the time was up at %v is not cancelled", due)
				}
			}()
			return fn(ctx)
		}, option)
	})
	due = p.loop.Time() + d
	_, err := asyncio.WaitForTask(ctx, d, task)
	if !task.Done() {
		p.fault("WaitForTask left %v", task)
	}
	p.got(task.Err())
	p.say("waited for %s: %v", task.Name(), err)
	if cancelled(err) {
		return ctx.Err()
	}
	return nil
}
