package engine

import (
	"context"
	"math"
	"time"
)

// This file finds tasks that wait for one another while the rest of the program
// lives. The task that closes a cycle is the last of it to park. So who is about
// to wait for what another task has looks along the chain of those who have it,
// and that is all that a wait costs: mostly one look at a task which is not
// parked. If the chain leads back, or branches, the task is a suspect. The loop
// looks at suspects only if they still wait after a while (cyclegraph.go), since
// a cycle that a timeout ends at once is no deadlock.

// A HasWakers is a Waitable that knows which tasks have to do something for the
// wait to end. It is asked only on a suspicion.
type HasWakers interface {
	Waitable
	// WokenBy yields those tasks; none if they are not known.
	WokenBy(yield func(*Task) bool) Wakers
}

// Wakers says what it takes of those tasks.
type Wakers struct {
	Any    bool   // any one of them is enough; else it takes them all
	Unless string // what else could end the wait; "" if nothing could
}

// WokenBy is for who awaits the task: only its end ends that.
func (t *Task) WokenBy(yield func(*Task) bool) Wakers {
	yield(t)
	return Wakers{}
}

// Siblings yields the tasks of the group in which t is, once its owner waits for
// them: no others are started then but by one of them.
func (t *Task) Siblings(yield func(*Task) bool) {
	if line := t.body.Joiner(); line != nil && line.head != nil {
		if w := line.head.p.wakers(); w != nil {
			w.WokenBy(yield)
		}
	}
}

// cycles is what a loop knows of tasks that may wait for one another.
type cycles struct {
	suspects []suspect
	fresh    []*Parking    // those suspects of which it is not known yet since when they wait
	due      time.Duration // when to look at them, on the loop's clock; valid if there are any

	found []*Task // what wakers returns
	most  int
	add   func(*Task) bool

	cancellers *Canceller // see there
}

// A suspect is a task that may be in a cycle, once it waits.
type suspect struct {
	*Parking
	since time.Duration // the first look at the clock since then; or unnoted
}

// unnoted is there until the loop looks at the clock. That a task does so whenever
// it begins to wait would cost as much as the rest of the wait.
const unnoted = -1

// suspectFor is how long a task is suspected before the loop looks.
const suspectFor = 25 * time.Millisecond

// maxTrace is how far a task that begins to wait follows the chain of those whom
// it waits for.
const maxTrace = 16

// Behind is called by a task that is about to wait for t to do something.
func (p *Parking) Behind(t *Task) {
	p.told = 0
	if at := t.at; at != nil && (at.parked || at == p) {
		p.trace(at)
	}
}

// BehindOwner is Behind for what t holds.
func (p *Parking) BehindOwner(t *Task) {
	t.Wanted()
	p.Behind(t)
}

// BehindAny is Behind if any of several tasks is enough; known says whether it is
// known of any who they are.
func (p *Parking) BehindAny(w HasWakers, known bool) {
	p.told = 0
	if known {
		p.traceFrom(w)
	}
}

// BehindAll is Behind for several tasks, of which there may be very many: that
// these wait for the caller is left to find out by the look at suspects.
func (p *Parking) BehindAll() {
	p.told = 0
	if p.wanted() {
		p.suspect()
	}
}

// Wanted notes that others wait for something that t holds.
func (t *Task) Wanted() {
	if t.at != nil {
		t.at.held = true
	}
}

// Hold notes that t holds n more of what others may wait for.
func (t *Task) Hold(n int32) {
	if t.at != nil {
		t.at.holds += n
	}
}

// trace follows the chain from at, for whom p is to wait.
func (p *Parking) trace(at *Parking) {
	for range maxTrace {
		if at == p {
			p.suspect()
			return
		}
		w := at.wakers()
		if w == nil {
			return
		}
		next, branches := p.follow(w)
		if branches {
			break
		}
		if next == nil {
			return
		}
		at = next
	}
	p.unsure()
}

// traceFrom is trace from what p is to wait for.
func (p *Parking) traceFrom(w HasWakers) {
	if next, branches := p.follow(w); branches {
		p.unsure()
	} else if next != nil {
		p.trace(next)
	}
}

// follow returns the only one for whom w waits, or p if that is one of all of them;
// nil if one of them goes on.
func (p *Parking) follow(w HasWakers) (next *Parking, branches bool) {
	found, kind := p.Loop().wakers(w, maxTrace)
	if len(found) == 0 {
		return nil, false
	}
	if len(found) == 1 {
		return found[0].at, false
	}
	for _, t := range found {
		switch {
		case !kind.Any && t.at == p:
			return p, false
		case kind.Any && t.at != p && t.at.wakers() == nil:
			return nil, false
		}
	}
	return nil, true
}

// unsure makes p a suspect if it can be in a cycle, that is, if somebody waits
// for it.
func (p *Parking) unsure() {
	if p.wanted() {
		p.suspect()
	}
}

