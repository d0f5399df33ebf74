package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// outline is a call graph as text: each task with the functions it is in, and
// below it who awaits it.
func outline(g *asyncio.CallGraph) string {
	var b strings.Builder
	var write func(g *asyncio.CallGraph, indent string)
	write = func(g *asyncio.CallGraph, indent string) {
		var calls []string
		for _, f := range g.Stack {
			name := strings.ReplaceAll(f.Function, "[...]", "")
			calls = append(calls, strings.TrimPrefix(name[strings.LastIndexByte(name, '/')+1:], "asyncio"))
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, g.Name, regexp.MustCompile(`_test\.|^\.|( )\.`).ReplaceAllString(strings.Join(calls, " "), "$1"))
		for _, by := range g.AwaitedBy {
			write(by, indent+"  ")
		}
	}
	write(g, "")
	return b.String()
}

//go:noinline
func deep(ctx context.Context, wait func(context.Context) error) error { return wait(ctx) }

// capture runs main beside a task named "leaf" and returns the graph of that,
// taken when all wait.
func capture(t *testing.T, main func(ctx context.Context, leaf *asyncio.Task[int]) error) *asyncio.CallGraph {
	t.Helper()
	var g *asyncio.CallGraph
	run(t, func(ctx context.Context) error {
		leaf := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return 0, deep(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
		}, asyncio.Name("leaf"))
		asyncio.RunningLoop(ctx).CallLater(time.Minute, func() { g = asyncio.CaptureCallGraph(leaf) })
		return main(ctx, leaf)
	})
	return g
}

// wantOutline compares what an outline says of who awaits whom.
func wantOutline(t *testing.T, g *asyncio.CallGraph, want string) {
	t.Helper()
	got := regexp.MustCompile(`\.func[0-9.]+`).ReplaceAllString(outline(g), ".func")
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// conformance: callgraph-01 callgraph-07
func TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers(t *testing.T) {
	var g *asyncio.CallGraph
	run(t, func(ctx context.Context) error {
		owner := asyncio.Go(ctx, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, group *asyncio.TaskGroup) error {
				leaf := asyncio.Spawn(group, func(ctx context.Context) (int, error) {
					return 0, deep(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
				}, asyncio.Name("leaf"))
				group.Go(func(ctx context.Context) error {
					return deep(ctx, func(ctx context.Context) error { _, err := leaf.Await(ctx); return err })
				}, asyncio.Name("other"))
				asyncio.RunningLoop(ctx).CallLater(time.Minute, func() { g = asyncio.CaptureCallGraph(leaf) })
				return nil
			})
		}, asyncio.Name("owner"))
		_, err := owner.Await(ctx)
		return err
	})
	wantOutline(t, g, `
leaf: Sleep TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func deep TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
  other: (*Task).Await TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func deep TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
    owner: Group TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
      main: (*Task).Await TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
  owner: Group TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
    main: (*Task).Await TestCallGraph_childOfAGroup_isAwaitedByOwnerAndOthers.func
`)
}

