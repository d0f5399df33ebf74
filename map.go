package asyncio

import (
	"context"
	"fmt"
	"iter"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// Map runs fn for each value of seq, at most limit at once, and returns the
// results in order. seq is read only as fast as there is room. The first error
// cancels the rest and is returned when that has ended, as in [Gather].
//
// To have the results as they come, see [MapSeq].
//
//go:noinline
func Map[A, B any](ctx context.Context, limit int, seq iter.Seq[A], fn func(ctx context.Context, a A) (B, error)) ([]B, error) {
	if err := checkLimit("Map", limit); err != nil {
		return nil, engine.AtOnce(err)
	}
	tasks, _, err := mapped(ctx, &TaskGroup{}, limit, seq, fn, callerpc.Get())
	if err != nil {
		return nil, err
	}
	values := make([]B, len(tasks))
	for i, t := range tasks {
		values[i] = t.value
	}
	return values, nil
}

// MapResults is [Map] which cancels none and keeps every outcome, in order, as
// [GatherResults] does. The error is one in calling it, or the cause if ctx ended
// before seq did; then the results are of those calls that were made, and the
// errors of those that were cancelled say so.
//
//go:noinline
func MapResults[A, B any](ctx context.Context, limit int, seq iter.Seq[A], fn func(ctx context.Context, a A) (B, error)) ([]Result[B], error) {
	if err := checkLimit("MapResults", limit); err != nil {
		return nil, engine.AtOnce(err)
	}
	tasks, stopped, err := mapped(ctx, &TaskGroup{tolerant: true}, limit, seq, fn, callerpc.Get())
	if tasks == nil {
		return nil, err
	}
	results := make([]Result[B], len(tasks))
	for i, t := range tasks {
		results[i] = Result[B]{t.value, t.task.Peek()}
	}
	return results, stopped
}

// checkLimit returns an error if limit is no limit.
func checkLimit(call string, limit int) error {
	if limit < 1 {
		return fmt.Errorf("asyncio: %s: the limit is %d; it must be at least 1", call, limit)
	}
	return nil
}

// mapped runs the tasks of a Map in g. stopped is why seq was not read to its end;
// err is what the group has to say.
func mapped[A, B any](ctx context.Context, g *TaskGroup, limit int, seq iter.Seq[A], fn func(ctx context.Context, a A) (B, error), origin uintptr) (tasks []*Task[B], stopped, err error) {
	err = g.run(ctx, func(ctx context.Context, g *TaskGroup) error {
		tasks = []*Task[B]{}
		g.SetLimit(limit)
		for a := range seq {
			if stopped = g.Room(ctx); stopped == nil {
				stopped = engine.CauseOf(ctx) // the room may be that of a task which has failed
			}
			if stopped != nil {
				return stopped
			}
			tasks = append(tasks, spawn(g, func(ctx context.Context) (B, error) { return fn(ctx, a) }, origin))
		}
		return nil
	})
	return tasks, stopped, err
}
