package asyncio_test

import (
	"context"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file has the Go channels of random programs: of those only in which other
// goroutines have a say anyway.

// wire is a channel with what went in and what came out.
type wire struct {
	ch             chan int
	sent, received []int
}

func (p *program) wire() *wire {
	if !p.foreign {
		return nil
	}
	return &p.wires[p.rnd.IntN(len(p.wires))]
}

func (p *program) send(ctx context.Context) error {
	w := p.wire()
	if w == nil {
		return p.put(ctx)
	}
	p.serial++
	item, done := p.serial, ctx.Err() != nil
	err := asyncio.Send(ctx, w.ch, item)
	p.checkWait("send", ctx, done, err)
	if err == nil {
		w.sent = append(w.sent, item)
	}
	p.align(ctx)
	return err
}

func (p *program) receive(ctx context.Context) error {
	w := p.wire()
	if w == nil {
		return p.get(ctx)
	}
	done := ctx.Err() != nil
	item, ok, err := asyncio.Recv(ctx, w.ch)
	p.checkWait("receive", ctx, done, err)
	if ok != (err == nil) {
		p.fault("Recv returned %v, %v", ok, err)
	}
	if err == nil {
		w.received = append(w.received, item)
	}
	p.align(ctx)
	return err
}

// align sleeps until the next whole microsecond: a goroutine may answer in
// between, where checkAtRest has its place.
func (p *program) align(ctx context.Context) {
	if off := p.loop.Time() % time.Microsecond; off != 0 {
		asyncio.Sleep(context.WithoutCancel(ctx), time.Microsecond-off)
	}
}

func (w *wire) atEnd(p *program) {
	for len(w.ch) > 0 {
		w.received = append(w.received, <-w.ch)
	}
	slices.Sort(w.sent)
	slices.Sort(w.received)
	if !slices.Equal(w.sent, w.received) {
		p.fault("a channel for %d: %v were sent, %v received", cap(w.ch), w.sent, w.received)
	}
}
