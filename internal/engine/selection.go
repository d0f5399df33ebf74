package engine

import (
	"context"
	"strings"
	"time"
)

// A Case is a call of which Select may make one. It belongs to the face, which
// asks for it in this order, and all of it in one turn but for Woken.
type Case interface {
	// Try makes the call if that need not wait, and reports whether it has, and the
	// call's error.
	Try(p *Parking) (done bool, err error)
	// Enter says where to wait: it calls one of the methods of s that add a branch.
	Enter(s *Selection)
	// Woken makes the call for which the task was woken. If it cannot, it reports
	// that it is not done, and all is tried again.
	Woken(p *Parking) (done bool, err error)
}

// AsCase makes of a Case one of the root package, which sets this: for the packages
// that have cases of their own.
var AsCase func(Case) any

// A Selection is a wait for several things at once. It has a spot in the line of
// each, and whoever is first to serve one of them ends the wait: in the same
// moment all spots are taken out of their lines. So the task is given one thing,
// and nothing has to be given back.
type Selection struct {
	p        *Parking
	branches []branch
	index    int32         // of the case that enters
	alarm    int32         // which branch it is whose time comes first; -1: none
	after    time.Duration // until then
	served   int32         // the branch that has ended the wait; -1: none
	outside  int           // how many can be served from outside only
	helper   *helper       // waits for the channels
	few      [4]branch     // the first of branches
	leavers  []Leaver      // to be told when the wait is over
	next     *Selection    // of those that the loop keeps for reuse
}

// A branch is where a case waits.
type branch struct {
	spot
	what   Waitable
	index  int32 // of the case
	shared bool  // who is served there takes nothing
}

// A Leaver is told when a task that has entered it is not in its lines any more,
// whatever has ended the wait.
type Leaver interface{ Left() }

// Select begins a wait for several things.
func (p *Parking) Select() *Selection {
	l := p.Loop()
	s := l.selections
	if s == nil {
		s = &Selection{}
		s.branches = s.few[:0]
	} else {
		l.selections, s.next = s.next, nil
	}
	s.p, s.alarm, s.served = p, -1, -1
	return s
}

// Case says which case is the next to enter.
func (s *Selection) Case(index int) { s.index = int32(index) }

// Line adds a branch in a line, where who is served gets something that is nobody
// else's.
func (s *Selection) Line(q *WaitQueue, what Waitable) { s.LineN(q, 0, what) }

// LineN is Line for a task that wants n of something; see FirstWants.
func (s *Selection) LineN(q *WaitQueue, n int, what Waitable) {
	s.add(branch{spot: spot{queue: q, wants: n}, what: what})
}

// at returns the branch of a spot.
func (s *Selection) at(here *spot) *branch {
	for i := range s.branches {
		if here == &s.branches[i].spot {
			return &s.branches[i]
		}
	}
	return nil
}

// SharedLine adds a branch in a line where all are served at once, and nothing is
// taken.
func (s *Selection) SharedLine(q *WaitQueue, what Waitable) {
	s.add(branch{spot: spot{queue: q}, what: what, shared: true})
}

// Outside says that the branch that was added last is served from outside the
// loop.
func (s *Selection) Outside() { s.outside++ }

// TellLeft says whom to tell when the wait is over.
func (s *Selection) TellLeft(l Leaver) { s.leavers = append(s.leavers, l) }

// Alarm adds a branch that is served when d has passed.
func (s *Selection) Alarm(d time.Duration) {
	s.add(branch{what: TheAlarm})
	if s.alarm < 0 || d < s.after {
		s.alarm, s.after = int32(len(s.branches)-1), d
	}
}

// Channel adds a branch for a Go channel.
func (s *Selection) Channel(c Channel) {
	if s.helper == nil {
		s.helper = newHelper()
	}
	s.helper.channels = append(s.helper.channels, channelCase{c, s.index})
	s.add(branch{what: c})
	s.Outside()
}

func (s *Selection) add(to branch) {
	to.p, to.index = s.p, s.index
	s.branches = append(s.branches, to)
}

