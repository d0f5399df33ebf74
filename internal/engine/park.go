package engine

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// This file is the one way to wait. Everything that suspends a coroutine ends in
// Parking.Suspend, and everything that resumes one in Parking.resume. Nothing else
// looks at cancellation, or knows what a task waits for.

// A Waitable is something that tasks wait for. Its name is asked for only when
// somebody looks (a deadlock report, a live view), so it may be built then.
type Waitable interface{ WaitName() string }

// Named is a Waitable that is just a name.
type Named string

func (n Named) WaitName() string { return string(n) }

// A Parking is the part of a task that it needs only while it has a coroutine:
// each worker has one, for whichever task it runs. So a task that never
// suspends does without, and parking allocates nothing.
type Parking struct {
	task  *Task
	block context.Context // the innermost block that the task is in
	scope *Scope          // wakes the task when it is cancelled; nil: none does
	spot  spot            // in the line where it waits, if that is one
	what  any             // what it waits for, a Waitable (a Selection: in several lines); once woken, the error which that brings

	foreign *foreign  // the context, not ours, under which it waits
	alarm   alarmNode // for Sleep
	refused int16     // waits that were refused because the loop ends
	parked  bool

	// See cycle.go.
	held   bool  // others wait, or have waited, for what it holds
	told   uint8 // what was reported of its wait
	holds  int32 // of what others may wait for
	listed int32 // its number in a cycleGraph; negative: that in the list of suspects; 0: neither
}

type worker = coro.Worker[Parking]

func (p *Parking) worker() *worker { return coro.WorkerOf(p) }

// Task returns the task that runs.
func (p *Parking) Task() *Task { return p.task }

// Loop returns the task's loop.
func (p *Parking) Loop() *Loop { return p.task.Scope.loop }

// Running returns the Parking of the running task, if ctx is of that task, and
// otherwise says why the caller may not wait.
func Running(ctx context.Context) (*Parking, error) {
	c, ours := ctx.(*Ctx)
	s := (*Scope)(c)
	if !ours {
		if s = ScopeOf(ctx); s == nil {
			return nil, misused(ErrNotOnLoop)
		}
	}
	if !s.loop.On() {
		return nil, wrongGoroutine(s.loop)
	}
	t := s.loop.current
	if t == nil || t != s.task {
		return nil, wrongContext(t, s.task)
	}
	return t.at, nil
}

// Live returns the task that runs the caller, if ctx is a scope of that task
// which has not ended; else nil, and Step says why. It is the short way for
// what need not wait, and takes a step of the turn: nil also means that there is
// none left. Under chaos nobody goes it.
func Live(ctx context.Context) *Task {
	if c, ok := ctx.(*Ctx); ok && c.loop.On() && c.task == c.loop.current && c.ext.Load() == nil {
		if l := c.loop; l.spent < TurnSteps && l.director == nil {
			l.spent++
			return c.task
		}
	}
	return nil
}

// Wait parks the task under ctx, in the line q if there is one, until it is
// woken, and returns what that brings. If ctx is done, or ends first, that is
// its cause; a done context makes the task yield once.
func (p *Parking) Wait(ctx context.Context, q *WaitQueue, what Waitable) error {
	s, err := p.enter(ctx, q)
	if err != nil {
		return err
	}
	p.scope, p.what, p.parked = s, what, true
	p.Suspend() // not in a function of its own: see coro.Worker.Switch on what a frame costs
	if p.foreign != nil {
		p.unfollow()
	}
	err, _ = p.what.(error)
	return err
}

// enter puts the task in line, unless the wait fails at once, and returns the
// scope whose end ends it.
func (p *Parking) enter(ctx context.Context, q *WaitQueue) (*Scope, error) {
	l := p.Loop()
	if q != nil && q.head != nil && q.head.p.Loop() != l {
		p.Step()
		return nil, misused(ErrOtherLoop)
	}
	c, ours := ctx.(*Ctx)
	if !ours || c.ext.Load() != nil || l.closing {
		s, err := p.look(ctx)
		if err != nil {
			return nil, err
		}
		c = (*Ctx)(s)
	}
	if q != nil {
		q.push(&p.spot)
	}
	return (*Scope)(c), nil
}

