package asyncio

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// This file is the one way to wait. Everything that suspends a coroutine, in
// this package and in those built on it, ends in parking.park, and everything
// that resumes one in loop.wake. Nothing else switches, looks at cancellation,
// or knows what a task waits for.

// A Waitable is something that tasks wait for. Its name is asked for only when
// somebody looks (the deadlock report, a live view), so it may be built then.
type Waitable interface{ WaitName() string }

// waitFor is a Waitable that is just a name.
type waitFor string

func (w waitFor) WaitName() string { return string(w) }

type worker = coro.Worker[parking]

// parking is the part of a task that it needs only while it has a coroutine:
// each worker has one, for whichever task it runs. So a task that never
// suspends does without, and parking allocates nothing.
type parking struct {
	worker *worker
	task   *task
	block  context.Context // the innermost block that the task is in

	parked  bool
	refused int32      // waits that were refused because the loop is closing
	wants   int        // how many it waits for, in line at a Limiter
	scope   *scope     // wakes the task when it is cancelled; nil: none does
	queue   *WaitQueue // where it is in line; nil: nowhere
	next    *worker    // in queue
	prev    *worker
	what    Waitable
	err     error // what the wake-up brings
	timer   Timer // for Sleep
}

// A WaitQueue is a line of parked tasks, first in, first out. It is the base
// of every lock, queue and socket of this library and of what you build
// yourself: a type that keeps its state in plain fields, lets tasks Wait and
// lets others Wake them. (trio calls it a parking lot.)
//
// All of it happens on one loop, so the state needs no locks. Who was woken
// keeps what it was woken for: a cancellation that comes in the same turn is
// reported by its next wait. Who was cancelled is out of line at once, so Wake
// never hands anything to a task that will not take it.
//
// The zero WaitQueue is empty and ready to use.
type WaitQueue struct {
	head, tail *worker
}

// Wait parks the running task at the end of the line until [WaitQueue.Wake]
// reaches it, and returns nil then. what says what it waits for. It allocates
// nothing.
//
// If ctx is done, or ends while the task is parked, Wait returns the cause of
// that, and the task is not in line any more. Under a done context the task
// yields once, so that a loop of failing waits cannot starve others.
func (q *WaitQueue) Wait(ctx context.Context, what Waitable) error {
	w, err := running(ctx)
	if err != nil {
		return err
	}
	return w.State.wait(ctx, q, what)
}

// WaitIO is [WaitQueue.Wait] for what happens outside the loop, like data on a
// socket: with tasks parked so there is no deadlock.
func (q *WaitQueue) WaitIO(ctx context.Context, what Waitable) error {
	w, err := running(ctx)
	if err != nil {
		return err
	}
	l := w.State.task.scope.loop
	l.outside++
	err = w.State.wait(ctx, q, what)
	l.outside--
	return err
}

// Wake lets up to n tasks go on, in the order of their waiting, and returns how
// many it were. They run in the next turn.
//
// It panics on a goroutine that is not the loop's, if a task waits.
func (q *WaitQueue) Wake(n int) int {
	woken := 0
	if q.head != nil {
		q.head.State.task.scope.loop.check("WaitQueue.Wake")
	}
	for ; woken < n && q.head != nil; woken++ {
		w := q.head
		w.State.task.scope.loop.wake(w, nil)
	}
	return woken
}

// WakeAll wakes all that wait now, and returns how many it were.
func (q *WaitQueue) WakeAll() int { return q.Wake(math.MaxInt) }

// fail lets the waits of all in line return err.
func (q *WaitQueue) fail(err error) {
	for q.head != nil {
		q.first().scope.loop.wake(q.head, err)
	}
}

// Len returns how many tasks wait. It takes time in proportion.
func (q *WaitQueue) Len() int {
	n := 0
	for w := q.head; w != nil; w = w.State.next {
		n++
	}
	return n
}

// waiting is the end of a primitive's description.
func (q *WaitQueue) waiting() string {
	switch n := q.Len(); n {
	case 0:
		return ")"
	case 1:
		return ", 1 waits)"
	default:
		return fmt.Sprintf(", %d wait)", n)
	}
}

// Empty reports whether no task waits.
func (q *WaitQueue) Empty() bool { return q.head == nil }

// first returns the task that is next in line, or nil.
func (q *WaitQueue) first() *task {
	if q.head == nil {
		return nil
	}
	return q.head.State.task
}

func (q *WaitQueue) push(w *worker) {
	p := &w.State
	p.queue, p.prev = q, q.tail
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.State.next = w
	}
	q.tail = w
}

func (q *WaitQueue) remove(w *worker) {
	p := &w.State
	if p.prev == nil {
		q.head = p.next
	} else {
		p.prev.State.next = p.next
	}
	if p.next == nil {
		q.tail = p.prev
	} else {
		p.next.State.prev = p.prev
	}
	p.queue, p.next, p.prev = nil, nil, nil
}

