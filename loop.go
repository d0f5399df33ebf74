package asyncio

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio/internal/coro"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// A Loop is an event loop: it lets the tasks that are ready take turns, and
// sleeps until a timer, the operating system or another goroutine makes one
// ready. One loop uses one core.
//
// Most programs never see it: [Run] makes one. Its methods belong to its own
// coroutines and callbacks, but for [Loop.CallSoonThreadsafe], and they panic
// with a message that says so when they are called elsewhere.
//
// A Loop that is held somewhere may get work from outside at any time; so while
// it is, the loop does not report a deadlock.
type Loop struct{ *loop }

// loop is the engine behind a Loop. Tasks refer to it, and not to the Loop, so
// that it can tell whether anybody outside still does.
type loop struct {
	ready     ring
	turn      int   // entries of the ready queue that belong to this turn
	single    bool  // turns do not run on into one another
	stopping  bool  // the run ends with this turn
	sincePoll int   // steps since the system was asked for events
	current   *task // the task that runs; nil in callbacks
	calling   bool  // a callback runs
	g         uintptr
	hub       uintptr // the goroutine that runs the loop
	steps     uint64
	nextID    uint32
	tasks     int  // not yet ended
	threads   int  // calls of ToThread that are under way and awaited
	handed    bool // goroutines were given something to do since the last sleep
	calls     threadCalls
	outside   int // waits for what happens outside the loop
	foreigns  []*foreign

	pool     *coro.Pool[parking]
	poller   poller.Poller
	timers   timerHeap
	start    time.Time
	virtual  bool
	vnow     time.Duration
	share    share
	idle     atomic.Bool // sleeping; for the watchdog
	root     scope       // above everything that a context of the loop ends
	detached scope       // above what only the end of the loop ends
	top      *scope      // that of Run's context while Run runs, or else root
	limiter  *ThreadLimiter
	inbox    inbox
	face     atomic.Pointer[faceRef]
	closers  list.List // of io.Closer
	signals  signals
	fds      map[uintptr]*fdWatch

	config
	failures list.List // of *failure
	closing  bool
	closed   bool

	collectAt    time.Time // see collect
	collectEvery time.Duration
}

const pollEvery = 64

// NewLoop returns a loop that does not run yet, for tests that step it with
// [Loop.RunOnce] and for programs that embed it. Close it when done.
func NewLoop(opts ...Option) (*Loop, error) {
	l, err := newLoop(opts)
	if err != nil {
		return nil, err
	}
	return l.handle(), nil
}

func newLoop(opts []Option) (*loop, error) {
	c := config{debug: debugFromEnv(), watchdog: 100 * time.Millisecond, interrupt: true, maxThreads: 64}
	for _, o := range opts {
		o(&c)
	}
	p, err := poller.New(c.pollerName)
	if err != nil {
		return nil, fmt.Errorf("asyncio: new loop: %w", err)
	}
	l := &loop{config: c, virtual: c.isVirtual, start: time.Now(), poller: p}
	l.inbox.wake = p.Wake
	l.pool = coro.NewPool(perform)
	l.root = scope{loop: l, given: &given{values: context.Background()}}
	l.detached = scope{loop: l, given: &given{values: context.Background()}}
	l.top = &l.root
	l.limiter = NewThreadLimiter(c.maxThreads)
	register(l)
	return l, nil
}

// RunningLoop returns the loop on which the caller runs (asyncio's
// get_running_loop). It panics on a goroutine that is not the loop's: take the
// Loop on the loop, and hand it to the goroutine that will call in.
func RunningLoop(ctx context.Context) *Loop {
	return loopOf("RunningLoop", ctx).handle()
}

// loopOf returns the loop of ctx if the caller runs on it, and panics if not.
func loopOf(call string, ctx context.Context) *loop {
	s, ok := ctx.(*scope)
	if !ok {
		if s, ok = ctx.Value(scopeKey{}).(*scope); !ok {
			panic(fmt.Sprintf("asyncio: %s: %v", call, ErrNotOnLoop))
		}
	}
	s.loop.check(call)
	return s.loop
}

// handle returns the Loop for l, the same as long as somebody holds it.
func (l *loop) handle() *Loop {
	ref := l.face.Load()
	if ref != nil {
		if h := ref.ptr.Value(); h != nil {
			return h
		}
	}
	return l.newHandle()
}

// on reports whether the caller runs on the loop: in a coroutine of it or in a
// callback. It costs 2 ns, and may be asked on any goroutine.
func (l *loop) on() bool { return l.running() == coro.Getg() }

// check panics if the caller is not on the loop. A loop that does not run yet
// takes calls from anywhere.
func (l *loop) check(call string) {
	if l == nil {
		panic("asyncio: " + call + ": the value was not made by its function, as by NewFuture")
	}
	if g := l.running(); g != coro.Getg() && (g != 0 || l.isClosed()) {
		l.misuse(call)
	}
}

func (l *loop) misuse(call string) {
	if l.isClosed() {
		panic(fmt.Sprintf("asyncio: %s: %v", call, ErrLoopClosed))
	}
	panic(fmt.Sprintf("asyncio: %s: %v", call, ErrWrongGoroutine))
}

// setRunning records which goroutine is the loop now. Other goroutines compare
// the word with themselves, and can never find themselves by accident: a plain
// store will do, which the race detector need not see.
//
//go:norace
func (l *loop) setRunning(g uintptr) { l.g = g }

func (l *loop) running() uintptr { return atomic.LoadUintptr(&l.g) }

