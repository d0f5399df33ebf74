package asyncio_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-asyncio/asyncio"
)

// This file has the queues of random programs.

// conveyor is a queue with what has to be in it.
type conveyor struct {
	anyQueue
	next                      func(items []int) int // which one comes out next
	items                     []int                 // in the order in which they were put
	ahead                     []int                 // of a rendezvous: taken before their putter has gone on
	undone                    int                   // items put and not reported done
	down                      bool
	getters, putters, joiners line
}

// rank is what items of a priority queue are compared by; the rest tells them apart.
func rank(item int) int { return item / 1000 }

func (p *program) newConveyor(kind int) *conveyor {
	switch kind {
	case 4:
		if !p.foreign { // or else who waits there may be gone already
			return &conveyor{anyQueue: asyncio.NewRendezvous[int](), next: func([]int) int { return 0 }}
		}
		fallthrough
	case 0, 1:
		return &conveyor{anyQueue: asyncio.NewQueue[int](kind), next: func([]int) int { return 0 }}
	case 2:
		return &conveyor{anyQueue: asyncio.NewLifoQueue[int](2), next: func(items []int) int { return len(items) - 1 }}
	default:
		byRank := func(a, b int) int { return rank(a) - rank(b) }
		return &conveyor{anyQueue: asyncio.NewPriorityQueueFunc(0, byRank), next: func(items []int) int {
			return slices.Index(items, slices.MinFunc(items, byRank)) // the first of equal ones
		}}
	}
}

func (p *program) shareQueues() {
	for i := range p.wires {
		p.wires[i].ch = make(chan int, i)
	}
	for kind := range p.queues {
		p.queues[kind] = p.newConveyor(kind)
	}
}

func (p *program) queue() *conveyor { return p.queues[p.rnd.IntN(len(p.queues))] }

// isDown reports whether err says that the queue is shut down, and then whether
// it may.
func (q *conveyor) isDown(p *program, err error) bool {
	down := errors.Is(err, asyncio.ErrQueueShutDown)
	if down && !q.down {
		p.fault("%v: %v", q, err)
	}
	return down
}

// canGet reports whether a Get need not wait.
func (q *conveyor) canGet() bool {
	return q.Len() > 0 || q.down || q.Limit() < 0 && strings.Contains(q.String(), " put")
}

// canPut reports whether a Put need not wait.
func (q *conveyor) canPut() bool {
	return !q.Full() || q.down || q.Limit() < 0 && strings.Contains(q.String(), " get")
}

func (p *program) item() int {
	p.serial++
	return 1000*p.rnd.IntN(4) + p.serial
}

func (p *program) tryPut(q *conveyor) {
	item := p.item()
	if err := q.TryPut(item); err == nil {
		p.added(q, item)
	}
}

func (p *program) put(ctx context.Context) error {
	q := p.queue()
	if p.rnd.IntN(4) == 0 {
		p.tryPut(q)
		return nil
	}
	item, down := p.item(), false
	err := p.inLine("put", q.canPut(), q, &q.putters, ctx, func() error {
		err := q.Put(ctx, item)
		if down = q.isDown(p, err); down {
			return nil
		}
		return err
	})
	if err == nil && !down {
		p.added(q, item)
	}
	return err
}

// added notes that an item was put.
func (p *program) added(q *conveyor, item int) {
	if i := slices.Index(q.ahead, item); i >= 0 {
		q.ahead = slices.Delete(q.ahead, i, i+1)
		return
	}
	if q.down {
		p.fault("%v took an item", q)
	}
	q.items = append(q.items, item)
	q.undone++
	if n := len(q.items); q.Limit() > 0 && n > q.Limit() {
		p.fault("%d items in a queue for %d", n, q.Limit())
	}
}

func (p *program) get(ctx context.Context) error {
	q := p.queue()
	var item int
	var err error
	down := false
	if p.rnd.IntN(4) == 0 {
		if item, err = q.TryGet(); err != nil {
			return nil
		}
	} else if err = p.inLine("get", q.canGet(), q, &q.getters, ctx, func() error {
		item, err = q.Get(ctx)
		if down = q.isDown(p, err); down {
			return nil
		}
		return err
	}); err != nil || down {
		return err
	}
	p.took(q, item)
	return nil
}

