package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// eagerly are the ways to start a task so that its first step runs at once.
var eagerly = map[string]struct {
	run  []asyncio.Option
	task []asyncio.TaskOption
}{
	"by option":  {task: []asyncio.TaskOption{asyncio.EagerStart(true)}},
	"by factory": {run: []asyncio.Option{asyncio.WithTaskFactory(asyncio.EagerTasks)}},
}

// conformance: eager-02 eager-03 eager-05 eager-18
// pitfall: 30
func TestEagerStart_neverSuspends_isDoneWhenCreated(t *testing.T) {
	for name, how := range eagerly {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				set := asyncio.NewFuture[string](asyncio.RunningLoop(ctx))
				task := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 7, set.SetResult("set") }, how.task...)
				if v, err := task.Result(); v != 7 || err != nil || !set.Done() {
					t.Errorf("right after CreateTask: %v, %v, future done %v", v, err, set.Done())
				}
				if task.Cancel() || task.Cancelled() {
					t.Error("a finished task was cancelled")
				}
				if v, err := task.Await(ctx); v != 7 || err != nil {
					t.Errorf("awaited: %v, %v", v, err)
				}
				return nil
			}, how.run...)
		})
	}
}

// conformance: eager-04 eager-06 eager-07 eager-08 eager-09 eager-16
// pitfall: 30
func TestEagerStart_suspends_goesOnLaterLikeAnyTask(t *testing.T) {
	for name, how := range eagerly {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				var order []string
				opts := append([]asyncio.TaskOption{asyncio.Name("eager")}, how.task...)
				loop := asyncio.RunningLoop(ctx)
				var task *asyncio.Task[int]
				task = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					order = append(order, "first step of "+asyncio.CurrentTask(ctx).Name())
					if all := asyncio.AllTasks(loop); len(all) != 2 || all[1].Name() != "eager" {
						t.Errorf("all tasks in the eager step: %v", all)
					}
					err := asyncio.Sleep(ctx, time.Second)
					order = append(order, "second step")
					return 7, err
				}, opts...)
				order = append(order, "created by "+asyncio.CurrentTask(ctx).Name())
				if all := asyncio.AllTasks(loop); task.Done() || len(all) != 2 || all[1] != asyncio.AnyTask(task) {
					t.Errorf("after the eager step: done %v, all tasks %v", task.Done(), all)
				}
				v, err := task.Await(ctx)
				if want := []string{"first step of eager", "created by main", "second step"}; v != 7 || err != nil || !slices.Equal(order, want) {
					t.Errorf("%v, %v, order %q", v, err, order)
				}
				if all := asyncio.AllTasks(loop); len(all) != 1 {
					t.Errorf("all tasks at the end: %v", all)
				}
				stopped := errors.New("stopped")
				task = asyncio.CreateTask(ctx, sleeper(1), how.task...)
				if !task.Cancel(stopped) || !task.Cancelling() {
					t.Error("an eagerly started task cannot be cancelled")
				}
				if _, err := task.Await(ctx); err != stopped || !task.Cancelled() {
					t.Errorf("cancelled: %v", err)
				}
				return nil
			}, how.run...)
		})
	}
}