// running returns the worker on which the caller runs, if ctx is that of the
// task that runs there.
func running(ctx context.Context) (*worker, error) {
	s, ok := ctx.(*scope)
	if !ok {
		if s, ok = ctx.Value(scopeKey{}).(*scope); !ok {
			return nil, ErrNotOnLoop
		}
	}
	if !s.loop.on() {
		return nil, wrongGoroutine(s.loop)
	}
	t := s.loop.current
	if t == nil || t != s.task {
		return nil, wrongContext(t, s.task)
	}
	return t.w, nil
}

// liveTask returns the task that runs the caller, if ctx is a scope of that task
// which has not ended; else nil, and running says why. It is the short way for
// what need not wait.
func liveTask(ctx context.Context) *task {
	if s, ok := ctx.(*scope); ok && s.loop.on() && s.task == s.loop.current && s.ext.Load() == nil {
		return s.task
	}
	return nil
}

// wait parks the task under ctx, in the line q if there is one.
func (p *parking) wait(ctx context.Context, q *WaitQueue, what Waitable) error {
	if q != nil && q.head != nil && q.head.State.task.scope.loop != p.task.scope.loop {
		return errOtherLoop
	}
	s, ok := ctx.(*scope)
	if !ok {
		var kind ctxKind
		if s, kind = relate(ctx); kind == ctxForeign {
			return p.waitForeign(ctx, q, what)
		} else if kind == ctxUncancellable {
			s = nil
		}
	}
	if s != nil && s.ext.Load() != nil {
		if cause := s.Cause(); cause != nil {
			p.yield()
			return cause
		}
	}
	if q != nil {
		q.push(p.worker)
	}
	// As in park; see coro.Worker.Switch on what a frame costs.
	l := p.task.scope.loop
	if l.closing {
		return p.refuse()
	}
	p.scope, p.what, p.parked = s, what, true
	if to := l.successor(); to != p.worker {
		p.worker.Switch(to)
	}
	err := p.err
	p.what, p.err = nil, nil
	return err
}

// waitForeign waits under a context that something else than the loop may
// cancel, from any goroutine.
func (p *parking) waitForeign(ctx context.Context, q *WaitQueue, what Waitable) error {
	if ctx.Err() != nil {
		p.yield()
		return context.Cause(ctx)
	}
	f := p.task.scope.loop.watchForeign(ctx, func(cause error) {
		if p.parked {
			p.task.scope.loop.wake(p.worker, cause)
		}
	})
	defer f.unwatch()
	if q != nil {
		q.push(p.worker)
	}
	return p.park(nil, what)
}

// park suspends the task until loop.wake, and returns what that brought.
func (p *parking) park(s *scope, what Waitable) error {
	l := p.task.scope.loop
	if l.closing {
		return p.refuse()
	}
	p.scope, p.what, p.parked = s, what, true
	if to := l.successor(); to != p.worker {
		p.worker.Switch(to)
	}
	p.what = nil
	err := p.err
	p.err = nil
	return err
}

// yield lets everybody who is ready run once. Cancellation does not reach it.
func (p *parking) yield() {
	l := p.task.scope.loop
	if l.closing {
		p.refuse()
		return
	}
	l.ready.push(p.task)
	if to := l.successor(); to != p.worker {
		p.worker.Switch(to)
	}
}

// join suspends the task until what it owns has ended. Nothing cancels that but
// the end of what is owned, which is cancelled itself.
func (p *parking) join(q *WaitQueue, what Waitable) {
	l := p.task.scope.loop
	q.push(p.worker)
	p.scope, p.what, p.parked = nil, what, true
	if to := l.successor(); to != p.worker {
		p.worker.Switch(to)
	}
	p.what, p.err = nil, nil
}

// within runs fn as a block under ctx.
func (p *parking) within(ctx context.Context, fn func(context.Context) error) error {
	outer := p.block
	p.block = ctx
	defer func() { p.block = outer }()
	return fn(ctx)
}

// refuse answers a wait on a loop that is closing. A task that does not take
// the hint is unwound.
func (p *parking) refuse() error {
	if p.queue != nil {
		p.queue.remove(p.worker)
	}
	if p.refused++; p.refused > maxRefused {
		runtime.Goexit()
	}
	return ErrLoopClosed
}

const maxRefused = 1000

// wake makes a parked task ready; err is what its wait returns.
func (l *loop) wake(w *worker, err error) {
	p := &w.State
	p.parked, p.scope, p.err = false, nil, err
	if p.queue != nil {
		p.queue.remove(w)
	}
	l.ready.push(p.task)
}

// fire wakes a task that sleeps.
func (p *parking) fire(*Timer) {
	if p.parked {
		p.task.scope.loop.wake(p.worker, nil)
	}
}

func wrongGoroutine(l *loop) error {
	if l.isClosed() {
		return ErrLoopClosed
	}
	return ErrWrongGoroutine
}

func wrongContext(runs, owner *task) error {
	switch {
	case runs == nil:
		return fmt.Errorf("%w: a callback must not wait", ErrWrongContext)
	case owner == nil:
		return fmt.Errorf("%w: %s waits with the loop's own context", ErrWrongContext, runs.Name())
	default:
		return fmt.Errorf("%w: %s waits with the context of %s", ErrWrongContext, runs.Name(), owner.Name())
	}
}
