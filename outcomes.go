package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// outcomes are tasks of one type whose results are handed out one by one, to the
// task that owns them all: in the order in which they start, or as they come.
type outcomes[T any] struct {
	group   TaskGroup
	ordered bool
	line    fifo[*collected[T]] // those to hand out: of ended tasks; ordered: of all
}

// collected is a task with a result to hand out.
type collected[T any] struct {
	child[T]
	to *outcomes[T]
}

// open begins to own tasks below ctx. Who called it calls close.
func (o *outcomes[T]) open(ctx context.Context, p *engine.Parking) {
	o.group.tolerant = true
	o.group.scope.Open(p.Loop(), p.Task(), ctx)
}

// close ends the tasks that are left, and waits for their end. A failure that was
// not handed out is reported.
func (o *outcomes[T]) close(p *engine.Parking) {
	o.group.Cancel()
	o.group.join(p)
	o.group.ended = true
	o.group.scope.Close()
	for o.line.n > 0 {
		unread(&o.line.pop().task)
	}
}

// unread is for a task whose result nobody takes: a failure is reported.
func unread(t *engine.Task) {
	if t.Failed() {
		t.Scope.Loop().Report(engine.ExceptionInfo{
			Task: t.Name(), Message: "a task failed after the range over its results had ended", Err: t.Peek(),
		})
	}
}

func (o *outcomes[T]) spawn(call string, fn Coroutine[T], opts []TaskOption, origin uintptr) {
	t := &collected[T]{child: child[T]{created: created[T]{Task[T]{fn: fn}}}, to: o}
	if o.ordered {
		o.line.push(t)
	}
	t.start(t, &o.group, call, opts, origin)
}

func (t *collected[T]) Ended() {
	if !t.to.ordered {
		t.to.line.push(t)
	}
	t.group.gone()
	t.group.joined.WakeAll()
}

// next waits for the next result and returns its task, nil if no task is left.
// Nothing cancels the wait but the end of the tasks, which are cancelled with ctx.
func (o *outcomes[T]) next(p *engine.Parking) *collected[T] {
	for {
		switch {
		case o.line.n > 0 && o.line.first().Done():
			return o.line.pop()
		case o.group.running == 0:
			return nil
		}
		p.BehindAll()
		p.Join(&o.group.joined, (*waitNext)(&o.group))
	}
}

// waitNext is a group as what the task waits for that takes its results.
type waitNext TaskGroup

// WaitName names the tasks in reports.
func (g *waitNext) WaitName() string { return fmt.Sprintf("the next of %d tasks", g.running) }

// WokenBy yields the tasks, each of which may be the next.
func (g *waitNext) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	(*waitGroup)(g).WokenBy(yield)
	return engine.Wakers{Any: true}
}
