package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: task-factory-02 task-factory-05 task-33 eager-01
func TestTaskFactory_isAskedForEachTask_untilRemoved(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var asked []string
		loop.SetTaskFactory(func(_ context.Context, s *asyncio.TaskSpec) {
			asked = append(asked, s.Name)
			if s.Name == "" {
				s.Name = "unnamed"
			} else {
				s.Name = "overridden"
			}
		})
		named := asyncio.CreateTask(ctx, value(1), asyncio.Name("mine"))
		unnamed := asyncio.Go(ctx, asyncio.Yield)
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(asyncio.Yield, asyncio.Name("in a group"))
			asyncio.Spawn(g, value(2))
			return nil
		})
		if want := []string{"mine", "", "in a group", ""}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
		if named.Name() != "mine" || unnamed.Name() != "unnamed" {
			t.Errorf("names %q and %q", named.Name(), unnamed.Name())
		}
		loop.SetTaskFactory(nil)
		if last := asyncio.CreateTask(ctx, value(1)); loop.TaskFactory() != nil || len(asked) != 4 || last.Name() == "unnamed" {
			t.Errorf("a removed factory was asked for %q", asked[4:])
		}
		return err
	})
}

// conformance: task-factory-04
func TestCreateTask_onAClosedLoop_panicsAndStartsNothing(t *testing.T) {
	loop, err := asyncio.NewLoop(asyncio.WithTaskFactory(func(context.Context, *asyncio.TaskSpec) { t.Error("the factory was asked") }))
	if err != nil {
		t.Fatal(err)
	}
	ctx := loop.Context()
	loop.Close()
	mustPanic(t, "closed", func() {
		asyncio.CreateTask(ctx, func(context.Context) (int, error) { t.Error("it ran"); return 0, nil })
	})
}

func TestTaskSpec_wrap_runsAroundEveryKindOfTask(t *testing.T) {
	for _, eager := range []bool{false, true} {
		var trace []string
		factory := func(_ context.Context, s *asyncio.TaskSpec) {
			name := s.Name
			s.Eager = eager
			s.Wrap = func(ctx context.Context, run func(context.Context) error) error {
				trace = append(trace, "begin "+name)
				err := run(context.WithValue(ctx, valueKey{}, name))
				trace = append(trace, "end "+name)
				return err
			}
		}
		run(t, func(ctx context.Context) error {
			asyncio.RunningLoop(ctx).SetTaskFactory(factory)
			saw := func(ctx context.Context) (string, error) {
				return fmt.Sprint("saw ", ctx.Value(valueKey{})), asyncio.Sleep(ctx, time.Second)
			}
			a, err := asyncio.CreateTask(ctx, saw, asyncio.Name("a")).Await(ctx)
			if a != "saw a" || err != nil {
				t.Errorf("got %q, %v", a, err)
			}
			err = asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for _, start := range []func(){
					func() { asyncio.Go(ctx, asyncio.Yield, asyncio.Name("b")).Await(ctx) },
					func() { g.Go(asyncio.Yield, asyncio.Name("c")).Await(ctx) },
					func() { asyncio.Spawn(g, saw, asyncio.Name("d")).Await(ctx) },
					func() {
						g.Start(ctx, func(_ context.Context, ready func()) error { ready(); return nil }, asyncio.Name("e"))
					},
				} {
					start()
				}
				return nil
			})
			var want []string
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				want = append(want, "begin "+name, "end "+name)
			}
			if !slices.Equal(trace, want) {
				t.Errorf("eager %v: %q", eager, trace)
			}
			return err
		})
	}
}

func TestTaskSpec_wrapThatDoesNotRun_refusesTheTask(t *testing.T) {
	run(t, func(ctx context.Context) error {
		refused := errors.New("refused")
		asyncio.RunningLoop(ctx).SetTaskFactory(func(_ context.Context, s *asyncio.TaskSpec) {
			s.Wrap = func(context.Context, func(context.Context) error) error { return refused }
		})
		v, err := asyncio.CreateTask(ctx, func(context.Context) (int, error) { t.Error("it ran"); return 1, nil }).Await(ctx)
		if v != 0 || err != refused {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: threadsafe-10
func TestRunThreadsafe_factoryFails_goroutineGetsTheErrorAndItIsReported(t *testing.T) {
	broken := errors.New("broken factory")
	var reported []error
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		loop.SetTaskFactory(func(context.Context, *asyncio.TaskSpec) { panic(broken) })
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			return asyncio.RunThreadsafe(loop, value(1)).Wait(context.Background())
		})
		if !errors.Is(err, broken) {
			t.Errorf("the goroutine got %v", err)
		}
		loop.SetTaskFactory(nil)
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reported = append(reported, i.Err) }))
	if len(reported) != 1 || !errors.Is(reported[0], broken) {
		t.Errorf("reported %v", reported)
	}
}

// A factory that panics leaves nothing of the task behind: groups still end.
func TestTaskFactory_panics_groupIsNotHarmed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			loop.SetTaskFactory(func(context.Context, *asyncio.TaskSpec) { panic("no") })
			mustPanic(t, "no", func() { g.Go(asyncio.Yield) })
			mustPanic(t, "no", func() { asyncio.CreateTask(ctx, value(1)) })
			loop.SetTaskFactory(nil)
			if n := len(asyncio.AllTasks(loop)); n != 1 {
				t.Errorf("%d tasks", n)
			}
			return nil
		})
	})
}

// conformance: future-45
func TestExceptionHandler_getsTheContextOfTheFailedTask(t *testing.T) {
	var saw any
	run(t, func(ctx context.Context) error {
		asyncio.Go(context.WithValue(ctx, valueKey{}, "request 7"), failing2(errors.New("boom")))
		return asyncio.Yield(ctx)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { saw = i.Context.Value(valueKey{}) }))
	if saw != "request 7" {
		t.Errorf("the handler saw %v", saw)
	}
}

// A factory is the place for what has to happen around each task.
func ExampleTaskFactory() {
	trace := func(_ context.Context, spec *asyncio.TaskSpec) {
		name := spec.Name
		spec.Wrap = func(ctx context.Context, run func(ctx context.Context) error) error {
			fmt.Println("begin", name)
			defer fmt.Println("end", name)
			return run(ctx)
		}
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		_, err := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 1, nil }, asyncio.Name("fetch")).Await(ctx)
		return err
	}, asyncio.WithTaskFactory(trace))
	// Output:
	// begin main
	// begin fetch
	// end fetch
	// end main
}
