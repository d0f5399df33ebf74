package engine

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio/internal/coro"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// A Loop is an event loop: it lets the tasks that are ready take turns, and
// sleeps until a timer, the operating system or another goroutine makes one
// ready.
type Loop struct {
	ready     ring
	turn      int   // entries of the ready queue that belong to this turn
	single    bool  // turns do not run on into one another
	stopping  bool  // the run ends with this turn
	sincePoll int   // steps since the system was asked for events
	spent     int   // of the turn's budget; see fair.go
	current   *Task // the task that runs; nil in callbacks
	calling   bool  // a callback runs
	g         uintptr
	hub       uintptr // the goroutine that runs the loop
	steps     uint64
	nextID    uint32
	tasks     int // not yet ended
	outsiders
	handed   bool // goroutines were given something to do since the last sleep
	foreigns foreigns
	cycles   cycles

	selections *Selection // for reuse

	pool     *coro.Pool[Parking]
	poller   poller.Poller
	alarms   alarmHeap
	start    time.Time
	clock    *env.Clock // nil: real time
	share    share
	idle     atomic.Bool // sleeping; for the watchdog
	root     Scope       // above everything that a context of the loop ends
	detached Scope       // above what only the end of the loop ends
	top      *Scope      // that of Run's context while Run runs, or else root
	inbox    inbox
	closers  list.List // of io.Closer
	leaks
	signals signals
	fds     map[uintptr]*fdWatch

	Config
	failures failures
	ending   bool // Close awaits the tasks that are left
	closing  bool // waits fail
	closed   bool
	bubble   bool // it was made in one of testing/synctest

	number uint64        // of all loops, in the order of their making
	mark   uint8         // by which a profile shows whose step it is
	dozing atomic.Bool   // the watchdog sleeps until the loop wakes it
	rouse  chan struct{} // wakes it
	slept  uint64        // how often the loop has slept; for the watchdog

	// Face is the root package's Loop, which has what the engine need not know.
	Face any

	locals map[any]any // see Local
	random [env.Purposes]env.Random

	director *director // nil: nobody watches. It is the last field: before others it costs 2 %
}

// Unwrap returns the engine of the root package's Loop. That package sets it, as
// its Loop must not show it to users.
var Unwrap func(face any) *Loop

// New returns a loop that does not run yet.
func New(c Config) (*Loop, error) {
	bubble := inBubble()
	if bubble {
		c.adapt()
	}
	l := &Loop{Config: c, bubble: bubble}
	err := l.setEnv()
	if err == nil {
		l.poller, err = l.Env.Poller(c.Poller)
	}
	if err != nil {
		return nil, fmt.Errorf("asyncio: new loop: %w", err)
	}
	l.direct()
	l.inbox.wake = l.poller.Wake
	l.rouse = make(chan struct{}, 1)
	l.pool = coro.NewPool(perform, l.successor)
	l.root = Scope{loop: l, given: &given{values: context.Background()}}
	l.detached = Scope{loop: l, given: &given{values: context.Background()}}
	l.top = &l.root
	l.failures.loop = l
	register(l)
	return l, nil
}

// virtualStart is when a virtual wall clock begins, so that a program has the same
// dates in each run. It is the date of testing/synctest, too.
var virtualStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// direct gives the loop a director if there is anything for one to do.
func (l *Loop) direct() {
	pick := l.Choose
	if pick == nil && l.Chaos != 0 {
		random := rand.New(rand.NewPCG(l.Chaos, 0))
		pick = func(ready []*Task) int { return random.IntN(len(ready)) }
	}
	if pick == nil && l.Trace == nil {
		return
	}
	l.director = &director{loop: l, trace: l.Trace, pick: pick}
	if pick != nil {
		stirred.Store(true)
	}
}

// LoopOf returns the loop of ctx if the caller runs on it, or an error.
func LoopOf(ctx context.Context) (*Loop, error) {
	s := ScopeOf(ctx)
	if s == nil {
		return nil, misused(ErrNotOnLoop)
	}
	if l := s.loop; !l.On() && (l.Running() || l.Closed()) {
		return nil, wrongGoroutine(s.loop)
	}
	return s.loop, nil
}

// MustLoopOf is LoopOf for calls that have no error to return: it panics.
func MustLoopOf(call string, ctx context.Context) *Loop {
	s := ScopeOf(ctx)
	if s == nil {
		panic(fmt.Sprintf("asyncio: %s: %v", call, misused(ErrNotOnLoop)))
	}
	s.loop.Check(call)
	return s.loop
}

// On reports whether the caller runs on the loop: in a coroutine of it or in a
// callback. It costs 2 ns, and may be asked on any goroutine.
func (l *Loop) On() bool { return l.running() == coro.Getg() }

// Check panics if the caller is not on the loop. A loop that does not run yet
// takes calls from anywhere.
func (l *Loop) Check(call string) {
	if l == nil {
		panic("asyncio: " + call + ": the value was not made by its function, as by NewFuture")
	}
	if g := l.running(); g != coro.Getg() && (g != 0 || l.Closed()) {
		l.misuse(call)
	}
}