// Nobody else gets a turn between the eager step and its creator, wherever the
// creator runs and however deep eager steps are nested.
//
// pitfall: 30
func TestEagerStart_nested_nothingRunsInBetween(t *testing.T) {
	var nest func(ctx context.Context, order *[]string, depth int)
	nest = func(ctx context.Context, order *[]string, depth int) {
		if depth == 40 { // more than there are idle workers
			return
		}
		asyncio.Go(ctx, func(ctx context.Context) error {
			*order = append(*order, fmt.Sprint("in ", depth))
			nest(ctx, order, depth+1)
			*order = append(*order, fmt.Sprint("out ", depth))
			return asyncio.Sleep(ctx, time.Second)
		}, asyncio.EagerStart(true))
	}
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprint("in ", i))
		want = slices.Insert(want, i+1, fmt.Sprint("out ", i))
	}
	check := func(t *testing.T, order []string) {
		t.Helper()
		for i := range 40 {
			if len(order) != 80 || order[i] != fmt.Sprint("in ", i) || order[79-i] != fmt.Sprint("out ", i) {
				t.Fatalf("order %q", order)
			}
		}
	}
	t.Run("from a task", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			var order []string
			others := 0
			for range 3 {
				asyncio.Go(ctx, func(ctx context.Context) error { others++; return nil })
			}
			nest(ctx, &order, 0)
			if others != 0 {
				t.Errorf("%d others ran meanwhile", others)
			}
			check(t, order)
			return nil
		}, fifo)
	})
	t.Run("from a callback", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			var order []string
			loop := asyncio.RunningLoop(ctx)
			others := 0
			loop.CallSoon(func() {
				nest(loop.Context(), &order, 0)
				if others != 0 {
					t.Errorf("%d others ran meanwhile", others)
				}
				if asyncio.CurrentTask(ctx) != nil {
					t.Error("a task is current in a callback")
				}
			})
			loop.CallSoon(func() { others++ })
			asyncio.Go(ctx, func(ctx context.Context) error { others++; return nil })
			for range 3 {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
			check(t, order)
			if others != 2 {
				t.Errorf("%d others ran at last, want 2", others)
			}
			return nil
		}, fifo)
	})
}

// conformance: eager-13 eager-19
func TestEagerStart_false_overridesTheFactory(t *testing.T) {
	run(t, func(ctx context.Context) error {
		if f := asyncio.RunningLoop(ctx).TaskFactory(); reflect.ValueOf(f).Pointer() != reflect.ValueOf(asyncio.EagerTasks).Pointer() {
			t.Error("the loop does not return its factory")
		}
		late := asyncio.CreateTask(ctx, value(1), asyncio.EagerStart(false))
		if late.Done() {
			t.Error("started eagerly")
		}
		now := asyncio.CreateTask(ctx, value(1))
		if !now.Done() {
			t.Error("not started eagerly")
		}
		_, err := late.Await(ctx)
		return err
	}, asyncio.WithTaskFactory(asyncio.EagerTasks))
}

type valueKey struct{}

// conformance: eager-10 context-05 introspection-05 taskgroup-20
func TestTask_context_isDerivedFromTheOneGiven(t *testing.T) {
	run(t, func(ctx context.Context) error {
		outer := context.WithValue(ctx, valueKey{}, "outer")
		var inside any
		task := asyncio.Go(outer, func(ctx context.Context) error {
			inside = ctx.Value(valueKey{})
			ctx = context.WithValue(ctx, valueKey{}, "inner")
			err := asyncio.Yield(ctx)
			if v := ctx.Value(valueKey{}); v != "inner" {
				t.Errorf("after a wait the task's own value is %v", v)
			}
			return err
		}, asyncio.EagerStart(true))
		if v := outer.Value(valueKey{}); inside != "outer" || v != "outer" {
			t.Errorf("inside %v, outside %v", inside, v)
		}
		if v := task.Context().Value(valueKey{}); v != "outer" {
			t.Errorf("the task's context has %v", v)
		}
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			other := context.WithValue(context.Background(), valueKey{}, "other")
			child := g.Go(func(ctx context.Context) error {
				if v := ctx.Value(valueKey{}); v != "other" {
					t.Errorf("WithValues: %v", v)
				}
				return asyncio.Sleep(ctx, time.Hour)
			}, asyncio.WithValues(other))
			asyncio.Yield(ctx)
			child.Cancel() // the group's scope still reaches it
			return nil
		})
		return errors.Join(err, asyncio.Yield(ctx))
	})
}

