package asyncio

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrBrokenBarrier is returned by [Barrier.Wait] if the barrier was aborted, or
// was reset while the task waited.
var ErrBrokenBarrier = errors.New("asyncio: the barrier is broken")

// A Barrier lets tasks wait for one another: they go on when as many as it has
// parties have come. That is a round; then the next one begins, with those who
// come next, whoever they are (asyncio.Barrier). It allocates nothing, and
// belongs to one loop.
//
// It is filling until all of a round have come, and draining until all of them
// have left. Who comes meanwhile waits for the next round, which can be complete
// only then: so no two rounds mix. It is resetting if it was reset while it was
// draining, and broken after [Barrier.Abort].
//
// After a round the same tasks are expected again, until another one comes, one of
// them ends, or the barrier is reset. Before that, the tasks of a group are expected
// if they are as many as the barrier has parties and the group's function has
// returned. If a task that is expected waits for one that has come, a likely
// deadlock is reported; see [DeadlockError]. With more than 64 parties none is.
type Barrier struct {
	home    engine.Home
	parties int
	state   barrierState
	queue   engine.WaitQueue // those who wait for their round to be complete
	arrived int              // how many they are, and the cancelled ones not yet told apart
	leaving int              // of the complete round, how many were woken and have not run
	index   int              // of the next one of them
	team    []engine.TaskRef // those who were let through in the last round, each when it left
}

// teamMost is for how many parties at most the barrier finds out which tasks they are.
const teamMost = 64

type barrierState uint8

const (
	filling barrierState = iota
	draining
	resetting
	broken
)

func (s barrierState) String() string {
	return [...]string{"filling", "draining", "resetting", "broken"}[s]
}

// NewBarrier returns a barrier for that many parties. It panics if they are
// fewer than 1.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		panic(fmt.Sprintf("asyncio: NewBarrier: %d parties; there must be at least 1", parties))
	}
	b := &Barrier{parties: parties}
	if parties <= teamMost {
		b.team = make([]engine.TaskRef, 0, parties)
	}
	return b
}

// Wait waits until the round is complete. Each of its parties is given another
// index, from 0 to one less than there are parties, so that one of them can be
// chosen for what only one should do. The last to come does not wait.
//
// If the barrier is broken, or is reset or aborted before the task has left,
// Wait returns [ErrBrokenBarrier]. If ctx is done or ends first, it returns the
// cause; the task does not count any more, and another one may take its place.
// On an error the index is -1.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	p, err := b.home.Step(ctx)
	if err != nil {
		return -1, err
	}
	if b.state == broken {
		return -1, ErrBrokenBarrier
	}
	if engine.CauseOf(ctx) == nil && !p.Loop().Closing() {
		if b.arrived++; b.complete(b.parties - 1) {
			b.open(b.parties - 1)
			b.expect(p)
			return b.parties - 1, nil
		}
		if b.parties <= teamMost {
			p.Task().Wanted() // by the other parties
			p.BehindAll()
		}
	}
	if err := p.Wait(ctx, &b.queue, (*waitBarrier)(b)); err != nil {
		return -1, err
	}
	return b.leave(p)
}

// complete reports whether the round can end if at least that many wait. It
// counts them only when it may be so, as that takes time in proportion.
func (b *Barrier) complete(waiting int) bool {
	if b.arrived < b.parties || b.leaving > 0 {
		return false
	}
	b.queue.Prune()
	n := b.queue.Len()
	b.arrived = n + b.parties - waiting
	return n >= waiting
}

// open ends the round: the first n in line go on.
func (b *Barrier) open(n int) {
	b.arrived -= b.parties
	b.team = b.team[:0]
	if n == 0 {
		return
	}
	b.state, b.leaving, b.index = draining, n, 0
	b.queue.Wake(n)
}

