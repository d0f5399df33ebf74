package engine

// A director stands beside a loop that is watched or driven: it writes the trace
// (trace.go), and under chaos (chaos.go) it chooses who runs next. A loop without
// one has a nil pointer to test at each step, and nothing else.
type director struct {
	loop    *Loop
	notes   []note // of the ready queue's entries, in their order, from first on
	first   int
	decided int                     // so many at the front of the queue keep their place
	eager   int                     // callbacks that wait for the first step of an eager task
	pick    func(ready []*Task) int // nil: the first one
	ready   []*Task                 // among whom it chooses, for now
	trace   *Trace
	line    traceLine
}

// A note is what a director knows of an entry of the ready queue.
type note struct {
	by   madeReady
	step uint64 // with byStep: in which it was made ready
	last bool   // it yielded: whoever was ready before it comes first
}

// madeReady is what made an entry ready.
type madeReady uint8

const (
	byStep    madeReady = iota // something that ran
	byAlarm                    // a timer
	bySystem                   // the operating system
	byContext                  // the end of a context that is not ours
	byOutside                  // another goroutine
)

// take notes of what was made ready since the last time, and by what.
func (d *director) take(by madeReady) {
	for d.known() < d.loop.ready.n {
		d.notes = append(d.notes, note{by: by, step: d.line.step})
	}
}

func (d *director) known() int { return len(d.notes) - d.first }

// noted is take where there may be no director.
func (l *Loop) noted(by madeReady) {
	if l.director != nil {
		l.director.take(by)
	}
}

// yielded notes that the last entry is a task that has let others go first.
func (d *director) yielded() {
	d.take(byStep)
	d.notes[len(d.notes)-1].last = true
	d.loop.current.at.what = nil // of a wait that is over; no matter of this
}

// keepFirst is for an entry that was put at the front of the queue, where it has
// to stay: an eager task, and the one that waits for its first step.
func (d *director) keepFirst() {
	d.decided++
	fresh := note{by: byStep, step: d.line.step}
	if d.first > 0 {
		d.first--
		d.notes[d.first] = fresh
		return
	}
	d.notes = append(d.notes, note{})
	copy(d.notes[1:], d.notes)
	d.notes[0] = fresh
}

// next is told that the first entry of the queue runs now. The choice is made by
// then, unless nobody has looked who is next.
func (d *director) next() {
	d.choose()
	n := d.notes[d.first]
	d.first++
	if d.first > 64 && d.first > len(d.notes)/2 {
		d.notes = d.notes[:copy(d.notes, d.notes[d.first:])]
		d.first = 0
	}
	if d.decided > 0 {
		d.decided--
	}
	if d.trace != nil {
		d.begin(d.loop.ready.at(0), n)
	}
}

// choose brings the entry that is to run next to the front of the ready queue,
// where it stays. It is the one place that decides that.
func (d *director) choose() {
	d.take(byStep)
	if d.pick == nil || d.decided > 0 {
		return
	}
	d.decided = 1
	if i := d.draw(); i > 0 {
		d.loop.ready.bringToFront(i)
		chosen := d.notes[d.first+i]
		copy(d.notes[d.first+1:], d.notes[d.first:d.first+i])
		d.notes[d.first] = chosen
	}
}