// conformance: callgraph-03 callgraph-04 callgraph-05 callgraph-06
func TestCallGraph_throughEveryWayToAwait(t *testing.T) {
	await := func(leaf *asyncio.Task[int]) func(context.Context) error {
		return func(ctx context.Context) error { _, err := leaf.Await(ctx); return err }
	}
	for _, c := range []struct {
		name, calls string
		wait        func(ctx context.Context, leaf *asyncio.Task[int]) error
	}{
		{"gather", "Gather", func(ctx context.Context, leaf *asyncio.Task[int]) error {
			_, err := asyncio.Gather(ctx, leaf.Await)
			return err
		}},
		{"shield", "Await Shield", func(ctx context.Context, leaf *asyncio.Task[int]) error {
			return asyncio.Shield(ctx, await(leaf))
		}},
		{"timeout", "Await Timeout", func(ctx context.Context, leaf *asyncio.Task[int]) error {
			return asyncio.Timeout(ctx, 2*time.Hour, await(leaf))
		}},
		{"wait", ".Wait", func(ctx context.Context, leaf *asyncio.Task[int]) error {
			_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, leaf)
			return err
		}},
		{"as completed", "", func(ctx context.Context, leaf *asyncio.Task[int]) error {
			for range asyncio.AsCompleted(ctx, leaf) {
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := capture(t, c.wait)
			by := g.AwaitedBy
			if c.name == "gather" { // its child awaits the leaf, and main the child
				if len(by) != 1 || !strings.Contains(by[0].Stack[0].Function, "Await") {
					t.Fatalf("got\n%v", g)
				}
				by = by[0].AwaitedBy
			}
			if len(by) != 1 || by[0].Name != "main" {
				t.Fatalf("got\n%v", g)
			}
			stack := by[0].Stack
			for _, call := range strings.Fields(c.calls) {
				i := slices.IndexFunc(stack, func(f runtime.Frame) bool { return strings.Contains(f.Function, call) })
				if i < 0 {
					t.Fatalf("no call of %s in\n%v", call, g)
				}
				stack = stack[i+1:]
			}
		})
	}
}

// conformance: callgraph-08
func TestCallGraph_future_hasNoStack_andListsEachThatAwaitsIt(t *testing.T) {
	var g *asyncio.CallGraph
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		f := asyncio.NewFuture[string](loop)
		return asyncio.Group(ctx, func(ctx context.Context, group *asyncio.TaskGroup) error {
			for _, name := range []string{"a", "b"} {
				group.Go(func(ctx context.Context) error { _, err := f.Await(ctx); return err }, asyncio.Name(name))
			}
			loop.CallLater(time.Second, func() {
				g = asyncio.CaptureCallGraph(f)
				f.SetResult("")
			})
			return nil
		})
	}, fifo)
	if g.Name != "a Future[string]" || g.State != "pending" || len(g.Stack) != 0 || len(g.AwaitedBy) != 2 {
		t.Fatalf("got\n%v", g)
	}
	for i, name := range []string{"a", "b"} {
		by := g.AwaitedBy[i]
		if by.Name != name || len(by.Stack) != 2 || len(by.AwaitedBy) != 1 || by.AwaitedBy[0].Name != "main" {
			t.Errorf("got\n%v", by)
		}
	}
}

func TestCallGraph_tasksThatAwaitEachOther_areACycle(t *testing.T) {
	var g *asyncio.CallGraph
	run(t, func(ctx context.Context) error {
		var a, b *asyncio.Task[int]
		a = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return b.Await(ctx) }, asyncio.Name("a"))
		b = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return a.Await(ctx) }, asyncio.Name("b"))
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return err
		}
		g = asyncio.CaptureCallGraph(a)
		a.Cancel()
		return nil
	})
	again := g.AwaitedBy[0].AwaitedBy[0]
	if again.Name != "a" || !again.Cycle || again.Stack != nil || !strings.Contains(g.String(), "they await each other") {
		t.Errorf("got\n%v", g)
	}
}

