package asyncio_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file has what the tasks of a random program do.

// op is something that a task does with a certain weight among the others.
type op struct {
	weight int
	kind   opKind
	do     func(p *program, ctx context.Context, depth int) error
}

type opKind int

const (
	plain opKind = iota
	calm         // waits for nothing that might never happen
	nests        // takes further steps inside
	nestsCalm
)

func operations() []op {
	flat := func(do func(*program, context.Context) error) func(*program, context.Context, int) error {
		return func(p *program, ctx context.Context, _ int) error { return do(p, ctx) }
	}
	return []op{
		{4, calm, flat((*program).sleep)},
		{2, calm, func(_ *program, ctx context.Context, _ int) error { return asyncio.Yield(ctx) }},
		{2, nestsCalm, (*program).shield},
		{2, nests, (*program).timeout},
		{2, nests, (*program).moved},
		{4, nests, (*program).cancelScope},
		{4, nests, (*program).group},
		{1, nests, (*program).start},
		{4, nests, (*program).create},
		{1, nests, (*program).createInCallback},
		{2, plain, flat((*program).cancel)},
		{2, plain, flat((*program).await)},
		{2, plain, flat((*program).wait)},
		{2, plain, flat((*program).asCompleted)},
		{1, nests, (*program).race},
		{1, nests, (*program).staggeredRace},
		{1, nests, (*program).waitFor},
		{1, nests, (*program).waitForTask},
		{4, nests, (*program).lock},
		{4, nests, (*program).semaphore},
		{2, plain, flat((*program).event)},
		{2, plain, flat((*program).setEvent)},
		{8, plain, flat((*program).underCondition)},
		{4, plain, flat((*program).meet)},
		{1, plain, flat((*program).breakBarrier)},
		{6, plain, flat((*program).put)},
		{6, plain, flat((*program).get)},
		{2, plain, flat((*program).send)},
		{2, plain, flat((*program).receive)},
		{8, nests, (*program).choose},
		{1, plain, flat((*program).getAll)},
		{1, plain, flat((*program).join)},
		{1, plain, flat((*program).shutDown)},
	}
}

// task is the function of every task.
func (p *program) task(depth int) func(ctx context.Context) (int, error) {
	number := p.started
	p.started++
	return func(ctx context.Context) (int, error) {
		defer func() {
			p.ended++
			p.ends[asyncio.CurrentTask(ctx).Name()] = p.ended
		}()
		p.say("task %d starts", number)
		err := p.block(ctx, depth, false)
		p.say("task %d: %v", number, err)
		switch p.rnd.IntN(40) {
		case 0, 1:
			p.got(err)
			return number, p.fail()
		case 2:
			p.got(err)
			panic(p.fail())
		case 3:
			p.got(err)
			runtime.Goexit()
		}
		return number, err
	}
}

// block takes some steps. An error mostly ends it, but not always: then the next
// step runs under a cancelled context.
func (p *program) block(ctx context.Context, depth int, onlyCalm bool) error {
	for range 1 + p.rnd.IntN(4) {
		if p.steps--; p.steps < 0 {
			return nil
		}
		if err := p.step(ctx, depth+1, onlyCalm); err != nil {
			if p.rnd.IntN(4) > 0 {
				return err
			}
			p.got(err)
		}
	}
	return nil
}

// step does one thing.
func (p *program) step(ctx context.Context, depth int, onlyCalm bool) error {
	for {
		n, i := p.rnd.IntN(p.weights), 0
		for ; n >= p.ops[i].weight; i++ {
			n -= p.ops[i].weight
		}
		op := p.ops[i]
		deep := op.kind >= nests && depth > 6
		if !deep && (!onlyCalm || op.kind == calm || op.kind == nestsCalm) {
			return op.do(p, ctx, depth)
		}
	}
}

func (p *program) microseconds(n int) time.Duration {
	return time.Duration(p.rnd.IntN(n)) * time.Microsecond
}

// later lets fn run in a callback, sooner or later.
func (p *program) later(fn func()) {
	if d := p.microseconds(20); d > 0 {
		p.loop.CallLater(d, fn)
	} else {
		p.loop.CallSoon(fn)
	}
}

func (p *program) sleep(ctx context.Context) error {
	d, start, done := p.microseconds(30), p.loop.Time(), ctx.Err() != nil
	err := asyncio.Sleep(ctx, d)
	p.checkWait("sleep", ctx, done, err)
	if took := p.loop.Time() - start; err == nil && took != d || done && took != 0 {
		p.fault("a sleep of %v took %v: %v", d, took, err)
	}
	p.say("slept %v: %v", d, err)
	return err
}

// checkWait judges the end of a wait that began under a context which was done
// or not.
func (p *program) checkWait(what string, ctx context.Context, done bool, err error) {
	if done && err == nil {
		p.fault("%s under a done context succeeded", what)
	}
	if err != nil && ctx.Err() == nil {
		p.fault("%s failed although its context is not done: %v", what, err)
	}
	if err != nil && err != context.Cause(ctx) {
		p.fault("%s failed with %v and not with the cause %v", what, err, context.Cause(ctx))
	}
	if end, ok := ctx.Deadline(); ok && !done && p.loop.Now().After(end) {
		p.fault("%s went on until %v after its deadline", what, p.loop.Now().Sub(end))
	}
}

// line is who waits for something, in the order of their coming.
type line []context.Context

// atRest faults those who wait although they were cancelled, or for what is free.
func (l line) atRest(p *program, what string, free bool) {
	for _, ctx := range l {
		if ctx.Err() != nil {
			p.fault("%s: a wait goes on although its context is done", what)
		} else if free {
			p.fault("%s: a task waits for what is there", what)
		}
	}
}

// inLine waits by wait, and checks that nobody overtakes. Who finds free what
// it wants overtakes nobody: those who wait have been promised theirs, or else
// they would be in line according to text.
func (p *program) inLine(what string, free bool, text fmt.Stringer, l *line, ctx context.Context, wait func() error) error {
	if s := text.String(); free && (strings.Contains(s, "wait") || strings.Contains(s, " "+what)) {
		p.fault("%s: is free although somebody waits: %s", what, s)
	}
	ctx = context.WithValue(ctx, program{}.rnd, what) // an identity of its own
	*l = append(*l, ctx)
	done := ctx.Err() != nil
	err := wait()
	i := slices.Index(*l, ctx)
	if err == nil && !free {
		for _, before := range (*l)[:i] {
			if before.Err() == nil {
				p.fault("%s: somebody overtook", what)
			}
		}
	}
	*l = slices.Delete(*l, i, i+1)
	p.checkWait(what, ctx, done, err)
	p.say("%s: %v", what, err)
	return err
}

// giveBack releases something, now or in a callback.
func (p *program) giveBack(release func()) {
	if p.rnd.IntN(3) == 0 {
		p.later(release)
	} else {
		release()
	}
}
