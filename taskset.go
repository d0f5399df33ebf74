package asyncio

import (
	"context"
	"fmt"
	"iter"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A TaskSet is tasks whose results are taken as they come, while it grows (tokio's
// JoinSet). Its owner is the range over All: that starts them and waits for their
// end.
//
//	var set asyncio.TaskSet[Page]
//	set.Go(fetch("/"))
//	for page, err := range set.All(ctx) {
//		if err != nil {
//			log.Print(err) // of one page; the others go on
//			continue
//		}
//		for _, link := range page.Links {
//			set.Go(fetch(link))
//		}
//	}
//
// A [Group] is for tasks of which one failure ends all, [Map] for a sequence that is
// there already. The zero TaskSet is empty. It belongs to the loop on which it is
// ranged over, and may be used again afterwards.
type TaskSet[T any] struct {
	limit int          // 0: none
	early []early[T]   // added while nobody ranges over it
	tasks *outcomes[T] // while somebody does
}

// early is a task that was added before the range began.
type early[T any] struct {
	fn     Coroutine[T]
	opts   []TaskOption
	origin uintptr
}

// Go adds a task. It starts in the next turn of the loop, or when a range over the
// set begins if none is under way, and in either case when [TaskSet.SetLimit]
// allows. Any task of the loop may add some, also those of the set.
//
//go:noinline
func (s *TaskSet[T]) Go(fn Coroutine[T], opts ...TaskOption) {
	if fn == nil {
		panic("asyncio: TaskSet.Go: nil function")
	}
	if s.tasks == nil {
		s.early = append(s.early, early[T]{fn, opts, callerpc.Get()})
		return
	}
	s.tasks.spawn("TaskSet.Go", fn, opts, callerpc.Get())
}

// SetLimit lets at most n tasks run at once, as [TaskGroup.SetLimit] does; the
// others wait for their start. It panics if n < 1.
func (s *TaskSet[T]) SetLimit(n int) {
	if n < 1 {
		panic(fmt.Sprintf("asyncio: TaskSet.SetLimit: the limit is %d; it must be at least 1", n))
	}
	if s.limit = n; s.tasks != nil {
		s.tasks.group.SetLimit(n)
	}
}

// Len returns how many results the set has still to give.
func (s *TaskSet[T]) Len() int {
	if s.tasks == nil {
		return len(s.early)
	}
	return s.tasks.group.running + s.tasks.line.n
}

// Cancel cancels the tasks that run. Each still gives its result, mostly an error.
// Those added later start cancelled, until the range is over. If nobody ranges over
// the set, Cancel drops what was added.
func (s *TaskSet[T]) Cancel() {
	if s.early = nil; s.tasks != nil {
		s.tasks.group.Cancel()
	}
}

// All returns an iterator over the results of the tasks, in the order in which they
// end. It ends when each task that was added has given its result; a panic is a
// [*PanicError]. An error concerns its own task only.
//
// Who breaks out of the range, or panics there, cancels the tasks that are left and
// waits for their end; a failure among those is reported to the exception handler.
// If ctx is cancelled, so are the tasks, and their errors say so. An error in calling
// it is given with the zero value, and then the range is over: only one task may range
// over the set at a time, on the loop and not in [iter.Pull].
func (s *TaskSet[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p, err := engine.Running(ctx)
		if err == nil {
			err = p.Refuse()
		}
		if err == nil && s.tasks != nil {
			err = fmt.Errorf("%w: TaskSet.All: the set is ranged over already", ErrInvalidState)
		}
		if err != nil {
			var zero T
			yield(zero, engine.AtOnce(err))
			return
		}
		s.each(ctx, p, yield)
	}
}

func (s *TaskSet[T]) each(ctx context.Context, p *engine.Parking, yield func(T, error) bool) {
	s.tasks = &outcomes[T]{}
	s.tasks.open(ctx, p)
	defer func() {
		s.tasks.close(p)
		s.tasks = nil
	}()
	if s.limit > 0 {
		s.tasks.group.SetLimit(s.limit)
	}
	added := s.early
	s.early = nil
	for _, e := range added {
		s.tasks.spawn("TaskSet.Go", e.fn, e.opts, e.origin)
	}
	for {
		p.Step()
		t := s.tasks.next(p)
		if t == nil || !yield(t.value, t.task.Peek()) {
			return
		}
	}
}