// What is captured is that moment's, and every line is that of the wait.
func TestCallGraph_says_theLineOfEachAwait(t *testing.T) {
	var line int
	g := capture(t, func(ctx context.Context, leaf *asyncio.Task[int]) error {
		_, _, line, _ = runtime.Caller(0)
		_, err := leaf.Await(ctx)
		return err
	})
	frame := g.AwaitedBy[0].Stack[1]
	if filepath.Base(frame.File) != "callgraph_test.go" || frame.Line != line+1 {
		t.Errorf("main awaits at %s:%d, want line %d", frame.File, frame.Line, line+1)
	}
	if !strings.Contains(g.State, "timer") || g.AwaitedBy[0].State != "waits for leaf" {
		t.Errorf("states %q, %q", g.State, g.AwaitedBy[0].State)
	}
	text := g.String()
	for _, want := range []string{"leaf (waits for a timer, created at ", "awaited by\n", "    main (waits for leaf", "callgraph_test.go:" + fmt.Sprint(line+1)} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Thousands of stacks are looked at from a coroutine, a callback and between
// runs, and everybody goes on as if nothing had been.
func TestStack_ofMany_fromEverywhere_disturbsNobody(t *testing.T) {
	const n = 1000
	loop := clockLoop(t)
	sum := 0
	var tasks []*asyncio.Task[asyncio.None]
	for i := range n {
		tasks = append(tasks, asyncio.Go(loop.Context(), func(ctx context.Context) error {
			err := deep(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Duration(i%7)*time.Second+time.Hour) })
			sum += i
			return err
		}))
	}
	look := func(who string) {
		for _, task := range tasks {
			if s := task.Stack(); len(s) != 4 && !task.Done() {
				t.Fatalf("%s sees a stack of %d: %v", who, len(s), s)
			}
		}
	}
	loop.RunOnce()
	look("between runs")
	loop.CallSoon(func() { look("a callback") })
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		look("a task")
		err := asyncio.Yield(ctx)
		look("a task")
		return err
	})
	runAll(loop)
	if sum != n*(n-1)/2 || slices.ContainsFunc(tasks, func(t *asyncio.Task[asyncio.None]) bool { return !t.Done() || t.Err() != nil }) {
		t.Errorf("the sum is %d", sum)
	}
}

func TestStack_fromAnotherGoroutine_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		task := asyncio.CurrentTask(ctx)
		_, err := asyncio.ToThread(ctx, func() (int, error) {
			mustPanic(t, "not the event loop's", func() { task.Stack() })
			mustPanic(t, "not the event loop's", func() { asyncio.CaptureCallGraph(task) })
			return 0, nil
		})
		return err
	})
}

func TestDeadlock_saysAtWhichLineEachTaskWaits(t *testing.T) {
	var line int
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var never asyncio.Event
		_, _, line, _ = runtime.Caller(0)
		return never.Wait(ctx)
	})
	var d *asyncio.DeadlockError
	if !errors.As(err, &d) || !strings.Contains(err.Error(), fmt.Sprintf("callgraph_test.go:%d", line+1)) {
		t.Errorf("got %v", err)
	}
}

func ExampleCaptureCallGraph() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		fetch := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Minute) }, asyncio.Name("fetch"))
		asyncio.Go(ctx, func(ctx context.Context) error { _, err := fetch.Await(ctx); return err }, asyncio.Name("parse"))
		asyncio.Sleep(ctx, time.Second)

		g := asyncio.CaptureCallGraph(fetch)
		fmt.Println(g.Name, g.State)
		for _, by := range g.AwaitedBy {
			fmt.Println("awaited by", by.Name, "in", filepath.Base(by.Stack[1].File))
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// fetch waits for a timer
	// awaited by parse in callgraph_test.go
}

func TestTask_startedByAnOwner_wasCreatedWhereThatWasCalled(t *testing.T) {
	run(t, func(ctx context.Context) error {
		want := ""
		check := func(ctx context.Context) (int, error) {
			if at := asyncio.CurrentTask(ctx).Created(); filepath.Base(at) != want {
				t.Errorf("created at %s, want %s", at, want)
			}
			return 0, nil
		}
		nextLine := func() {
			_, _, line, _ := runtime.Caller(1)
			want = fmt.Sprintf("callgraph_test.go:%d", line+1)
		}
		nextLine()
		asyncio.Gather(ctx, check)
		nextLine()
		asyncio.GatherResults(ctx, check)
		nextLine()
		asyncio.Gather3(ctx, check, check, check)
		nextLine()
		asyncio.Race(ctx, check)
		nextLine()
		asyncio.StaggeredRace(ctx, time.Second, check)
		nextLine()
		asyncio.Map(ctx, 1, slices.Values([]int{1}), func(ctx context.Context, _ int) (int, error) { return check(ctx) })
		return nil
	})
}