func (l *Loop) misuse(call string) {
	if l.Closed() {
		panic(fmt.Sprintf("asyncio: %s: %v", call, ErrLoopClosed))
	}
	panic(fmt.Sprintf("asyncio: %s: %v", call, misused(ErrWrongGoroutine)))
}

// setRunning records which goroutine is the loop now. Other goroutines compare
// the word with themselves, and can never find themselves by accident: a plain
// store will do, which the race detector need not see.
//
//go:norace
func (l *Loop) setRunning(g uintptr) { l.g = g }

func (l *Loop) running() uintptr { return atomic.LoadUintptr(&l.g) }

// Running reports whether a goroutine runs the loop.
func (l *Loop) Running() bool { return l.running() != 0 }

// step counts what the loop runs, for the watchdog to see.
//
//go:norace
func (l *Loop) step() { l.steps++ }

// fallAsleep says that the loop sleeps, and awaken that it does not any more.
//
//go:norace
func (l *Loop) fallAsleep() {
	l.slept++
	l.idle.Store(true)
}

func (l *Loop) awaken() {
	l.idle.Store(false)
	if l.dozing.Load() {
		l.wakeWatchdog()
	}
}

// Current returns the task that runs, nil in callbacks.
func (l *Loop) Current() *Task { return l.current }

// CurrentContext returns the context of the innermost block of the task that
// runs, if the caller is that task; on any other goroutine, nil.
func (l *Loop) CurrentContext() context.Context {
	if !l.On() || l.current == nil {
		return nil
	}
	return l.current.at.block
}

// Top returns the scope for tasks that are created from callbacks or before the
// loop runs.
func (l *Loop) Top() *Scope { return l.top }

// Context returns it as a context.
func (l *Loop) Context() context.Context { return l.top.Ctx() }

// Time returns the time on the loop's clock, which starts at zero and never goes
// back. Any goroutine may ask.
func (l *Loop) Time() time.Duration {
	if l.clock != nil {
		return l.clock.Now()
	}
	return time.Since(l.start)
}

// Now returns the wall-clock time, as far as the loop's clock has come.
func (l *Loop) Now() time.Time { return l.Wall(l.Time()) }

// Wall returns the wall-clock time at a time of the loop's clock.
func (l *Loop) Wall(t time.Duration) time.Time { return l.start.Add(t) }

// Poller returns the loop's connection to the operating system.
func (l *Loop) Poller() poller.Poller { return l.poller }

// Closing reports whether the loop ends: waits fail then.
func (l *Loop) Closing() bool { return l.closing }

// Log returns where the loop logs.
func (l *Loop) Log() *slog.Logger {
	if l.Logger != nil {
		return l.Logger
	}
	return slog.Default()
}

// RunOnce runs one turn: what was ready when it began, or if nothing was, what
// becomes ready after waiting for it. It reports whether anything ran; false
// means that nothing ever will.
func (l *Loop) RunOnce() bool {
	defer l.enter("Loop.RunOnce")()
	l.single = true
	return l.runOnce(false)
}

// enter makes the calling goroutine the loop's; leave undoes it.
func (l *Loop) enter(call string) (leave func()) {
	if l.Closed() {
		panic(fmt.Sprintf("asyncio: %s: %v", call, ErrLoopClosed))
	}
	g := coro.Getg()
	if l.running() != 0 {
		panic(fmt.Sprintf("asyncio: %s: the event loop is running already", call))
	}
	l.hub = g
	l.setRunning(g)
	return func() {
		l.current, l.stopping = nil, false
		l.setRunning(0)
	}
}

// runOnce is the loop's iteration. It returns false when nothing will ever be
// ready; patient says to wait for calls from those who hold the Loop.
func (l *Loop) runOnce(patient bool) bool {
	if l.ready.n == 0 && !l.sleep(patient) {
		return false
	}
	l.turn = l.ready.n
	for l.turn > 0 {
		if l.sincePoll >= pollEvery {
			l.poll(0)
		}
		l.next().run(l)
	}
	return true
}

// pollEvery is after how many steps the system is asked for events, though
// others are ready.
const pollEvery = 64

// poll takes in what came from the system, from other goroutines and from
// timers, waiting for it as long as timeout says.
func (l *Loop) poll(timeout time.Duration) {
	l.sincePoll = 0
	l.pool.Prefetching = l.ready.n >= prefetchFrom
	l.share.now(l.VirtualClock)
	l.noted(byStep)
	if timeout != 0 || l.poller.Len() > 0 {
		if _, err := l.poller.Wait(timeout); err != nil {
			l.Report(ExceptionInfo{Message: "waiting for events failed", Err: err})
		}
	}
	l.noted(bySystem)
	if l.VirtualClock {
		l.lookAtForeigns()
		l.noted(byContext)
	}
	l.inbox.drain()
	l.noted(byOutside)
	if len(l.alarms.entries) > 0 {
		l.fireAlarms()
		l.noted(byAlarm)
	}
	if len(l.cycles.suspects) > 0 {
		l.lookAtSuspects()
	}
}
