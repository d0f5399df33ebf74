package asyncio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// ErrLoopStopped is returned by Run when [Loop.Stop] has ended it before main
// had returned.
var ErrLoopStopped = errors.New("asyncio: the event loop was stopped before the main function had returned")

// Run runs main as a task on an event loop of its own, and returns what main
// returns (asyncio.run).
//
// When main has returned, tasks that still run are cancelled and awaited, and
// their errors are reported to the exception handler. Those that go on starting
// others then are reported and cut short. Cancelling ctx cancels main. So does
// the first Ctrl-C, with the cause [ErrInterrupted], so that main can clean up;
// a second one ends the program. When nothing can ever go on, Run returns a
// [*DeadlockError]. When the loop is stopped ([Loop.Stop]), main is one of the
// tasks that still run, and Run returns [ErrLoopStopped].
//
// The loop lives on the calling goroutine. Run returns an error if that is an
// event loop's already. If main calls runtime.Goexit (as t.FailNow does), so
// does Run.
func Run(ctx context.Context, main func(ctx context.Context) error, opts ...Option) error {
	l, err := newLoop(opts)
	if err != nil {
		return err
	}
	return l.runToEnd(ctx, main)
}

// runToEnd is Run on a loop that nobody else uses.
func (l *loop) runToEnd(ctx context.Context, main func(ctx context.Context) error) error {
	returned := false
	defer func() {
		if !returned { // main, or a callback, called runtime.Goexit
			l.end(false)
		}
	}()
	err := l.runMain(ctx, main, true)
	returned = true
	return join(err, l.end(err == ErrLoopStopped))
}

// join is errors.Join which leaves a lone error as it is.
func join(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return errors.Join(a, b)
}

// Run runs main on the loop, as the function [Run] does, and leaves the loop
// open: it may run again. What main leaves behind is cancelled and awaited, and
// so are the tasks that were there before.
//
// If the loop is stopped first ([Loop.Stop]), Run returns [ErrLoopStopped] and
// cancels nothing: main and all others stay as they are, and go on in the next
// run. main's error is reported then, if it fails, and cancelling ctx cancels it
// still.
func (l *Loop) Run(ctx context.Context, main func(ctx context.Context) error) error {
	return l.runMain(ctx, main, true)
}

// RunForever runs the loop until [Loop.Stop] is called, and returns nil then
// (asyncio's run_forever). When ctx ends, or at the first Ctrl-C, it returns the
// cause, and what was created under [Loop.Context] in this run is cancelled.
// However it ends, tasks stay as they are; another run lets them go on, and
// Close unwinds them.
//
// When nothing can ever go on, and nobody is left who could stop the loop,
// RunForever returns a [*DeadlockError].
func (l *Loop) RunForever(ctx context.Context) error { return l.runForever(ctx) }

// runForever does not hold the Loop: that would look as if somebody could stop it.
func (l *loop) runForever(ctx context.Context) error {
	if err := notNested("Loop.RunForever"); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer l.enter("Loop.RunForever")()
	defer l.enterContext(ctx)()
	defer l.startWatchdog()()
	top := l.top
	defer top.AfterFunc(l.halt)()
	if ctx.Done() != nil { // that it ends is what this run waits for
		l.outside++
		defer func() { l.outside-- }()
	}
	if l.interrupt {
		defer l.onInterrupt(top)()
	}
	if err := l.runUntil(func() bool { return l.stopping }); err != nil {
		return err
	}
	return top.Cause()
}

// Stop ends the Run, RunForever or RunOnce that is under way, when its current
// turn is over: what is ready now has had its turn then (asyncio's loop.stop).
// Everything else stays as it is: tasks are not cancelled, and what has come up
// meanwhile is seen to by the next run. If the loop does not run, the next run
// ends after its first turn, for which it does not wait.
//
// A Stop that finds main ended already changes nothing: what main has left
// behind is awaited all the same. Goroutines stop a loop by
// CallSoonThreadsafe(loop.Stop).
func (l *Loop) Stop() {
	l.check("Loop.Stop")
	l.halt()
}

func (l *loop) halt() { l.stopping, l.single = true, true }

// runMain runs main until it has returned or the loop is stopped. If it owns
// the tasks, it ends those that main leaves behind.
func (l *loop) runMain(ctx context.Context, main func(context.Context) error, owns bool) error {
	if main == nil {
		panic("asyncio: Run: nil function")
	}
	if err := notNested("Run"); err != nil {
		return err
	}
	defer l.enter("Run")()
	leave := l.enterContext(ctx)
	defer func() { leave() }()
	defer l.startWatchdog()()
	t := Go(l.top, main, Name("main"))
	t.observed = true
	t.addCallback(l, func() {}, 0) // a callback's turn is the hub's, which sees that main is done
	if l.interrupt {
		defer l.onInterrupt(&t.scope)()
	}
	deadlock := l.runUntil(func() bool { return t.Done() || l.stopping })
	if l.stopping && !t.Done() {
		t.observed = false
		t.addCallback(l, leave, 0) // ctx is main's as long as it runs
		leave = func() { l.top = &l.root }
		return ErrLoopStopped
	}
	if owns {
		if d := l.endTasks(); deadlock == nil {
			deadlock = d
		}
	}
	if t.err == ErrGoexit {
		runtime.Goexit()
	}
	if deadlock != nil && !errors.Is(t.err, deadlock) {
		return join(t.err, deadlock)
	}
	return t.err
}

