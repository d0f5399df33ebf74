package engine

import (
	"fmt"
	"math"
	"time"
)

// A cycleGraph is who waits for whom, as far as it can be reached from some
// suspects. Who is stuck follows from it: who waits for all of several tasks is
// stuck if one of them is; who waits for any of several, if all of them are.
type cycleGraph struct {
	loop  *Loop
	nodes []cycleNode
	out   []int32 // the nodes that a node waits for, node after node
	in    []int32 // the nodes that wait for a node, node after node

	timeouts   map[*Scope]time.Duration
	cancellers map[*Scope]bool
	certain    map[int32]bool
}

// A cycleNode is a task that waits for tasks.
type cycleNode struct {
	p    *Parking
	kind Wakers
	out  span
	in   span
	was  int32 // Parking.listed
	left int32 // of those for all of whom it waits, how many are not known to go on
	free bool  // it goes on: it is not stuck
}

// A span is a part of a slice.
type span struct{ from, to int32 }

// What has been told about a task's wait; told in Parking.
const (
	toldLikely  = 1
	toldCertain = 2
)

func newCycleGraph(l *Loop, suspects []*Parking) *cycleGraph {
	g := &cycleGraph{loop: l, certain: map[int32]bool{}}
	for _, p := range suspects {
		g.node(p)
	}
	var free []int32
	for i := 0; i < len(g.nodes); i++ {
		g.explore(i)
		if g.nodes[i].free {
			free = append(free, int32(i))
		}
	}
	g.turnAround()
	for len(free) > 0 {
		last := len(free) - 1
		i := free[last]
		free = free[:last]
		for _, n := range g.waiters(i) {
			if g.goesOn(n) {
				free = append(free, n)
			}
		}
	}
	return g
}

// node returns the number of p, which is a new one if p is not known yet.
func (g *cycleGraph) node(p *Parking) int32 {
	if p.listed <= 0 {
		g.nodes = append(g.nodes, cycleNode{p: p, was: p.listed})
		p.listed = int32(len(g.nodes))
	}
	return p.listed - 1
}

// explore finds out whom a node waits for.
func (g *cycleGraph) explore(i int) {
	found, kind := g.loop.wakers(g.nodes[i].p.wakers(), math.MaxInt)
	from, running := int32(len(g.out)), false
	for _, t := range found {
		if t.at.wakers() == nil {
			running = true
		} else {
			g.out = append(g.out, g.node(t.at))
		}
	}
	n := &g.nodes[i]
	n.kind, n.out = kind, span{from, int32(len(g.out))}
	n.left = n.out.to - n.out.from
	n.free = n.left == 0 || kind.Any && running
}

// turnAround makes the edges that lead back.
func (g *cycleGraph) turnAround() {
	for _, to := range g.out {
		g.nodes[to].in.to++
	}
	at := int32(0)
	for i := range g.nodes {
		n := &g.nodes[i].in
		n.from, n.to, at = at, at, at+n.to
	}
	g.in = make([]int32, len(g.out))
	for i := range g.nodes {
		for _, to := range g.awaited(int32(i)) {
			in := &g.nodes[to].in
			g.in[in.to] = int32(i)
			in.to++
		}
	}
}

func (g *cycleGraph) awaited(i int32) []int32 { s := g.nodes[i].out; return g.out[s.from:s.to] }
func (g *cycleGraph) waiters(i int32) []int32 { s := g.nodes[i].in; return g.in[s.from:s.to] }

// goesOn notes that one of those for whom n waits is not stuck, and reports
// whether n is not, either, and was not known for it.
func (g *cycleGraph) goesOn(i int32) bool {
	n := &g.nodes[i]
	if n.free {
		return false
	}
	n.left--
	n.free = n.left == 0 || n.kind.Any
	return n.free
}

// forget takes the numbers of the nodes off the tasks.
func (g *cycleGraph) forget() {
	for i := range g.nodes {
		g.nodes[i].p.listed = g.nodes[i].was
	}
}

// report returns the report on the cycle in which p is, if it is in one of which
// none of the tasks was told as much.
func (g *cycleGraph) report(p *Parking) (ExceptionInfo, bool) {
	start, level := p.listed-1, uint8(toldCertain)
	if g.nodes[start].free {
		return ExceptionInfo{}, false
	}
	cycle := g.shortest(start, true)
	if cycle == nil {
		cycle, level = g.shortest(start, false), toldLikely
	}
	if cycle == nil || g.wasTold(cycle, level) {
		return ExceptionInfo{}, false
	}
	lines, unless := g.describe(cycle, level)
	message := "deadlock: tasks wait for one another"
	if len(cycle) == 1 {
		message = "deadlock: a task waits for itself"
	}
	if level == toldLikely {
		message = "likely " + message
	}
	return ExceptionInfo{
		Message: message,
		Err:     Errors.Deadlock(lines, unless),
		Task:    p.task.Name(),
		Created: p.task.Created(),
	}, true
}

func (g *cycleGraph) wasTold(cycle []int32, level uint8) bool {
	for _, i := range cycle {
		if g.nodes[i].p.told >= level {
			return true
		}
	}
	return false
}

