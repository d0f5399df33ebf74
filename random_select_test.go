package asyncio_test

import (
	"context"
	"slices"

	"github.com/go-asyncio/asyncio"
)

// This file has Select in random programs: tasks that stand in several lines beside
// those who stand in one.

// offer is a case of a Select, with what has to be known to judge it.
type offer struct {
	asyncio.Case
	free  func() bool      // the call need not wait
	line  *line            // where it would; nil: in none, or it is not known
	chose func(error) bool // notes that the call was made; false: a permit is to be given back
	back  func()
	wild  bool // another goroutine has a say
}

// offers makes some cases.
//
// At a rendezvous it stands on one side only: who stands on both cannot meet itself.
func (p *program) offers(ctx context.Context) (offers []*offer, tasks []*asyncio.Task[int]) {
	side := p.rnd.IntN(2)
	for range 1 + p.rnd.IntN(4) {
		var o *offer
		switch p.rnd.IntN(10) {
		case 0, 1, 2:
			if q := p.queue(); q.Limit() >= 0 || side == 0 {
				o = p.offerGet(q)
			}
		case 3, 4:
			if q := p.queue(); q.Limit() >= 0 || side == 1 {
				o = p.offerPut(q)
			}
		case 5:
			o = p.offerPermit(&p.locks[p.rnd.IntN(len(p.locks))])
		case 6:
			o = p.offerPermit(&p.semaphores[p.rnd.IntN(len(p.semaphores))])
		case 7:
			e := &p.events[p.rnd.IntN(len(p.events))]
			o = &offer{Case: &e.Event, free: e.IsSet, line: &e.line, chose: func(error) bool { return true }}
		case 8:
			for _, task := range p.some(ctx, 1) {
				tasks = append(tasks, task)
				o = &offer{Case: task, free: task.Done, chose: func(err error) bool { p.got(err); return true }}
			}
		case 9:
			o = p.offerElse()
		}
		if o == nil {
			o = &offer{free: func() bool { return false }} // a nil case
		}
		offers = append(offers, o)
	}
	return offers, tasks
}

func (p *program) offerGet(q *conveyor) *offer {
	get := q.Getting()
	return &offer{
		Case: get, line: &q.getters,
		free: q.canGet,
		chose: func(err error) bool {
			if !q.isDown(p, err) {
				p.took(q, get.Value)
			} else if q.Len() > 0 {
				p.fault("select: %v, says %v", err, q)
			}
			return true
		},
	}
}

func (p *program) offerPut(q *conveyor) *offer {
	put := q.Putting(p.item())
	return &offer{
		Case: put, line: &q.putters,
		free: q.canPut,
		chose: func(err error) bool {
			if !q.isDown(p, err) {
				p.added(q, put.Value)
			}
			return true
		},
	}
}

func (p *program) offerPermit(g *guarded) *offer {
	return &offer{
		Case: g.permitter.(interface{ Acquiring() asyncio.Case }).Acquiring(), line: &g.line,
		free: func() bool { return !g.Locked() },
		chose: func(error) bool {
			if g.out++; g.out > g.permits {
				p.fault("select: %d of %d permits are out", g.out, g.permits)
			}
			return false
		},
		back: func() { g.out--; g.Release() },
	}
}

// offerElse is a time, or a channel.
func (p *program) offerElse() *offer {
	w := p.wire()
	switch {
	case w == nil || p.rnd.IntN(3) == 0:
		d, start := p.microseconds(30), p.loop.Time()
		return &offer{Case: asyncio.Sleeping(d), free: func() bool { return d == 0 }, chose: func(error) bool {
			if took := p.loop.Time() - start; took != d {
				p.fault("a Select slept %v, want %v", took, d)
			}
			return true
		}}
	case p.rnd.IntN(2) == 0:
		receive := asyncio.Receiving(w.ch)
		return &offer{Case: receive, wild: true, chose: func(error) bool {
			w.received = append(w.received, receive.Value)
			return true
		}}
	default:
		p.serial++
		send := asyncio.Sending(w.ch, p.serial)
		return &offer{Case: send, wild: true, chose: func(error) bool {
			w.sent = append(w.sent, send.Value)
			return true
		}}
	}
}

// choose makes one of several calls.
func (p *program) choose(ctx context.Context, depth int) error {
	offers, tasks := p.offers(ctx)
	cases := make([]asyncio.Case, len(offers))
	for i, o := range offers {
		cases[i] = o.Case
	}
	first := slices.IndexFunc(offers, func(o *offer) bool { return o.wild || o.free() })
	wild := slices.ContainsFunc(offers, func(o *offer) bool { return o.wild })
	done := ctx.Err() != nil
	own := context.WithValue(ctx, program{}.rnd, "select")
	var chosen asyncio.Case
	var err error
	try := p.rnd.IntN(4) == 0
	if try {
		chosen, err = asyncio.TrySelect(ctx, cases...)
	} else {
		leave := p.inLines(own, offers, tasks, wild)
		chosen, err = asyncio.Select(own, cases...)
		leave(chosen)
	}
	if wild {
		defer p.align(ctx)
	}
	if chosen == nil {
		p.say("select: none, %v", err)
		if try && err == nil && (first < 0 || offers[first].wild) {
			return nil
		}
		if try || err == nil {
			p.fault("TrySelect %v returned nothing and %v, number %d was free", try, err, first)
		}
		p.checkWait("select", ctx, done, err)
		return err
	}
	if !try {
		p.checkWait("select", ctx, done, nil)
	}
	i := slices.Index(cases, chosen)
	p.say("select: number %d of %d, %v", i, len(offers), err)
	if first >= 0 && !offers[first].wild && chosen != cases[first] {
		p.fault("Select chose number %d, and %d was free", i, first)
	}
	if o := offers[i]; !o.chose(err) {
		defer p.giveBack(o.back)
		return p.block(ctx, depth, false)
	}
	return nil
}

// inLines notes that a task stands in several lines. leave takes it out, and checks
// that it has not overtaken anybody. One that waits for channels, too, may be out of
// line for a while before it runs: it is not noted.
func (p *program) inLines(ctx context.Context, offers []*offer, tasks []*asyncio.Task[int], wild bool) (leave func(asyncio.Case)) {
	if wild {
		return func(asyncio.Case) {}
	}
	waiting := !slices.ContainsFunc(offers, func(o *offer) bool { return o.free() })
	s := &several{ctx, asyncio.FirstCompleted, tasks}
	if len(tasks) > 0 {
		p.waits = append(p.waits, s)
	}
	for _, o := range offers {
		if o.line != nil {
			*o.line = append(*o.line, ctx)
		}
	}
	return func(chosen asyncio.Case) {
		if len(tasks) > 0 {
			p.waited(s)
		}
		for _, o := range offers {
			if o.line == nil {
				continue
			}
			i := slices.Index(*o.line, ctx)
			for _, before := range (*o.line)[:i] {
				if waiting && o.Case == chosen && before.Err() == nil {
					p.fault("select: somebody overtook")
				}
			}
			*o.line = slices.Delete(*o.line, i, i+1)
		}
	}
}