// look is for a context that is done, or not ours, or whose loop is closing. It
// returns the scope whose end ends the wait, if one does.
func (p *Parking) look(ctx context.Context) (*Scope, error) {
	l := p.Loop()
	if cause := CauseOf(ctx); cause != nil {
		if l.ending {
			p.warn()
		}
		p.Yield()
		return nil, cause
	}
	if l.closing {
		return nil, p.refuse()
	}
	switch s, kind := relate(ctx); kind {
	case ctxScope:
		return s, nil
	case ctxForeign:
		p.foreign = l.follow(ctx, p.interrupt)
	}
	return nil, nil
}

// unfollow is for a task that has waited under a context which is not ours.
func (p *Parking) unfollow() {
	p.foreign.unfollow()
	p.foreign = nil
}

// interrupt ends a wait under a context that is not ours.
func (p *Parking) interrupt(cause error) {
	if p.parked {
		p.wake(cause)
	}
}

// Yield lets everybody who is ready run once. Cancellation does not reach it.
func (p *Parking) Yield() {
	if p.Requeue() {
		p.Suspend()
	}
}

// Requeue puts the running task at the end of the ready queue, to be followed by
// Suspend. It reports false if the loop is closing, and the task has to go on.
func (p *Parking) Requeue() bool {
	l := p.Loop()
	if l.closing {
		_ = p.refuse()
		return false
	}
	if l.ending {
		p.warn()
	}
	l.ready.push(p.task)
	if l.director != nil {
		l.director.yielded()
	}
	return true
}

// Suspend is the one place in which a task stops running.
func (p *Parking) Suspend() { p.worker().Suspend() }

// Join suspends the task until what it owns has ended. Nothing cancels that but
// the end of what is owned, which is cancelled itself.
func (p *Parking) Join(q *WaitQueue, what Waitable) {
	q.push(&p.spot)
	p.scope, p.what, p.parked = nil, what, true
	p.Suspend()
}

// Arm sets the task's own alarm, which ends its next wait; Disarm takes that
// back.
func (p *Parking) Arm(when time.Duration) { p.Loop().alarms.arm(&p.alarm, when) }
func (p *Parking) Disarm()                { p.Loop().alarms.disarm(&p.alarm) }

// TheAlarm is what a task waits for that sleeps.
var TheAlarm Waitable = Named("a timer")

// fire wakes a task that sleeps.
func (p *Parking) fire() {
	if p.parked {
		p.wake(nil)
	}
}

// waitName names what a parked task waits for.
func (p *Parking) waitName() string { return p.what.(Waitable).WaitName() }

// Block returns the context of the innermost block that the task is in.
func (p *Parking) Block() context.Context { return p.block }

// Within runs fn as a block under ctx.
func (p *Parking) Within(ctx context.Context, fn func(context.Context) error) error {
	outer := p.block
	p.block = ctx
	defer func() { p.block = outer }()
	return fn(ctx)
}

// Refuse answers a wait on a loop that is closing, and says whether it is.
func (p *Parking) Refuse() error {
	if p.Loop().closing {
		return p.refuse()
	}
	return nil
}

// refuse answers a wait on a loop that is closing. A task that does not take
// the hint is unwound.
func (p *Parking) refuse() error {
	p.warn()
	return ErrLoopClosed
}

// warn counts what a task still does that is to end with its loop, and ends a
// task that cannot stop.
func (p *Parking) warn() {
	if p.refused++; p.refused > maxRefused {
		runtime.Goexit()
	}
}

const maxRefused = 1000

// wake makes a parked task ready; err is what its wait returns.
func (p *Parking) wake(err error) {
	if s, ok := p.what.(*Selection); ok {
		s.end(nil, err)
		return
	}
	p.resume(err)
}

// resume is wake for a task that is in one line, or in none any more.
func (p *Parking) resume(err error) {
	p.parked, p.scope, p.what = false, nil, err
	if p.spot.queue != nil {
		p.spot.queue.remove(&p.spot)
	}
	p.Loop().ready.push(p.task)
}

func wrongGoroutine(l *Loop) error {
	if l.Closed() {
		return ErrLoopClosed
	}
	return misused(ErrWrongGoroutine)
}

func wrongContext(runs, owner *Task) error {
	switch {
	case runs == nil:
		return misused(fmt.Errorf("%w: a callback must not wait", ErrWrongContext))
	case owner == nil:
		return misused(fmt.Errorf("%w: %s waits with the loop's own context", ErrWrongContext, runs.Name()))
	default:
		return misused(fmt.Errorf("%w: %s waits with the context of %s", ErrWrongContext, runs.Name(), owner.Name()))
	}
}
