package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// Gather runs the functions as tasks beside one another and returns their
// results in order. The first error cancels the others; Gather waits for them
// to end and returns the error, or several joined.
//
// If ctx is cancelled, so are the tasks, and Gather returns the cause when they
// have ended. (asyncio's gather leaves the others running; this one is a
// [Group].)
//
//go:noinline
func Gather[T any](ctx context.Context, fns ...Coroutine[T]) ([]T, error) {
	tasks, err := gather(ctx, &TaskGroup{}, fns, callerpc.Get())
	if err != nil {
		return nil, err
	}
	values := make([]T, len(tasks))
	for i, t := range tasks {
		values[i] = t.value
	}
	return values, nil
}

// A Result is what a task ended with.
type Result[T any] struct {
	Value T
	Err   error
}

// GatherResults is [Gather] which cancels none and keeps every outcome, in
// order (asyncio's return_exceptions). If ctx is cancelled, so are the tasks,
// and their errors say so. An error in calling it is in every result.
//
//go:noinline
func GatherResults[T any](ctx context.Context, fns ...Coroutine[T]) []Result[T] {
	tasks, err := gather(ctx, &TaskGroup{tolerant: true}, fns, callerpc.Get())
	results := make([]Result[T], len(fns))
	for i := range results {
		if i < len(tasks) {
			results[i] = Result[T]{tasks[i].value, tasks[i].task.Peek()}
		} else {
			results[i].Err = err
		}
	}
	return results
}

func gather[T any](ctx context.Context, g *TaskGroup, fns []Coroutine[T], origin uintptr) ([]*Task[T], error) {
	tasks := make([]*Task[T], 0, len(fns))
	err := g.run(ctx, func(context.Context, *TaskGroup) error {
		for _, fn := range fns {
			if fn == nil {
				panic("asyncio: Gather: nil function")
			}
			tasks = append(tasks, spawn(g, fn, origin))
		}
		return nil
	})
	return tasks, err
}
