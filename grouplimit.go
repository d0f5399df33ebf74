package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// groupLimit is how many tasks of a group may run at once.
type groupLimit struct {
	max    int
	active int                // tasks that were let start and have not ended
	line   fifo[*engine.Task] // those that wait for their start
	room   engine.WaitQueue   // who waits in Room
}

// SetLimit lets at most n tasks of the group run at once (errgroup's SetLimit).
// It may be called at any time: with a higher limit tasks that wait start at once,
// and a lower one holds as tasks end. Without a call there is no limit. SetLimit
// panics if n < 1.
//
// [TaskGroup.Go] and [Spawn] do not wait, as errgroup's do: a task above the limit
// starts when one before it has ended, in the order of their coming. So a task may
// start others in its own group. A task that waits for its start costs its
// allocation and no coroutine. Who must not run ahead of the tasks calls
// [TaskGroup.Room] before Go.
func (g *TaskGroup) SetLimit(n int) {
	if n < 1 {
		panic(fmt.Sprintf("asyncio: TaskGroup.SetLimit: the limit is %d; it must be at least 1", n))
	}
	g.scope.Loop().Check("TaskGroup.SetLimit")
	if g.limit == nil {
		g.limit = &groupLimit{active: g.running}
	}
	g.limit.max = n
	g.limit.fill()
}

// TryGo is [TaskGroup.Go] if the task can start now, and reports whether it can:
// not if there is a limit and as many tasks run, or wait for their start.
//
//go:noinline
func (g *TaskGroup) TryGo(fn func(ctx context.Context) error, opts ...TaskOption) bool {
	if fn == nil {
		panic("asyncio: TaskGroup.TryGo: nil function")
	}
	if g.limit != nil && !g.limit.hasRoom() {
		return false
	}
	t := &plainChild{child[None]{created: plain(fn)}}
	t.start(t, g, "TaskGroup.TryGo", opts, callerpc.Get())
	return true
}

// Room waits until a task that is started now would start at once:
//
//	for job := range jobs {
//		if err := g.Room(ctx); err != nil {
//			return err
//		}
//		g.Go(job)
//	}
//
// It reserves nothing: who waits between Room and Go may find that others were
// quicker. Without a limit there always is room.
//
// If ctx is done or ends first, Room returns its cause.
func (g *TaskGroup) Room(ctx context.Context) error {
	p, err := engine.Step(ctx)
	if err != nil {
		return err
	}
	return g.awaitRoom(ctx, p)
}

func (g *TaskGroup) awaitRoom(ctx context.Context, p *engine.Parking) error {
	k := g.limit
	if k == nil {
		return nil
	}
	if engine.CauseOf(ctx) != nil {
		return p.Wait(ctx, nil, (*waitRoom)(g)) // which says so
	}
	for !k.hasRoom() {
		p.BehindAll()
		if err := p.Wait(ctx, &k.room, (*waitRoom)(g)); err != nil {
			return err
		}
	}
	return nil
}

func (k *groupLimit) hasRoom() bool { return k.active < k.max }

// admit reports whether a task may start now, and counts it then.
func (k *groupLimit) admit() bool {
	if !k.hasRoom() {
		return false
	}
	k.active++
	return true
}

// left notes that a task has ended.
func (k *groupLimit) left() {
	k.active--
	k.fill()
}

// fill lets tasks start for which there is room now. If some is left, all who wait
// for it are told, and look again: the first may not want it any more.
func (k *groupLimit) fill() {
	for k.line.n > 0 && k.admit() {
		k.line.pop().Enqueue()
	}
	if k.hasRoom() {
		k.room.WakeAll()
	}
}

// waitRoom is a group as what who calls Room waits for.
type waitRoom TaskGroup

// WaitName names the group's limit in reports.
func (g *waitRoom) WaitName() string {
	return fmt.Sprintf("room in a group, of which %d tasks run and %d wait for their start", g.limit.active, g.limit.line.n)
}

// WokenBy yields the tasks of the group: the end of one of them makes room.
func (g *waitRoom) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	(*waitGroup)(g).WokenBy(yield)
	return engine.Wakers{Any: true, Unless: "SetLimit raises the limit of the group"}
}
