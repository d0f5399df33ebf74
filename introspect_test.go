package asyncio_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func taskNames(tasks []asyncio.AnyTask) []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name())
	}
	return names
}

// conformance: introspection-02 introspection-08 introspection-10 introspection-11 introspection-12
func TestCurrentTask_isTheRunningTask_andNilElsewhere(t *testing.T) {
	if asyncio.CurrentTask(context.Background()) != nil {
		t.Error("a task without a loop")
	}
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		inCallback := asyncio.NewFuture[asyncio.AnyTask](loop)
		loop.CallSoon(func() { inCallback.SetResult(asyncio.CurrentTask(loop.Context())) })
		if current, err := inCallback.Await(ctx); current != nil || err != nil {
			t.Errorf("in a callback: %v, %v", current, err)
		}
		var inside asyncio.AnyTask
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			inside = asyncio.CurrentTask(ctx)
			return 1, nil
		})
		if _, err := task.Await(ctx); inside != asyncio.AnyTask(task) || err != nil {
			t.Errorf("inside %v, the task is %v", inside, task)
		}
		if name := asyncio.CurrentTask(ctx).Name(); name != "main" {
			t.Errorf("afterwards %q", name)
		}
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			if asyncio.CurrentTask(ctx) != nil {
				t.Error("a task is current on another goroutine")
			}
			return 0, nil
		})
		return err
	})
}

// conformance: introspection-03 introspection-09
func TestCurrentTask_interleavedTasks_isRightAfterEachWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 5 {
				name := fmt.Sprint("task ", i)
				g.Go(func(ctx context.Context) error {
					for range 10 {
						if got := asyncio.CurrentTask(ctx).Name(); got != name {
							t.Errorf("current is %q in %q", got, name)
						}
						if err := asyncio.Yield(ctx); err != nil {
							return err
						}
					}
					return nil
				}, asyncio.Name(name))
			}
			return nil
		})
	})
}

// conformance: introspection-06 introspection-07
func TestAllTasks_areThoseOfTheLoopThatHaveNotEnded(t *testing.T) {
	other := clockLoop(t)
	elsewhere := asyncio.Go(other.Context(), asyncio.Yield, asyncio.Name("elsewhere"))
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		done := asyncio.Go(ctx, asyncio.Yield, asyncio.Name("done"))
		asyncio.Go(ctx, sleepFor(time.Hour), asyncio.Name("sleeps"))
		if _, err := done.Await(ctx); err != nil {
			return err
		}
		if names := taskNames(asyncio.AllTasks(loop)); !slices.Equal(names, []string{"main", "sleeps"}) {
			t.Errorf("all tasks %q", names)
		}
		return nil
	})
	if names := taskNames(asyncio.AllTasks(other)); !slices.Equal(names, []string{"elsewhere"}) {
		t.Errorf("of the other loop: %q", names)
	}
	elsewhere.Cancel()
	runAll(other)
	if names := taskNames(asyncio.AllTasks(other)); len(names) != 0 {
		t.Errorf("at the end: %q", names)
	}
}

// conformance: threadsafe-01 threadsafe-02
func TestAllTasks_fromOtherGoroutinesWhileTenLoopsRun_isConsistent(t *testing.T) {
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			prefix := fmt.Sprint("loop ", i)
			err := asyncio.Run(context.Background(), func(ctx context.Context) error {
				loop := asyncio.RunningLoop(ctx)
				asked := asyncio.Go(ctx, func(ctx context.Context) error {
					_, err := asyncio.ToThread(ctx, func() (int, error) {
						for range 20 {
							for _, name := range taskNames(asyncio.AllTasks(loop)) {
								if !strings.HasPrefix(name, prefix) && name != "main" {
									t.Errorf("%s lists %s", prefix, name)
								}
							}
						}
						return 0, nil
					})
					return err
				}, asyncio.Name(prefix+" asks"))
				for !asked.Done() {
					asyncio.Go(ctx, asyncio.Yield, asyncio.Name(prefix+" more"))
					if err := asyncio.Yield(ctx); err != nil {
						return err
					}
				}
				return asked.Err()
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAllTasks_ofALoopThatHasEnded_isEmpty(t *testing.T) {
	var loop *asyncio.Loop
	run(t, func(ctx context.Context) error { loop = asyncio.RunningLoop(ctx); return nil })
	if tasks := asyncio.AllTasks(loop); len(tasks) != 0 {
		t.Errorf("%v", tasks)
	}
}

func TestTask_setName_changesTheName(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			return asyncio.CurrentTask(ctx).Name(), nil
		}, asyncio.Name("old"))
		task.SetName("new")
		if name, err := task.Await(ctx); name != "new" || err != nil {
			t.Errorf("name %q, %v", name, err)
		}
		return nil
	})
}

// conformance: introspection-04 introspection-01 task-14
func TestTask_stack_isWhereItWaits_outToItsFunction(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, outermost)
		if stack := task.Stack(); stack != nil {
			t.Errorf("before it starts: %v", stack)
		}
		letWait(t, ctx)
		var names []string
		for _, f := range task.Stack() {
			names = append(names, f.Function[strings.LastIndexByte(f.Function, '.')+1:])
			if !strings.HasSuffix(f.File, ".go") || f.Line == 0 {
				t.Errorf("no place: %+v", f)
			}
		}
		if want := []string{"Sleep", "innermost", "func1", "Timeout", "outermost"}; !slices.Equal(names, want) {
			t.Errorf("stack %q, want %q", names, want)
		}
		var own []string
		for _, f := range asyncio.CurrentTask(ctx).Stack() {
			own = append(own, f.Function)
		}
		if !strings.Contains(own[len(own)-1], "TestTask_stack") {
			t.Errorf("own stack %q", own)
		}
		task.Cancel()
		task.Await(ctx)
		if stack := task.Stack(); stack != nil {
			t.Errorf("after its end: %v", stack)
		}
		return nil
	})
}

//go:noinline
func outermost(ctx context.Context) error {
	return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { return innermost(ctx) })
}

//go:noinline
func innermost(ctx context.Context) error { return asyncio.Sleep(ctx, time.Minute) }
