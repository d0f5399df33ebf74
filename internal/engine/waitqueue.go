package engine

import (
	"context"
	"fmt"
	"math"
)

// A WaitQueue is a line of parked tasks, first in, first out. It is the base
// of every lock, queue and socket: a type that keeps its state in plain fields,
// lets tasks Wait and lets others Wake them. (trio calls it a parking lot.)
//
// All of it happens on one loop, so the state needs no locks. A task that was
// woken keeps what it was woken for: a cancellation that comes in the same turn
// is reported by its next wait. A task that was cancelled is out of line at
// once, so Wake never hands anything to a task that will not take it.
//
// The zero WaitQueue is empty and ready to use.
type WaitQueue struct {
	head, tail *spot
}

// A spot is a task's place in a line. A task that waits in one line has it in its
// Parking, and one that waits in several has as many in a Selection.
type spot struct {
	p     *Parking
	queue *WaitQueue // nil: it is in no line
	next  *spot
	prev  *spot
	wants int // how many of something it waits for; see FirstWants
}

// serve wakes the task with what its line has for it. It reports false if the task
// has got something else in that moment, and does not take it.
func (s *spot) serve(err error) bool {
	if s != &s.p.spot {
		return s.p.what.(*Selection).end(s, err)
	}
	s.p.resume(err)
	return true
}

// Wait parks the running task at the end of the line until Wake reaches it, and
// returns nil then. what says what it waits for. It allocates nothing.
//
// If ctx is done, or ends while the task is parked, Wait returns the cause of
// that, and the task is not in line any more. Under a done context the task
// yields once, so that a loop of failing waits cannot starve others.
func (q *WaitQueue) Wait(ctx context.Context, what Waitable) error {
	p, err := Running(ctx)
	if err != nil {
		return AtOnce(err)
	}
	return p.Wait(ctx, q, what)
}

// WaitIO is Wait for what happens outside the loop, like data on a socket: while
// a task is parked so there is no deadlock.
func (q *WaitQueue) WaitIO(ctx context.Context, what Waitable) error {
	p, err := Running(ctx)
	if err != nil {
		return AtOnce(err)
	}
	l := p.Loop()
	l.outside++
	err = p.Wait(ctx, q, what)
	l.outside--
	return err
}

// WaitN is Wait for a task that wants n of something; see FirstWants.
func (q *WaitQueue) WaitN(ctx context.Context, p *Parking, n int, what Waitable) error {
	p.spot.wants = n
	return p.Wait(ctx, q, what)
}

// Wake lets up to n tasks go on, in the order of their waiting, and returns how
// many it were. They run in the next turn. Who hands something out goes by that
// number and not by Empty: a task in line may have got something else in this
// moment, or its context may have ended, and the loop has not heard of it yet.
//
// It panics on a goroutine that is not the loop's, if a task waits.
func (q *WaitQueue) Wake(n int) int {
	if q.head != nil {
		q.head.p.Loop().Check("WaitQueue.Wake")
	}
	woken := 0
	for ; woken < n && q.WakeFirst() != nil; woken++ {
	}
	return woken
}

// WakeAll wakes all that wait now, and returns how many it were.
func (q *WaitQueue) WakeAll() int { return q.Wake(math.MaxInt) }

// WakeFirst wakes the task that has waited longest, and returns it; nil if none
// waits. The caller is on the loop.
func (q *WaitQueue) WakeFirst() *Task {
	for s := q.head; s != nil; s = q.head {
		p := s.p
		switch {
		case p.foreign != nil && p.foreign.ctx.Err() != nil:
			p.foreign.tell() // see pruneHead
		case s == &p.spot: // as serve says, and a call less
			p.resume(nil)
			return p.task
		case s.serve(nil):
			return p.task
		}
	}
	return nil
}

// WakeFirstFor is WakeFirst for a line in which each says what it waits for: it
// returns what the task that it woke has said, nil if none waits.
func (q *WaitQueue) WakeFirstFor() Waitable {
	for q.pruneHead(); q.head != nil; q.pruneHead() {
		s := q.head
		if what := s.what(); s.serve(nil) {
			return what
		}
	}
	return nil
}

// what returns what the task waits for in this line.
func (s *spot) what() Waitable {
	several, ok := s.p.what.(*Selection)
	if !ok {
		return s.p.what.(Waitable)
	}
	return several.at(s).what
}

// ServeFirst wakes the first in line, after FirstWants. It reports false if that
// has got something else in that moment.
func (q *WaitQueue) ServeFirst() bool { return q.head.serve(nil) }

// pruneHead sees to it that the first in line may have what is handed out: a
// task that waits under a context which is not ours, and done, may not. The word
// that it is done has only not come round yet.
func (q *WaitQueue) pruneHead() {
	for s := q.head; s != nil && s.p.foreign != nil && s.p.foreign.ctx.Err() != nil; s = q.head {
		s.p.foreign.tell()
	}
}

// Prune does for the whole line what the other methods do for its head.
func (q *WaitQueue) Prune() {
	for s := q.head; s != nil; {
		next := s.next
		if f := s.p.foreign; f != nil && f.ctx.Err() != nil {
			f.tell()
		}
		s = next
	}
}

// Fail lets the waits of all in line return err.
func (q *WaitQueue) Fail(err error) {
	for q.head != nil {
		q.head.serve(err)
	}
}

// MoveFirst takes the task that has waited longest over to the end of another
// line, where it waits for what and cancellation does not reach it. It reports
// whether there was one.
func (q *WaitQueue) MoveFirst(to *WaitQueue, what Waitable) bool {
	s := q.head
	if s == nil {
		return false
	}
	q.remove(s)
	to.push(s)
	s.p.scope, s.p.what, s.p.told = nil, what, 0
	return true
}

// First returns the task that is next in line, or nil.
func (q *WaitQueue) First() *Task {
	if q.head == nil {
		return nil
	}
	return q.head.p.task
}

// FirstWants returns how many the first in line wants (see WaitN), and false if
// none waits.
func (q *WaitQueue) FirstWants() (n int, ok bool) {
	if q.pruneHead(); q.head == nil {
		return 0, false
	}
	return q.head.wants, true
}

// Len returns how many tasks wait: O(n).
func (q *WaitQueue) Len() int {
	n := 0
	for range q.Tasks {
		n++
	}
	return n
}

// Empty reports whether no task waits.
func (q *WaitQueue) Empty() bool { return q.head == nil }

// Tasks iterates over those in line, in their order.
func (q *WaitQueue) Tasks(yield func(*Task) bool) {
	for s := q.head; s != nil && yield(s.p.task); s = s.next {
	}
}

// Waiting is the end of a primitive's description.
func (q *WaitQueue) Waiting() string {
	switch n := q.Len(); n {
	case 0:
		return ")"
	case 1:
		return ", 1 waits)"
	default:
		return fmt.Sprintf(", %d wait)", n)
	}
}

func (q *WaitQueue) push(s *spot) {
	s.queue, s.prev = q, q.tail
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
}

func (q *WaitQueue) remove(s *spot) {
	if s.prev == nil {
		q.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.queue, s.next, s.prev = nil, nil, nil
}
