package engine

import "context"

// This file is the rule of fairness. No call that waits if need be can be
// repeated for ever without letting the others in: other tasks, timers, events.
//
// A turn of a task has a budget of [TurnSteps]. A call that may wait takes a
// step, whether it waits or not, succeeds or fails; what moves bytes takes more
// ([Parking.Spend]). A call that finds the budget used up lets the others have
// their turns first, and looks at its context and its state only after that: so
// nothing that was granted is lost, and a cancellation is seen. Each step of the
// loop begins with a full budget, so a task that really waits never notices.
const (
	// TurnSteps is how many steps a turn has. A call that need not wait takes
	// some 10 ns, and letting others in 50 to 500 ns: so that is a nanosecond or
	// two a call, and no turn of such calls lasts longer than some microseconds.
	TurnSteps = 128

	// SystemCallSteps is what a system call takes, a read or write say: with
	// these a turn lasts no longer than some 100 µs.
	SystemCallSteps = 4

	// stepBytes is what takes as long to copy or encrypt as a step. So a turn
	// moves 128 KB.
	stepBytes = 1 << 10

	// fullTurn is what a turn that was used up counts towards the next look at
	// timers and the system, which comes after pollEvery.
	fullTurn = pollEvery / 4
)

// Step is [Running] for a call that may turn out not to have to wait: it takes a
// step of the turn, and if there is none left lets the others in. So the caller
// looks at what it waits for only after it. What has found out already that it
// must wait uses Running: between that and [Parking.Wait] nobody may run.
func Step(ctx context.Context) (*Parking, error) {
	p, err := Running(ctx)
	if err != nil {
		return nil, AtOnce(err)
	}
	if p.Spend(1, 0) {
		p.LetOthers()
	}
	return p, nil
}

// AtOnce returns err, for a call that fails before it knows which task calls. It
// takes a step of the task that runs here, if one does.
func AtOnce(err error) error {
	if l := Here(); l != nil && l.current != nil {
		l.current.at.Step()
	}
	return err
}

// Step takes a step of the turn, and lets the others in if there is none left.
func (p *Parking) Step() {
	if p.Spend(1, 0) {
		p.LetOthers()
	}
}

// Spend takes steps of the running task's turn, and what bytes that were moved
// are worth. It never suspends. If it reports that the turn is used up, the
// caller calls [Parking.LetOthers] as soon as it may, and at least before it
// does more of the kind.
func (p *Parking) Spend(steps, bytes int) (exhausted bool) {
	l := p.Loop()
	l.spent += steps + bytes/stepBytes
	if l.director != nil && l.director.stirs(l) {
		return true
	}
	return l.spent > TurnSteps
}

// Moved counts bytes that were moved, by a task or by anything else on the loop.
func (l *Loop) Moved(bytes int) { l.spent += bytes / stepBytes }

// CurrentParking returns that of the task that runs, which is the caller.
func (l *Loop) CurrentParking() *Parking { return l.current.at }

// LetOthers lets everybody who is ready run, and sees to it that timers and the
// system are looked at soon. Cancellation does not reach it.
func (p *Parking) LetOthers() {
	l := p.Loop()
	l.spent = 0
	l.sincePoll += fullTurn
	switch {
	case l.closing:
		_ = p.refuse() // and goes on, towards its end
		return
	case l.ending && CauseOf(p.block) != nil:
		p.warn()
	}
	l.ready.push(p.task)
	p.Suspend()
}
