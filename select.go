package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Case is a call that [Select] may make.
//
//   - [Queue.Getting] and [Queue.Putting], of each kind of queue, are calls of Get
//     and Put.
//   - An [Event], a [Ticker], a [Future] (which [After] makes, too) and a [Task] are
//     cases themselves: of Wait and of Await.
//   - [Subscription.Receiving] is a call of Recv, and a [Watcher] one of its Changed.
//   - [Lock.Acquiring], [Semaphore.Acquiring] and [BoundedSemaphore.Acquiring] are
//     calls of Acquire, and [Semaphore.AcquiringN] of AcquireN.
//   - [Sleeping] is a call of [Sleep]: a limit for the others.
//   - [Receiving] and [Sending] are calls of [Recv] and [Send], on Go channels.
//   - Other packages have cases, too, and package lowlevel makes them of primitives
//     of your own.
//
// A case that is nil is disabled: it is never chosen. So is one that is a nil
// pointer, or of a nil channel.
//
// No cases are a [Condition], as its wait does not end when it is notified, a
// [Limiter] and a [Barrier]; nor is a function, but the task that runs it is one.
type Case interface{ selecting() engine.Case }

// enabled returns the case c, none if c is nil: what users call a case may be a nil
// pointer.
func enabled[C any, P interface {
	*C
	engine.Case
}](c P) engine.Case {
	if c == nil {
		return nil
	}
	return c
}

// otherCase is a case that another package has made.
type otherCase struct{ engine.Case }

func (c otherCase) selecting() engine.Case { return c.Case }

// Select makes exactly one of the calls that the cases stand for, waits until one
// can be made, and returns which it was, with that call's error. What the others
// stand for has not happened: no item was taken or added, no permit, nothing was
// sent.
//
//	job, idle := jobs.Getting(), asyncio.Sleeping(time.Minute)
//	for {
//		switch chosen, err := asyncio.Select(ctx, &stop, job, idle); {
//		case err != nil:
//			return err // of ctx, or jobs is shut down
//		case chosen == &stop, chosen == idle:
//			return nil
//		case chosen == job:
//			work(job.Value)
//		}
//	}
//
// If several calls can be made at once, it is the first of them in the order of
// the arguments. If none can, the task waits in all lines, and the first line to
// serve it wins; it is served in its turn like those who wait for one thing only.
//
// If ctx is done or ends first, Select returns its cause, chosen is nil, and none
// of the calls was made. It is the same with an error in calling it. What was
// granted in the same turn as ctx ended is kept: then it is chosen, and the next
// wait returns the cause. Without a case that is not nil, Select waits until ctx
// ends.
//
// It takes one step of the turn (see the package's documentation). It costs some 20
// ns if a call can be made at once, and if not some 30 ns more than a wait for one
// thing, with 0 allocations. To wait for Go channels costs a goroutine, one for all
// of them: 1 to 3 µs, and 2 to 4 µs if they are several.
func Select(ctx context.Context, cases ...Case) (chosen Case, err error) {
	p, err := engine.Step(ctx)
	if err != nil {
		return nil, err
	}
	if engine.CauseOf(ctx) != nil {
		return nil, p.Wait(ctx, nil, nil) // which says so
	}
	for {
		if i, err := try(p, cases); i >= 0 {
			return cases[i], err
		}
		i, err := await(ctx, p, cases)
		switch {
		case i < 0:
			return nil, err
		case err != nil:
			return cases[i], err
		}
		if done, err := cases[i].selecting().Woken(p); done {
			return cases[i], err
		}
	}
}

// TrySelect is [Select] that does not wait (Go's select with a default): if none of
// the calls can be made now, chosen is nil. It neither suspends nor minds whether
// ctx is done.
func TrySelect(ctx context.Context, cases ...Case) (chosen Case, err error) {
	p, err := engine.Running(ctx)
	if err != nil {
		return nil, err
	}
	if i, err := try(p, cases); i >= 0 {
		return cases[i], err
	}
	return nil, nil
}

// try makes the first call that need not wait, and returns which that is; -1 if it
// is none.
func try(p *engine.Parking, cases []Case) (int, error) {
	for i, c := range cases {
		if c == nil {
			continue
		}
		if c := c.selecting(); c != nil {
			if done, err := c.Try(p); done {
				return i, err
			}
		}
	}
	return -1, nil
}

// await waits for one of the calls, and returns for which the task was woken.
func await(ctx context.Context, p *engine.Parking, cases []Case) (int, error) {
	s := p.Select()
	for i, c := range cases {
		if c == nil {
			continue
		}
		if c := c.selecting(); c != nil {
			s.Case(i)
			c.Enter(s)
		}
	}
	return s.Wait(ctx)
}