// took notes that an item has come out.
func (p *program) took(q *conveyor, item int) {
	if q.Limit() < 0 && !slices.Contains(q.items, item) {
		q.ahead = append(q.ahead, item)
		q.undone++
		p.giveBack(func() { q.undone--; q.TaskDone() })
		return
	}
	if len(q.items) == 0 {
		p.fault("%d came out of an empty %v", item, q)
		return
	}
	i := q.next(q.items)
	if q.items[i] != item {
		p.fault("%d came out of %v, want %d of %v", item, q, q.items[i], q.items)
		i = max(0, slices.Index(q.items, item))
	}
	q.items = slices.Delete(q.items, i, i+1)
	p.giveBack(func() { q.undone--; q.TaskDone() })
}

// getAll ranges over a queue.
func (p *program) getAll(ctx context.Context) error {
	q, done := p.queue(), ctx.Err() != nil
	for item, err := range q.All(ctx) {
		if err != nil {
			p.checkWait("range", ctx, done, err)
			return err
		}
		p.took(q, item)
		if p.rnd.IntN(3) == 0 {
			return nil
		}
		if err := p.sleep(ctx); err != nil {
			return err
		}
		done = ctx.Err() != nil
	}
	if !q.down {
		p.fault("a range over %v has ended", q)
	}
	return nil
}

// join waits until all items of a queue are done.
func (p *program) join(ctx context.Context) error {
	q := p.queue()
	if q.undone == 0 {
		return q.Join(ctx)
	}
	own := context.WithValue(ctx, program{}.rnd, "join")
	done := ctx.Err() != nil
	q.joiners = append(q.joiners, own)
	err := q.Join(ctx)
	i := slices.Index(q.joiners, own)
	q.joiners = slices.Delete(q.joiners, i, i+1)
	p.checkWait("join", ctx, done, err)
	p.say("join: %v", err)
	return err
}

// shutDown shuts a queue down and puts a new one in its place.
func (p *program) shutDown(context.Context) error {
	kind := p.rnd.IntN(len(p.queues))
	q, immediate := p.queues[kind], p.rnd.IntN(2) == 0
	for range p.rnd.IntN(4) {
		p.tryPut(q) // it may be promised to somebody
	}
	promised := len(q.items) - q.Len()
	q.down = true
	q.Shutdown(immediate)
	if immediate {
		var kept []int
		for range promised {
			i := q.next(q.items)
			kept = append(kept, q.items[i])
			q.items = slices.Delete(q.items, i, i+1)
		}
		q.undone -= len(q.items)
		q.items = kept
		slices.SortFunc(q.items, func(a, b int) int { return a%1000 - b%1000 }) // as they were put
	}
	if immediate && q.Len() > 0 || q.TryPut(1) != asyncio.ErrQueueShutDown {
		p.fault("%v after Shutdown(%v)", q, immediate)
	}
	p.say("shut down: %v", q)
	p.retired = append(p.retired, q)
	p.queues[kind] = p.newConveyor(kind)
	return nil
}

func (q *conveyor) atRest(p *program) {
	q.getters.atRest(p, "get", len(q.items) > 0 || q.down)
	q.putters.atRest(p, "put", q.Limit() == 0 || len(q.items) < q.Limit() || q.down || q.Limit() < 0 && len(q.getters) > 0)
	if len(q.ahead) > 0 {
		p.fault("%v at rest: %v were taken and not put", q, q.ahead)
	}
	q.joiners.atRest(p, "join", q.undone == 0)
	if q.Len() != len(q.items) {
		p.fault("%v at rest, want %d items", q, len(q.items))
	}
}

func (q *conveyor) atEnd(p *program) {
	for range len(q.items) {
		if item, err := q.TryGet(); err != nil {
			p.fault("%v: %v, want one of %v", q, err, q.items)
		} else {
			p.took(q, item)
		}
	}
	if item, err := q.TryGet(); err == nil || q.down != errors.Is(err, asyncio.ErrQueueShutDown) {
		p.fault("%v at the end: %d, %v", q, item, err)
	}
}
