package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

// Chaos is for tests: every call that may wait does yield, and those that are
// ready run in an order drawn from a seed. One thread does not prevent a race
// for a value that is shared across a wait; the order in which tasks become ready
// mostly hides it.
//
// What is promised stays true under it:
//   - callbacks, timers and sources keep their order among one another;
//   - who yields comes back after everybody who was ready then;
//   - an eager task takes its first step before anybody else runs;
//   - a turn that somebody counts (RunOnce) has those who were ready when it began;
//   - waiters are served in line, because that is no matter of who runs next.
//
// What varies is which task of those that are ready runs, and where a task lets
// others run.

// stirred says that there is, or was, a loop under chaos in this process.
var stirred atomic.Bool

// window is among how many of those that are ready one is drawn: a choice costs a
// look at each.
const window = 64

// draw returns which of the entries of the ready queue is to run next.
func (d *director) draw() int {
	l := d.loop
	n := l.ready.n
	if l.single {
		n = l.turn
	}
	var open [window]uint8
	d.ready = d.ready[:0]
	called := false
	for i := range min(n, window) {
		t, task := l.ready.at(i).(*Task)
		if task && (i == 0 || !d.notes[d.first+i].last) || !task && !called {
			open[len(d.ready)] = uint8(i)
			d.ready = append(d.ready, t)
		}
		called = called || !task
	}
	var chosen uint8
	if len(d.ready) > 1 {
		chosen = open[d.pick(d.ready)]
	}
	clear(d.ready) // whether a task was dropped is for the collector to find out
	return int(chosen)
}

// Stir begins a call that may wait, but need not, and that takes no step of the
// turn: under chaos it lets others run first. The call looks at its state only
// then. Elsewhere it costs nothing.
func Stir(ctx context.Context) {
	if stirred.Load() {
		if s := ScopeOf(ctx); s != nil && s.loop.On() {
			s.loop.Stir()
		}
	}
}

// Stir is the function Stir where the caller knows that it is on the loop.
func (l *Loop) Stir() {
	if l.director != nil && l.current != nil && l.current.at != nil && l.director.stirs(l) {
		l.current.at.LetOthers()
	}
}

// stirs reports whether a call that may wait lets the others in first: all do
// under chaos, but for a first step for which somebody waits.
func (d *director) stirs(l *Loop) bool {
	return d.pick != nil && d.decided == 0 && d.eager == 0 && !l.closing
}

// ChaosEnv is the environment variable that puts all loops under chaos: a seed, or
// "random".
const ChaosEnv = "ASYNCIO_CHAOS"

// chaosFromEnv returns the seed, 0 if there is none.
var chaosFromEnv = sync.OnceValue(func() uint64 {
	v := os.Getenv(ChaosEnv)
	if v == "" {
		return 0
	}
	if v == "random" {
		seed := rand.Uint64N(1<<32-1) + 1
		fmt.Fprintf(os.Stderr, "asyncio: %s=%d\n", ChaosEnv, seed)
		return seed
	}
	seed, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("asyncio: %s=%q: it must be a number, or random", ChaosEnv, v))
	}
	return seed
})