// endTasks cancels what still runs and awaits it. What that has started
// meanwhile is cancelled in its turn, and so on. (asyncio cancels once, and drops
// what the cancelled tasks have started.)
func (l *loop) endTasks() (deadlock error) {
	for range maxRounds {
		if l.tasks == 0 {
			return deadlock
		}
		l.cancelAll(context.Canceled)
		last := l.nextID
		d := l.runUntil(func() bool { return !l.anyTask(last) })
		deadlock = cmp.Or(deadlock, d)
		if l.anyTask(last) { // it was given up
			return deadlock
		}
	}
	if l.tasks > 0 {
		l.exception(ExceptionInfo{
			Message: "tasks go on starting tasks although they are cancelled",
			Err:     fmt.Errorf("asyncio: cancelled %d times, and there are still %s", maxRounds, l.taskNames()),
		})
	}
	return deadlock
}

// maxRounds is how often tasks that are to end may have started others: enough
// for any honest clean-up, and an end for those who have none.
const maxRounds = 10

// anyTask reports whether a task that has not ended is as old as last, or older.
func (l *loop) anyTask(last uint32) bool {
	for t := range l.allTasks {
		if int32(t.id-last) <= 0 {
			return true
		}
	}
	return false
}

// taskNames names some of the tasks that have not ended.
func (l *loop) taskNames() string {
	const some = 10
	names := make([]string, 0, some)
	for t := range l.allTasks {
		if len(names) == some {
			return fmt.Sprintf("%d tasks, of which the first are %s", l.tasks, strings.Join(names, ", "))
		}
		names = append(names, t.Name())
	}
	return strings.Join(names, ", ")
}

// end closes the loop, and before that lets tasks that are left clean up, if so
// asked.
func (l *loop) end(gently bool) error {
	if l.running() != 0 {
		return nil
	}
	defer l.enter("Run")()
	var deadlock error
	if gently && l.tasks > 0 {
		defer l.startWatchdog()()
		deadlock = l.endTasks()
	}
	return join(deadlock, l.shut())
}

// enterContext opens the scope below ctx in which a run takes place; leave ends
// it. It is not a scope as from open: that ctx may be cancelled at any time is
// no reason to think that what waits will go on.
func (l *loop) enterContext(ctx context.Context) (leave func()) {
	s := &scope{loop: l}
	s.inherit(ctx)
	s.link(&l.root)
	l.top = s
	stop := func() bool { return true }
	if ctx.Err() != nil {
		s.end(endedBy(context.Cause(ctx)))
	} else if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() {
			l.post(func() { s.cancel(context.Cause(ctx)) })
		})
	}
	return func() {
		stop()
		s.leave()
		if l.top == s {
			l.top = &l.root
		}
	}
}

// cancelAll cancels every task.
func (l *loop) cancelAll(cause error) {
	l.root.cancelBelow(endedBy(cause))
	l.detached.cancelBelow(endedBy(cause))
}

// runUntil runs the loop for a turn or more, until done. At a deadlock it
// cancels all tasks with the report, and at a second one gives up.
func (l *loop) runUntil(done func() bool) error {
	var deadlock error
	for {
		l.single = l.stopping
		if !l.runOnce(true) {
			if deadlock != nil {
				return deadlock
			}
			deadlock = l.report()
			l.cancelAll(deadlock)
		}
		if done() {
			return deadlock
		}
		l.stopping = false // done does not ask for it
	}
}

// notNested returns an error if the caller is on a running loop.
func notNested(call string) error {
	if loopHere() != nil {
		return fmt.Errorf("asyncio: %s: called on a running event loop; await main there instead", call)
	}
	return nil
}

// loops are all that are open, to find out that a goroutine is one of them.
var loops struct {
	sync.Mutex
	open map[*loop]struct{}
}

func register(l *loop) {
	loops.Lock()
	defer loops.Unlock()
	if loops.open == nil {
		loops.open = map[*loop]struct{}{}
	}
	loops.open[l] = struct{}{}
}

func unregister(l *loop) {
	loops.Lock()
	defer loops.Unlock()
	delete(loops.open, l)
}

// loopHere returns the loop that runs on the caller's goroutine, or nil.
func loopHere() *loop {
	loops.Lock()
	defer loops.Unlock()
	g := coro.Getg()
	for l := range loops.open {
		if l.running() == g {
			return l
		}
	}
	return nil
}

func debugFromEnv() bool {
	v := os.Getenv("ASYNCIO_DEBUG")
	return v != "" && v != "0"
}

// ownFrame reports whether a function is this package's.
func ownFrame(function string) bool { return strings.HasPrefix(function, module+".") }