// conformance: eager-17
func TestEagerTasks_wideAndDeepThatNeverSuspend_scheduleNothing(t *testing.T) {
	const width, depth = 5, 4
	created := 0
	var tree func(depth int) asyncio.Coroutine[int]
	tree = func(depth int) asyncio.Coroutine[int] {
		return func(ctx context.Context) (int, error) {
			if depth == 0 {
				return 1, nil
			}
			n, err := asyncio.Gather(ctx, slices.Repeat([]asyncio.Coroutine[int]{tree(depth - 1)}, width)...)
			sum := 1
			for _, v := range n {
				sum += v
			}
			return sum, err
		}
	}
	for _, eager := range []bool{true, false} {
		created = 0
		loop, err := asyncio.NewLoop(asyncio.WithVirtualClock(), asyncio.WithTaskFactory(func(_ context.Context, s *asyncio.TaskSpec) {
			created++
			s.Eager = eager
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer loop.Close()
		var task *asyncio.Task[int]
		loop.CallSoon(func() { task = asyncio.CreateTask(loop.Context(), tree(depth)) })
		loop.RunOnce()
		if task.Done() != eager {
			t.Errorf("eager %v: done in one turn %v", eager, task.Done())
		}
		for !task.Done() {
			loop.RunOnce()
		}
		if v, err := task.Result(); v != 781 || err != nil || created != 781 {
			t.Errorf("eager %v: %v, %v, %d tasks", eager, v, err, created)
		}
	}
}

// A task that is added to a group by the eager step of another one which fails
// is cancelled and awaited like all others.
//
// pitfall: 14
func TestGroup_taskAddedDuringAnEagerStartThatFails_isCancelledAndAwaited(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var late *asyncio.Task[asyncio.None]
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(context.Context) error {
				late = g.Go(func(ctx context.Context) error {
					return asyncio.Shield(ctx, func(ctx context.Context) error {
						if err := asyncio.Sleep(ctx, time.Second); err != nil {
							return err
						}
						return context.Canceled
					})
				})
				return boom
			}, asyncio.EagerStart(true))
			return asyncio.Sleep(ctx, time.Hour)
		})
		if err != boom || !late.Cancelled() {
			t.Errorf("got %v, the late task is done %v, cancelled %v", err, late.Done(), late.Cancelled())
		}
		return asyncio.Yield(ctx) // no stray cancellation is left
	})
}

// conformance: eager-11 eager-12
func TestStaggeredRace_withEagerTasks(t *testing.T) {
	boom := errors.New("boom")
	fails := func(context.Context) (string, error) { return "", boom }
	slow := func(ctx context.Context) (string, error) { return "slow", asyncio.Sleep(ctx, time.Hour) }
	quick := func(ctx context.Context) (string, error) { return "quick", asyncio.Sleep(ctx, time.Second) }
	for _, delay := range []time.Duration{0, 10 * time.Second} {
		run(t, func(ctx context.Context) error {
			v, winner, errs := asyncio.StaggeredRace(ctx, delay, fails, slow, quick)
			if v != "quick" || winner != 2 || errs[0] != boom || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
				t.Errorf("delay %v: %q, winner %d, errors %v", delay, v, winner, errs)
			}
			_, winner, errs = asyncio.StaggeredRace(ctx, delay, fails, fails)
			if winner != -1 || len(errs) != 2 || errs[0] != boom || errs[1] != boom {
				t.Errorf("delay %v, all fail: winner %d, errors %v", delay, winner, errs)
			}
			return nil
		}, asyncio.WithTaskFactory(asyncio.EagerTasks))
	}
}

func TestEagerStart_panics_isTheTasksError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.Go(ctx, func(context.Context) error { panic("oh") }, asyncio.EagerStart(true))
		var p *asyncio.PanicError
		if err := task.Err(); !errors.As(err, &p) || !strings.Contains(err.Error(), "oh") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func ExampleEagerStart() {
	cache := map[string]string{"/a": "page a"}
	get := func(path string) asyncio.Coroutine[string] {
		return func(ctx context.Context) (string, error) {
			if page, ok := cache[path]; ok {
				return page, nil
			}
			return "page from afar", asyncio.Sleep(ctx, time.Second)
		}
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		a := asyncio.CreateTask(ctx, get("/a"), asyncio.EagerStart(true))
		b := asyncio.CreateTask(ctx, get("/b"), asyncio.EagerStart(true))
		fmt.Println(a.Done(), b.Done())
		return nil
	}, asyncio.WithVirtualClock())
	// Output: true false
}