// leave is for each of those that open has woken. The last one begins the next
// round, which may be complete.
func (b *Barrier) leave(p *engine.Parking) (index int, err error) {
	index = b.index
	b.index++
	if b.state == draining {
		b.expect(p)
	} else {
		index, err = -1, ErrBrokenBarrier
	}
	if b.leaving--; b.leaving == 0 && b.state != broken {
		b.state = filling
		if b.complete(b.parties) {
			b.open(b.parties)
		}
	}
	return index, err
}

// expect notes that the running task is one of the round, and so is expected in the
// next one.
func (b *Barrier) expect(p *engine.Parking) {
	if b.parties <= teamMost {
		b.team = append(b.team, p.Ref())
		p.Task().Wanted()
	}
}

// expected yields the tasks that are expected to make the round: those that made the
// last one, with nil for each that has ended, or else the group of one that waits.
func (b *Barrier) expected(yield func(*engine.Task) bool) {
	if len(b.team) < b.parties {
		if t := b.queue.First(); t != nil && b.parties <= teamMost {
			t.Siblings(yield)
		}
		return
	}
	for _, r := range b.team {
		if !yield(r.Task()) {
			return
		}
	}
}

// missing yields the tasks that have still to come, if they are known.
func (b *Barrier) missing(yield func(*engine.Task) bool) {
	if !b.known() {
		return
	}
	for t := range b.expected {
		if !t.WaitsFor((*waitBarrier)(b)) && !yield(t) {
			return
		}
	}
}

// known reports whether the tasks that are expected are just as many as it takes, none
// has ended, and no other task waits.
func (b *Barrier) known() bool {
	n, come := 0, 0
	for t := range b.expected {
		if n++; t == nil || n > b.parties {
			return false
		}
		if t.WaitsFor((*waitBarrier)(b)) {
			come++
		}
	}
	return n == b.parties && come == b.queue.Len()
}

// Reset gives [ErrBrokenBarrier] to those who wait for the round to be complete,
// or if it is draining to those who have yet to leave; then who waits for the
// next round goes on waiting. A broken barrier can be used again.
func (b *Barrier) Reset() {
	b.home.Check("Barrier.Reset")
	if b.leaving > 0 {
		b.state = resetting
		return
	}
	b.state = filling
	b.fail()
}

// Abort breaks the barrier: all who wait and all who will, for this round or
// another, get [ErrBrokenBarrier], until [Barrier.Reset]. It is for a party that
// has failed, so that the others do not wait for it.
func (b *Barrier) Abort() {
	b.home.Check("Barrier.Abort")
	b.state = broken
	b.fail()
}

// fail gives the error to everybody in line.
func (b *Barrier) fail() {
	b.arrived = 0
	b.team = b.team[:0]
	b.queue.Fail(ErrBrokenBarrier)
}

// Parties returns how many make a round.
func (b *Barrier) Parties() int { return b.parties }

// Waiting returns how many wait for their round to be complete. O(n).
func (b *Barrier) Waiting() int { return b.queue.Len() }

// Broken reports whether the barrier was aborted, and not reset since.
func (b *Barrier) Broken() bool { return b.state == broken }

// String shows the state, and how many of the parties wait.
func (b *Barrier) String() string {
	return fmt.Sprintf("a Barrier (%v, %d of %d wait)", b.state, b.Waiting(), b.parties)
}

// waitBarrier is a Barrier as what a task waits for.
type waitBarrier Barrier

// WaitName names the barrier in reports, and those who have still to come as far as
// they are known.
func (b *waitBarrier) WaitName() string {
	name := fmt.Sprintf("a Barrier of %d", b.parties)
	var missing []string
	for t := range (*Barrier)(b).missing {
		missing = append(missing, t.Name())
	}
	if len(missing) == 0 {
		return name
	}
	return name + ", still without " + strings.Join(missing, ", ")
}

// WokenBy yields those who have still to come, all of whom it takes, if they are
// known.
func (b *waitBarrier) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	(*Barrier)(b).missing(yield)
	return engine.Wakers{Unless: "another task comes to the Barrier"}
}