// shortest returns the shortest cycle from start back to it, in the order of
// waiting; nil if there is none. A certain one consists of waits which nothing
// else can end.
func (g *cycleGraph) shortest(start int32, certain bool) []int32 {
	if certain && !g.isCertain(start) {
		return nil
	}
	from := map[int32]int32{}
	for line := []int32{start}; len(line) > 0; line = line[1:] {
		for _, to := range g.awaited(line[0]) {
			if to == start {
				return path(from, start, line[0])
			}
			if _, seen := from[to]; !seen && !g.nodes[to].free && (!certain || g.isCertain(to)) {
				from[to] = line[0]
				line = append(line, to)
			}
		}
	}
	return nil
}

// path returns the way from start to end.
func path(from map[int32]int32, start, end int32) []int32 {
	n := 1
	for i := end; i != start; i = from[i] {
		n++
	}
	way := make([]int32, n)
	for i := end; ; i = from[i] {
		n--
		way[n] = i
		if i == start {
			return way
		}
	}
}

// describe returns the lines of the report, and what could still end the waits.
// After the cycle come the others whom it is the same for: they wait for it, and
// it waits for them.
func (g *cycleGraph) describe(cycle []int32, level uint8) (lines, unless []string) {
	const most = 16 // of the others
	inCycle := map[int32]bool{}
	for _, i := range cycle {
		n := &g.nodes[i]
		n.p.told = level
		inCycle[i] = true
		lines = append(lines, n.p.task.describe())
		unless = append(unless, g.waysOut(n)...)
	}
	after, before := g.reach(cycle[0], g.awaited), g.reach(cycle[0], g.waiters)
	others := 0
	for i := range g.nodes {
		if n := int32(i); !after[n] || !before[n] || inCycle[n] {
			continue
		}
		p := g.nodes[i].p
		p.told = max(p.told, level)
		if others++; others <= most {
			lines = append(lines, p.task.describe())
		}
	}
	if others > most {
		lines = append(lines, fmt.Sprintf("and %d more tasks", others-most))
	}
	return lines, unless
}

// reach returns who of those that are stuck is reached from start.
func (g *cycleGraph) reach(start int32, next func(int32) []int32) map[int32]bool {
	seen := map[int32]bool{start: true}
	for line := []int32{start}; len(line) > 0; line = line[1:] {
		for _, to := range next(line[0]) {
			if !seen[to] && !g.nodes[to].free {
				seen[to] = true
				line = append(line, to)
			}
		}
	}
	return seen
}

// isCertain reports whether nothing but those for whom a node waits can end its
// wait. That somebody has the task, and may call its Cancel, does not count.
func (g *cycleGraph) isCertain(i int32) bool {
	certain, known := g.certain[i]
	if !known {
		certain = len(g.waysOut(&g.nodes[i])) == 0
		g.certain[i] = certain
	}
	return certain
}

// waysOut says what could end a node's wait, besides those for whom it waits.
func (g *cycleGraph) waysOut(n *cycleNode) (ways []string) {
	name := n.p.task.Name()
	if n.kind.Unless != "" {
		ways = append(ways, name+" goes on if "+n.kind.Unless)
	}
	if n.p.foreign != nil {
		ways = append(ways, name+" goes on if its context "+g.endOf(n.p.foreign))
	}
	g.lookUp()
	timeout := time.Duration(Forever)
	if s := n.p.scope; s != nil && !s.given.deadline.IsZero() {
		timeout = s.given.deadline.Sub(g.loop.start)
	}
	for s := n.p.scope; s != nil; s = s.above {
		if when, ok := g.timeouts[s]; ok {
			timeout = min(timeout, when)
		}
		if f := s.foreign(); f != nil {
			ways = append(ways, name+" goes on if its context "+g.endOf(f))
		}
		if g.cancellers[s] {
			ways = append(ways, name+" goes on if its context is cancelled")
		}
	}
	if timeout != Forever {
		ways = append(ways, fmt.Sprintf("%s goes on when its timeout comes, in %v", name, g.until(timeout)))
	}
	return ways
}

// endOf says how a context that is not ours may end.
func (g *cycleGraph) endOf(f *foreign) string {
	if at, ok := f.ctx.Deadline(); ok {
		return fmt.Sprintf("ends, in %v at the latest", g.until(at.Sub(g.loop.start)))
	}
	return "is cancelled"
}

func (g *cycleGraph) until(when time.Duration) time.Duration {
	d := when - g.loop.Time()
	if d < time.Second {
		return d.Round(time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// lookUp finds the scopes that may end: they do not know it themselves.
func (g *cycleGraph) lookUp() {
	if g.timeouts != nil {
		return
	}
	g.timeouts, g.cancellers = map[*Scope]time.Duration{}, map[*Scope]bool{}
	for _, e := range g.loop.alarms.entries {
		if e.a.task {
			continue
		}
		if d, ok := e.a.ofAlarm().owner.(*Deadline); ok {
			g.timeouts[&d.Scope] = e.when
		}
	}
	for c := g.loop.cycles.cancellers; c != nil; c = c.older {
		g.cancellers[&c.Scope] = true
	}
}
