package asyncio

import (
	"context"
	"iter"
	"slices"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// AsCompleted returns an iterator over tasks or futures in the order in which
// they end (asyncio's as_completed). It gives the same objects that it was
// given, each once, those first that are done already, in the order of the
// arguments. Their results and errors are for the loop's body to ask for.
//
//	for task, err := range asyncio.AsCompleted(ctx, tasks...) {
//		if err != nil {
//			return err // ctx has ended; task is nil
//		}
//		page, err := task.Result()
//		...
//	}
//
// If ctx ends while the iterator waits, it gives the cause, once, and this range
// is over; the futures go on. The same comes of an error in calling it, as for
// futures of another loop. A timeout is one of ctx.
//
// A range may be left and the iterator ranged over again, for what it has not
// given yet; what has ended between two ranges comes in the order of the
// arguments. Several tasks may range over it at a time, and each future is given
// to one of them. A task to which ctx does not belong waits under its own
// innermost block besides. Outside of a range the iterator leaves nothing behind
// on futures that are still pending. It runs on the loop only: not in [iter.Pull].
func AsCompleted[A AnyFuture](ctx context.Context, futures ...A) iter.Seq2[A, error] {
	mustFutures("AsCompleted", futures)
	return (&completions[A]{ctx: ctx, futures: slices.Clone(futures)}).each
}

// completions is what the ranges over an AsCompleted have in common.
type completions[A AnyFuture] struct {
	ctx     context.Context
	queue   engine.WaitQueue // of the tasks that range over it
	futures []A
	watches []engine.Watch // of the futures; nil before the first range
	ended   []int          // indices of the futures that have ended, in that order
	given   int            // how many of these were given out
	ranges  int            // how many are under way
}

func (c *completions[A]) each(yield func(A, error) bool) {
	var none A
	p, ctx, leave, err := engine.Both(c.ctx)
	if err != nil {
		yield(none, engine.AtOnce(err))
		return
	}
	defer leave()
	p.Step()
	if err = c.enter(p); err != nil {
		yield(none, err)
		return
	}
	defer c.leave()
	for c.given < len(c.futures) {
		if c.given < len(c.ended) {
			if !yield(c.take(), nil) {
				return
			}
			p.Step()
			continue
		}
		p.BehindAll()
		err := p.Wait(ctx, &c.queue, c)
		if err != nil && c.given == len(c.ended) {
			yield(none, err)
			return
		}
	}
}

// enter begins a range by a task. The first to enter has the futures watched.
func (c *completions[A]) enter(p *engine.Parking) (err error) {
	if c.watches == nil {
		c.futures, c.watches, err = watch("AsCompleted", p, c, c.futures)
		if err != nil {
			return err
		}
		c.ended = make([]int, 0, len(c.futures))
	}
	if c.ranges++; c.ranges > 1 {
		return nil
	}
	for i := range c.watches {
		switch w := &c.watches[i]; {
		case w.Of() == nil:
		case !w.Of().Done():
			w.Begin()
		default:
			c.note(w)
		}
	}
	return nil
}

// leave ends a range. The last to leave has the futures forgotten.
func (c *completions[A]) leave() {
	if c.ranges--; c.ranges > 0 {
		return
	}
	for i := range c.watches {
		c.watches[i].End()
	}
}

func (c *completions[A]) note(w *engine.Watch) {
	c.ended = append(c.ended, w.Index())
	w.Forget()
}

// take gives out the next of those that have ended.
func (c *completions[A]) take() A {
	i := c.ended[c.given]
	f := c.futures[i]
	var none A
	c.futures[i] = none
	c.given++
	if c.given == len(c.futures) {
		c.queue.WakeAll() // no more will come
	}
	return f
}

func (c *completions[A]) Settled(w *engine.Watch) {
	c.note(w)
	c.queue.Wake(1)
}

func (c *completions[A]) Line() *engine.WaitQueue { return &c.queue }

// WaitName names the futures in reports.
func (c *completions[A]) WaitName() string {
	return "the next of " + namesOf(c.futures, c.watches)
}

// WokenBy yields the tasks that are still pending, if there are no bare futures
// among them, which are set by somebody who is not known.
func (c *completions[A]) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	tasksOf(c.futures, c.watches, true, yield)
	return engine.Wakers{Any: true}
}