// step counts what the loop runs, for the watchdog to see.
//
//go:norace
func (l *loop) step() { l.steps++ }

// OnLoop reports whether the caller runs on the loop: in one of its coroutines
// or callbacks. It may be asked on any goroutine.
func (l *Loop) OnLoop() bool { return l.on() }

// CurrentContext returns the context of the innermost block of the task that
// runs, if the caller is that task; on any other goroutine, nil. It is for
// interfaces that leave no room for a context, such as net.Conn.
func (l *Loop) CurrentContext() context.Context {
	if !l.on() || l.current == nil {
		return nil
	}
	return l.current.w.State.block
}

// Context returns the loop's own scope, the parent for tasks that are created
// from callbacks or before the loop runs.
func (l *Loop) Context() context.Context { return l.top }

// Time returns the time on the loop's clock, which starts at zero, never goes
// back, and is virtual if the loop was made so.
func (l *Loop) Time() time.Duration { return l.now() }

// Now returns the wall-clock time, as far as the loop's clock has come.
func (l *Loop) Now() time.Time { return l.wall(l.now()) }

// Poller returns the loop's connection to the operating system.
func (l *Loop) Poller() poller.Poller { return l.poller }

// Debug reports whether the loop is in debug mode.
func (l *Loop) Debug() bool { return l.debug }

// SetExceptionHandler replaces the exception handler; nil brings back the
// default, which logs.
func (l *Loop) SetExceptionHandler(h func(ExceptionInfo)) {
	l.check("Loop.SetExceptionHandler")
	l.handler = h
}

// CallException reports a failure through the exception handler.
func (l *Loop) CallException(info ExceptionInfo) {
	l.check("Loop.CallException")
	l.exception(info)
}

func (l *loop) now() time.Duration {
	if l.virtual {
		return l.vnow
	}
	return time.Since(l.start)
}

func (l *loop) wall(t time.Duration) time.Time { return l.start.Add(t) }

func (l *loop) log() *slog.Logger {
	if l.logger != nil {
		return l.logger
	}
	return slog.Default()
}

// RunOnce runs one turn: what was ready when it began, or if nothing was, what
// becomes ready after waiting for it. It reports whether anything ran; false
// means that nothing ever will. It is for tests.
func (l *Loop) RunOnce() bool {
	defer l.enter("Loop.RunOnce")()
	l.single = true
	return l.runOnce(false)
}

// enter makes the calling goroutine the loop's; leave undoes it.
func (l *loop) enter(call string) (leave func()) {
	if l.isClosed() {
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
func (l *loop) runOnce(patient bool) bool {
	if l.ready.n == 0 {
		if !l.sleep(patient) {
			return false
		}
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

// next takes the next entry of this turn out of the ready queue.
func (l *loop) next() runnable {
	l.turn--
	l.sincePoll++
	l.step()
	return l.ready.pop()
}

// poll takes in what came from the system, from other goroutines and from
// timers, waiting for it as long as timeout says.
func (l *loop) poll(timeout time.Duration) {
	l.sincePoll = 0
	l.pool.Prefetching = l.ready.n >= prefetchFrom
	l.share.now()
	if timeout != 0 || l.poller.Len() > 0 {
		if _, err := l.poller.Wait(timeout); err != nil {
			l.exception(ExceptionInfo{Message: "waiting for events failed", Err: err})
		}
	}
	l.inbox.drain()
	if len(l.timers.entries) > 0 {
		l.fireTimers()
	}
}

func (l *loop) fireTimers() {
	now := l.now()
	for {
		t := l.timers.popDue(now)
		if t == nil {
			return
		}
		t.due.fire(t)
	}
}

// sleep waits until something is ready. It returns false if nothing ever will be.
func (l *loop) sleep(patient bool) bool {
	l.trim()
	l.poll(0)
	for l.ready.n == 0 && !l.stopping {
		wait := time.Duration(-1)
		switch {
		case len(l.timers.entries) > 0:
			wait = l.untilTimer()
		case l.outside > 0 || len(l.foreigns) > 0 || l.threads > 0:
		case patient && l.held():
			wait = l.collect()
		default:
			return false
		}
		l.idle.Store(true)
		if l.handed {
			l.letRun()
			wait = 0
		}
		l.poll(wait)
		l.idle.Store(false)
	}
	return true
}

// letRun lets the goroutines run that were given something to do, before the
// loop sleeps: most are done at once, and then there is no need to. Asleep in a
// system call, the loop would have its processor with it until the runtime takes
// it away, which is 20 µs to 10 ms later.
func (l *loop) letRun() {
	l.handed = false
	runtime.Gosched()
	if !l.inbox.filled.Load() {
		runtime.Gosched() // every 61st time the runtime takes first who came last, which is us
	}
}

// untilTimer returns how long to wait for the first timer. The virtual clock
// jumps to it, unless a thread may have something to say before.
func (l *loop) untilTimer() time.Duration {
	when := l.timers.entries[0].when
	if !l.virtual {
		return max(0, when-l.now())
	}
	if l.threads > 0 {
		return -1
	}
	if l.lookAtForeigns(); l.ready.n > 0 {
		return 0
	}
	l.vnow = max(l.vnow, when)
	return 0
}

// trim gives back workers that a burst has left, a part each time.
func (l *loop) trim() {
	const spare = 64
	if surplus := l.pool.Idle() - spare - l.tasks; surplus > 0 {
		l.pool.Trim(spare+l.tasks, surplus/8+1)
	}
}
