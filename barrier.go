package asyncio

import (
	"context"
	"errors"
	"fmt"

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
type Barrier struct {
	home    engine.Home
	parties int
	state   barrierState
	queue   engine.WaitQueue // those who wait for their round to be complete
	arrived int              // how many they are, and the cancelled ones not yet told apart
	leaving int              // of the complete round, how many were woken and have not run
	index   int              // of the next one of them
}

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
	return &Barrier{parties: parties}
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
			return b.parties - 1, nil
		}
	}
	if err := p.Wait(ctx, &b.queue, (*waitBarrier)(b)); err != nil {
		return -1, err
	}
	return b.leave()
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
	if n == 0 {
		return
	}
	b.state, b.leaving, b.index = draining, n, 0
	b.queue.Wake(n)
}

// leave is for each of those that open has woken. The last one begins the next
// round, which may be complete.
func (b *Barrier) leave() (index int, err error) {
	index = b.index
	b.index++
	if b.state != draining {
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

// WaitName names the barrier in reports.
func (b *waitBarrier) WaitName() string { return fmt.Sprintf("a Barrier of %d", b.parties) }
