package asyncio

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A CallGraph is what a task or future was doing at one moment, and who awaits
// it, and who awaits those, and so on (asyncio's FutureCallGraph).
type CallGraph struct {
	Name      string          // of a task; of a future what WaitName says
	State     string          // "running", "waits for a timer", ...
	Created   string          // where the task was created, as file:line, if that is known
	Stack     []runtime.Frame // where the task is, the innermost call first; see Task.Stack
	AwaitedBy []*CallGraph
	Cycle     bool // it stands further down the path already, and is not repeated
}

// CaptureCallGraph returns the call graph of f, the present moment's: what
// happens later does not change it. It belongs on the loop, and costs a few
// microseconds a task.
//
// A task is awaited by those that wait in its Await, in [Wait] or [AsCompleted],
// and by the owner of its group, once that waits for the group's end.
func CaptureCallGraph(f AnyFuture) *CallGraph {
	future, l := f.inner()
	l.Check("CaptureCallGraph")
	if t := taskOf(f); t != nil {
		return graph(t, nil)
	}
	g := &CallGraph{Name: f.name(), State: "pending"}
	if f.Done() {
		g.State = "done"
	}
	g.awaitedBy(nil, future.Lines())
	return g
}

func graph(t *engine.Task, path []*engine.Task) *CallGraph {
	g := &CallGraph{Name: t.Name(), State: t.Condition(), Created: t.Created()}
	if slices.Contains(path, t) {
		g.Cycle = true
		return g
	}
	g.Stack = t.Stack()
	g.awaitedBy(append(path, t), t.AllLines())
	return g
}

func (g *CallGraph) awaitedBy(path []*engine.Task, lines []*engine.WaitQueue) {
	for _, q := range lines {
		for t := range q.Tasks {
			g.AwaitedBy = append(g.AwaitedBy, graph(t, slices.Clip(path)))
		}
	}
}

// WriteTo writes the graph as text.
func (g *CallGraph) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, g.String())
	return int64(n), err
}

// String shows the graph as text, a line a frame, what is awaited above who
// awaits it.
func (g *CallGraph) String() string {
	var b strings.Builder
	g.format(&b, "")
	return b.String()
}

func (g *CallGraph) format(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%s (%s", indent, g.Name, g.State)
	if g.Created != "" {
		fmt.Fprintf(b, ", created at %s", g.Created)
	}
	b.WriteString(")\n")
	if g.Cycle {
		fmt.Fprintf(b, "%s  the same as above: they await each other\n", indent)
		return
	}
	for _, f := range g.Stack {
		fmt.Fprintf(b, "%s  %s at %s:%d\n", indent, shortName(f.Function), f.File, f.Line)
	}
	for _, by := range g.AwaitedBy {
		fmt.Fprintf(b, "%s  awaited by\n", indent)
		by.format(b, indent+"    ")
	}
}

// shortName is a function's name without the path of its package.
func shortName(function string) string {
	return function[strings.LastIndexByte(function, '/')+1:]
}