// wanted reports whether somebody waits for p, or for what p holds. That the
// owner of its group does says nothing yet: then it is the owner whom somebody
// has to wait for.
func (p *Parking) wanted() bool {
	for range maxTrace {
		t := p.task
		if p.held || p.holds > 0 || t.waiters.head != nil || t.extra != nil && t.extra.watches != nil {
			return true
		}
		line := t.body.Joiner()
		if line == nil || line.head == nil {
			return false
		}
		if _, starts := line.head.p.what.(*Task); starts {
			return true
		}
		p = line.head.p
	}
	return true
}

// suspect notes that p may be in a cycle once it waits.
func (p *Parking) suspect() {
	l := p.Loop()
	if l.closing {
		return
	}
	c := &l.cycles
	if p.listed == 0 {
		c.suspects = append(c.suspects, suspect{p, 0})
		p.listed = -int32(len(c.suspects))
	}
	if s := &c.suspects[-p.listed-1]; s.since != unnoted {
		s.since = unnoted
		c.fresh = append(c.fresh, p)
	}
}

// noteFresh notes since when the suspects wait that have begun since the last look.
func (c *cycles) noteFresh(now time.Duration) {
	if len(c.fresh) == len(c.suspects) {
		c.due = max(c.due, now+suspectFor)
	}
	for _, p := range c.fresh {
		c.suspects[-p.listed-1].since = now
	}
	clear(c.fresh)
	c.fresh = c.fresh[:0]
}

// wakers returns what p waits for, nil if p does not wait for tasks.
func (p *Parking) wakers() HasWakers {
	if p == nil || !p.parked {
		return nil
	}
	w, _ := p.what.(HasWakers)
	return w
}

// wakers returns who has to do something for w to end, at most that many. It is
// valid until the next call.
func (l *Loop) wakers(w HasWakers, most int) ([]*Task, Wakers) {
	c := &l.cycles
	if c.add == nil {
		c.add = func(t *Task) bool {
			c.found = append(c.found, t)
			return len(c.found) < c.most
		}
	}
	c.found, c.most = c.found[:0], most
	kind := w.WokenBy(c.add)
	return c.found, kind
}

// before returns the time for which the loop sleeps at most, if it would until
// when.
func (c *cycles) before(when time.Duration) time.Duration {
	if len(c.suspects) == 0 {
		return when
	}
	return min(when, c.due)
}

// lookAtSuspects reports the cycles in which those are who still wait.
func (l *Loop) lookAtSuspects() {
	c := &l.cycles
	now := l.Time()
	c.noteFresh(now)
	if now < c.due || l.VirtualClock && l.ready.n > 0 {
		return
	}
	var old []*Parking
	rest := c.suspects[:0]
	due := time.Duration(math.MaxInt64)
	for _, p := range c.suspects {
		if p.parked && now-p.since < suspectFor {
			rest = append(rest, p)
			p.listed = -int32(len(rest))
			due = min(due, p.since+suspectFor)
			continue
		}
		p.listed = 0
		if p.wakers() != nil && p.told < toldCertain {
			old = append(old, p.Parking)
		}
	}
	clear(c.suspects[len(rest):])
	c.suspects = rest
	var pause time.Duration
	if len(old) > 0 && !l.closing {
		pause = l.findCycles(old)
	}
	if len(rest) == 0 {
		due = 0
	}
	c.due = max(due, now+pause)
}

// findCycles reports the cycles in which suspects are. It returns for how long to
// let that be: where it has much to look at it takes a few hundredths of the
// time, at most.
func (l *Loop) findCycles(suspects []*Parking) (pause time.Duration) {
	g := newCycleGraph(l, suspects)
	var reports []ExceptionInfo
	for _, p := range suspects {
		if info, ok := g.report(p); ok {
			reports = append(reports, info)
		}
	}
	g.forget()
	for _, info := range reports { // not before: the handler may wake whom it is about
		l.Report(info)
	}
	const perTask = 2 * time.Microsecond // it takes 50 ns
	return time.Duration(len(g.nodes)) * perTask
}

// A Canceller is a scope that somebody may cancel at any time. The loop keeps a
// list of them: so a report can say that a wait might be ended so.
type Canceller struct {
	Scope
	newer, older *Canceller
	closed       bool
}

// Open opens the scope below ctx.
func (c *Canceller) Open(l *Loop, t *Task, ctx context.Context) {
	c.Scope.Open(l, t, ctx)
	l.BeginCaller() // whoever can cancel can end a wait
	c.older = l.cycles.cancellers
	if c.older != nil {
		c.older.newer = c
	}
	l.cycles.cancellers = c
}

// Close cancels the scope and leaves it. It may be called again.
func (c *Canceller) Close(cause error) {
	if !c.closed {
		c.closed = true
		c.loop.EndCaller()
		c.unlist()
	}
	c.Cancel(cause)
	c.Scope.Close()
}

func (c *Canceller) unlist() {
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		c.loop.cycles.cancellers = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	}
	c.newer, c.older = nil, nil
}