// Wait parks the task until one of the branches is served, and returns which case
// that is, and what serving it brings. If ctx is done, or ends first, there is
// none: then index is -1 and err the cause. The Selection is not to be used again.
func (s *Selection) Wait(ctx context.Context) (index int, err error) {
	p, l := s.p, s.p.Loop()
	scope, err := s.enter(ctx)
	if err != nil {
		s.recycle()
		return -1, err
	}
	if s.alarm >= 0 {
		p.Arm(AddTime(l.Time(), s.after))
	}
	if s.helper != nil {
		s.helper.selection = s
		s.helper.start(l)
	}
	l.outside += s.outside
	p.scope, p.what, p.parked = scope, s, true
	p.Suspend()
	l.outside -= s.outside
	if p.foreign != nil {
		p.unfollow()
	}
	if s.alarm >= 0 {
		p.Disarm()
	}
	err, _ = p.what.(error)
	return s.outcome(err)
}

// enter puts the task in the lines, unless the wait fails at once: then it is in
// none of them, as it may let others run.
func (s *Selection) enter(ctx context.Context) (*Scope, error) {
	p := s.p
	p.BehindAny(s, s.knowsWakers())
	for i := range s.branches {
		if q := s.branches[i].queue; q != nil && q.head != nil && q.head.p.Loop() != p.Loop() {
			return nil, misused(ErrOtherLoop)
		}
	}
	scope, err := p.enter(ctx, nil)
	if err != nil {
		return nil, err
	}
	for i := range s.branches {
		if at := &s.branches[i].spot; at.queue != nil {
			at.queue.push(at)
		}
	}
	return scope, nil
}

// end ends the wait by what the line of a spot has; without a spot, by the alarm
// or by what err says. It reports false if a channel was quicker.
func (s *Selection) end(at *spot, err error) bool {
	for i := range s.branches {
		here := &s.branches[i]
		if at == &here.spot {
			s.served = int32(i)
		}
		if here.queue != nil {
			here.queue.remove(&here.spot)
		}
	}
	if at == nil && err == nil {
		s.served = s.alarm
	}
	won := true
	if h := s.helper; h != nil {
		h.selection = nil
		won = at == nil || s.branches[s.served].shared || h.withdraw()
	}
	s.p.resume(err)
	return won
}

// outcome returns what the wait has come to, err being what has ended it. A
// channel that was quicker comes first.
func (s *Selection) outcome(err error) (int, error) {
	defer s.recycle()
	if h := s.helper; h != nil && h.settle(s.p) {
		return int(h.served), nil
	}
	if s.served < 0 {
		return -1, err
	}
	return int(s.branches[s.served].index), err
}

// recycle ends the wait, and keeps the Selection for the next one to use.
func (s *Selection) recycle() {
	l := s.p.Loop()
	for _, who := range s.leavers {
		who.Left()
	}
	clear(s.branches)
	clear(s.leavers)
	*s = Selection{branches: s.branches[:0], leavers: s.leavers[:0], next: l.selections}
	l.selections = s
}

// WaitName names all that the task waits for.
func (s *Selection) WaitName() string {
	var names []string
	for i := range s.branches {
		names = append(names, s.branches[i].what.WaitName())
	}
	switch len(names) {
	case 0:
		return "nothing, as all cases of its Select are nil"
	case 1:
		return names[0]
	default:
		return "the first of: " + strings.Join(names, "; ")
	}
}

// knowsWakers reports whether each branch can say which tasks may serve it.
func (s *Selection) knowsWakers() bool {
	for i := range s.branches {
		if _, ok := s.branches[i].what.(HasWakers); !ok {
			return false
		}
	}
	return len(s.branches) > 0
}

// WokenBy yields the tasks of all branches, any of which is enough; none if those of
// one branch are not known.
func (s *Selection) WokenBy(yield func(*Task) bool) Wakers {
	all := Wakers{Any: true}
	if !s.knowsWakers() {
		return all
	}
	for i := range s.branches {
		known := false
		s.branches[i].what.(HasWakers).WokenBy(func(*Task) bool { known = true; return false })
		if !known {
			return all
		}
	}
	var unless []string
	for i := range s.branches {
		w := s.branches[i].what.(HasWakers).WokenBy(yield)
		if w.Unless != "" {
			unless = append(unless, w.Unless)
		}
	}
	all.Unless = strings.Join(unless, ", or ")
	return all
}
