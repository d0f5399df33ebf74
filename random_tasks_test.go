package asyncio_test

import (
	"context"
	"slices"

	"github.com/go-asyncio/asyncio"
)

// This file has what random programs do with tasks that somebody else owns.

// begin lets create make a task, which may be an eager one.
func (p *program) begin(depth int, create func(asyncio.Coroutine[int], asyncio.TaskOption) *asyncio.Task[int]) *asyncio.Task[int] {
	eager, began := p.rnd.IntN(4) == 0, false
	fn := p.task(depth)
	others := false
	mark := p.loop.CallSoon(func() { others = true })
	defer mark.Cancel()
	task := create(func(ctx context.Context) (int, error) {
		began = true
		return fn(ctx)
	}, asyncio.EagerStart(eager))
	if began != eager {
		p.fault("%v: eager %v, has begun %v", task, eager, began)
	}
	if others {
		p.fault("%v: others ran before its creator went on", task)
	}
	p.tasks = append(p.tasks, task)
	return task
}

func (p *program) create(ctx context.Context, depth int) error {
	p.begin(depth, func(fn asyncio.Coroutine[int], option asyncio.TaskOption) *asyncio.Task[int] {
		return asyncio.CreateTask(ctx, fn, option)
	})
	if task := asyncio.CurrentTask(ctx); task == nil {
		p.fault("after it has created a task, the creator is not the current one")
	}
	return nil
}

func (p *program) createInCallback(ctx context.Context, depth int) error {
	p.later(func() {
		p.begin(depth, func(fn asyncio.Coroutine[int], option asyncio.TaskOption) *asyncio.Task[int] {
			return asyncio.CreateTask(ctx, fn, option)
		})
	})
	return nil
}

// some returns up to n of the tasks, possibly one twice, but not the caller.
func (p *program) some(ctx context.Context, n int) (tasks []*asyncio.Task[int]) {
	me := asyncio.CurrentTask(ctx).Name()
	for range min(n, len(p.tasks)) {
		if task := p.tasks[p.rnd.IntN(len(p.tasks))]; task.Name() != me {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (p *program) cancel(ctx context.Context) error {
	for _, task := range p.some(ctx, 1) {
		was := task.Done()
		if p.say("cancel %s", task.Name()); task.Cancel() == was {
			p.fault("Cancel of %v returned %v", task, !was)
		}
	}
	return nil
}

func (p *program) await(ctx context.Context) error {
	for _, task := range p.some(ctx, 1) {
		was := task.Done()
		n, err := task.Await(ctx)
		if was && !task.Done() {
			p.fault("%v was done, and is not any more", task)
		}
		if task.Done() {
			value, result := task.Result()
			if err == nil && (value != n || result != nil) {
				p.fault("Await returned %d, Result %d and %v", n, value, result)
			}
			p.got(result)
		}
		p.say("awaited %s: %v", task.Name(), err)
		if cancelled(err) {
			return ctx.Err()
		}
		p.got(err)
	}
	return nil
}

// several is a call of Wait, or a wait for the next of an AsCompleted.
type several struct {
	ctx   context.Context
	when  asyncio.ReturnWhen
	tasks []*asyncio.Task[int]
}

func (s *several) atRest(p *program) {
	done := 0
	for _, task := range s.tasks {
		if task.Done() {
			done++
		}
	}
	if done == len(s.tasks) || done > 0 && s.when == asyncio.FirstCompleted || s.ctx.Err() != nil {
		p.fault("Wait for %d goes on although %d of %d are done; ctx: %v", s.when, done, len(s.tasks), s.ctx.Err())
	}
}

// waited notes that s waits no more.
func (p *program) waited(s *several) {
	i := slices.Index(p.waits, s)
	p.waits = slices.Delete(p.waits, i, i+1)
}

func (p *program) wait(ctx context.Context) error {
	s := &several{ctx, asyncio.ReturnWhen(p.rnd.IntN(3)), p.some(ctx, 4)}
	if len(s.tasks) == 0 {
		return nil
	}
	was := ctx.Err() != nil
	p.waits = append(p.waits, s)
	done, pending, err := asyncio.Wait(ctx, s.when, s.tasks...)
	p.waited(s)
	failed := false
	for _, task := range s.tasks {
		if slices.Contains(done, task) != task.Done() || slices.Contains(pending, task) == task.Done() {
			p.fault("Wait has put %v into the wrong set", task)
		}
		if task.Done() {
			p.got(task.Err())
			failed = failed || task.Err() != nil && !task.Cancelled()
		}
	}
	enough := len(pending) == 0 || len(done) > 0 && s.when == asyncio.FirstCompleted || failed && s.when == asyncio.FirstError
	if enough != (err == nil) {
		p.fault("Wait for %d returned %v with %d done and %d pending", s.when, err, len(done), len(pending))
	}
	if err != nil {
		p.checkWait("wait", ctx, was, err)
	}
	p.say("wait for %d: %d done, %d pending, %v", s.when, len(done), len(pending), err)
	return err
}

// asCompleted ranges over some tasks, and mostly a second time when it has left.
func (p *program) asCompleted(ctx context.Context) error {
	tasks := p.some(ctx, 4)
	given := map[string]bool{}
	all := asyncio.AsCompleted(ctx, tasks...)
	for range 2 {
		if err := p.rangeOver(ctx, all, tasks, given); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) rangeOver(ctx context.Context, all func(func(*asyncio.Task[int], error) bool), tasks []*asyncio.Task[int], given map[string]bool) error {
	before, last, done := p.ended, 0, ctx.Err() != nil
	next := &several{ctx: ctx, when: asyncio.FirstCompleted}
	wait := func() {
		next.tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *asyncio.Task[int]) bool { return given[t.Name()] })
		p.waits = append(p.waits, next)
	}
	wait()
	defer func() { p.waited(next) }()
	for task, err := range all {
		if err != nil {
			p.checkWait("as completed", ctx, done, err)
			p.say("as completed: %v", err)
			return err
		}
		p.got(task.Err())
		rank := p.ends[task.Name()]
		if given[task.Name()] || !slices.Contains(tasks, task) || !task.Done() {
			p.fault("AsCompleted gave %v", task)
		}
		if rank > before && rank < last {
			p.fault("AsCompleted gave number %d after number %d", rank, last)
		}
		given[task.Name()] = true
		last = max(last, rank)
		p.say("as completed: %s", task.Name())
		if p.rnd.IntN(4) == 0 {
			return nil
		}
		p.waited(next)
		err := p.sleep(ctx)
		if wait(); err != nil {
			return err
		}
		done = ctx.Err() != nil
	}
	for _, task := range tasks {
		if !given[task.Name()] {
			p.fault("AsCompleted has not given %v", task)
		}
	}
	return nil
}
