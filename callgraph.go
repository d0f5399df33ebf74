package asyncio

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
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
	l.check("CaptureCallGraph")
	if t, ok := f.(interface{ self() *task }); ok {
		return t.self().graph(nil)
	}
	g := &CallGraph{Name: f.WaitName(), State: "pending"}
	if f.Done() {
		g.State = "done"
	}
	g.awaitedBy(nil, future.lines())
	return g
}

func (t *task) self() *task { return t }

func (t *task) graph(path []*task) *CallGraph {
	g := &CallGraph{Name: t.Name(), State: t.condition(), Created: t.Created()}
	if slices.Contains(path, t) {
		g.Cycle = true
		return g
	}
	g.Stack = t.Stack()
	g.awaitedBy(append(path, t), append(t.lines(), t.body.awaiters()...))
	return g
}

// lines are where tasks wait for f.
func (f *future) lines() []*WaitQueue {
	lines := []*WaitQueue{&f.waiters}
	for w := range f.watchers {
		lines = append(lines, w.line())
	}
	return lines
}

func (g *CallGraph) awaitedBy(path []*task, lines []*WaitQueue) {
	for _, q := range lines {
		for w := q.head; w != nil; w = w.State.next {
			g.AwaitedBy = append(g.AwaitedBy, w.State.task.graph(slices.Clip(path)))
		}
	}
}

// Stack returns where the task is, the innermost call first: what it waits in,
// with the line of the call, and from there out to the task's own function.
// Frames of this package are left out, but for its exported functions. A
// task that has not started yet, or has ended, has none. It belongs on the loop,
// and costs a few microseconds.
func (t *task) Stack() []runtime.Frame {
	l := t.scope.loop
	l.check("Task.Stack")
	if t.state != pending || t.w == nil || l.current != nil && l.current.w == nil {
		return nil
	}
	pcs := make([]uintptr, 64)
	var n int
	capture := func() {
		for n = runtime.Callers(2, pcs); n == len(pcs); n = runtime.Callers(2, pcs) {
			pcs = make([]uintptr, 4*len(pcs))
		}
	}
	switch {
	case l.current == t:
		capture()
	case l.current != nil:
		l.pool.Visit(l.current.w, t.w, capture)
	default:
		l.pool.Visit(nil, t.w, capture)
	}
	return usersFrames(pcs[:n])
}

// usersFrames are the frames of a task's stack that mean something to users.
func usersFrames(pcs []uintptr) []runtime.Frame {
	var stack []runtime.Frame
	for frames, more := runtime.CallersFrames(pcs), true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == performName {
			break
		}
		if !machinery(f.Function) {
			stack = append(stack, f)
		}
	}
	return stack
}

const (
	module      = "github.com/go-asyncio/asyncio"
	performName = module + ".perform"
)

// machinery reports whether a function is one of this package's that users do
// not call: an unexported one, or a closure of one.
func machinery(function string) bool {
	if strings.HasPrefix(function, module+"/internal/") {
		return true
	}
	name, ours := strings.CutPrefix(function, module+".")
	if !ours {
		return false
	}
	if receiver, method, ok := strings.Cut(name, ")."); ok && strings.HasPrefix(receiver, "(*") {
		name = method // (*Task[...]).Await
	}
	return !(name[0] >= 'A' && name[0] <= 'Z')
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

// position returns where a task waits in the user's code, as file:line, or "".
func (t *task) position() string {
	for _, f := range t.Stack() {
		if !ownFrame(f.Function) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
	return ""
}
