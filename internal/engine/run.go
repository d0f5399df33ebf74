package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// A Main starts the main task of a run below ctx, whose name is for the caller to
// give.
type Main func(ctx context.Context) *Task

// RunToEnd runs main on a loop that nobody else uses, and ends the loop.
func (l *Loop) RunToEnd(ctx context.Context, main Main) error {
	returned := false
	defer func() {
		if !returned { // main, or a callback, called runtime.Goexit
			_ = l.Drop()
		}
	}()
	err := l.RunMain(ctx, main, true)
	returned = true
	if err != ErrLoopStopped && !l.Running() {
		return join(err, l.Drop())
	}
	return join(err, l.Close("Run"))
}

// join is errors.Join which leaves a lone error as it is.
func join(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return errors.Join(a, b)
}

// RunForever runs the loop until Stop is called.
func (l *Loop) RunForever(ctx context.Context) error {
	if err := NotNested("Loop.RunForever"); err != nil {
		return err
	}
	if err := l.CheckBubble(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer l.enter("Loop.RunForever")()
	defer l.enterContext(ctx)()
	defer l.startWatchdog()()
	top := l.top
	defer top.Ctx().AfterFunc(l.Stop)()
	if l.Interrupt {
		defer l.onInterrupt(top)()
	}
	defer l.onQuit()()
	if err := l.runUntil(func() bool { return l.stopping }); err != nil {
		return err
	}
	return top.Cause()
}

// Stop ends the run that is under way, when its current turn is over.
func (l *Loop) Stop() { l.stopping, l.single = true, true }

// RunMain runs main until it has returned or the loop is stopped. If it owns
// the tasks, it ends those that main leaves behind.
func (l *Loop) RunMain(ctx context.Context, main Main, owns bool) error {
	if err := NotNested("Run"); err != nil {
		return err
	}
	defer l.enter("Run")()
	leave := l.enterContext(ctx)
	defer func() { leave() }()
	defer l.startWatchdog()()
	t := main(l.top.Ctx())
	t.observed = true
	t.OnEnd(&Handle{}, func() {}, 0) // a callback's turn is the hub's, which sees that main is done
	if l.Interrupt {
		defer l.onInterrupt(&t.Scope)()
	}
	defer l.onQuit()()
	deadlock := l.runUntil(func() bool { return t.Done() || l.stopping })
	if l.stopping && !t.Done() {
		t.observed = false
		t.OnEnd(&Handle{}, leave, 0) // ctx is main's as long as it runs
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
func (l *Loop) endTasks() (deadlock error) {
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
		l.Report(ExceptionInfo{
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
func (l *Loop) anyTask(last uint32) bool {
	for t := range l.AllTasks {
		if int32(t.id-last) <= 0 {
			return true
		}
	}
	return false
}

// taskNames names some of the tasks that have not ended.
func (l *Loop) taskNames() string {
	const some = 10
	names := make([]string, 0, some)
	for t := range l.AllTasks {
		if len(names) == some {
			return fmt.Sprintf("%d tasks, of which the first are %s", l.tasks, strings.Join(names, ", "))
		}
		names = append(names, t.Name())
	}
	return strings.Join(names, ", ")
}

// Close ends the loop as Run ends: tasks that are left are cancelled and awaited,
// so that their clean-up can wait. A task that takes no hint, and goes on waiting
// time and again, is unwound.
func (l *Loop) Close(call string) error {
	if l.closed {
		return nil
	}
	defer l.enter(call)()
	var deadlock error
	if l.tasks > 0 {
		stop := l.startWatchdog()
		l.ending = true
		deadlock = l.endTasks()
		stop()
	}
	return join(deadlock, l.shut())
}

// Drop ends the loop at once, without waiting for any task's clean-up.
func (l *Loop) Drop() error {
	if l.closed || l.Running() {
		return nil
	}
	defer l.enter("Run")()
	return l.shut()
}

// enterContext opens the scope below ctx in which a run takes place; leave ends
// it. It is not a scope as from Open: that ctx may be cancelled at any time is
// no reason to think that what waits will go on. With a deadline it is.
func (l *Loop) enterContext(ctx context.Context) (leave func()) {
	s := &Scope{loop: l}
	s.inherit(ctx)
	s.link(&l.root)
	l.top = s
	stop := func() {}
	if ctx.Err() != nil {
		s.end(endedBy(context.Cause(ctx)))
	} else if ctx.Done() != nil {
		stop = l.follow(ctx, s.Cancel).unfollow
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
func (l *Loop) cancelAll(cause error) {
	l.root.cancelBelow(endedBy(cause))
	l.detached.cancelBelow(endedBy(cause))
}

// runUntil runs the loop for a turn or more, until done. At a deadlock it
// cancels all tasks with the report, and at a second one gives up.
func (l *Loop) runUntil(done func() bool) error {
	r := hubRun{loop: l, done: done}
	marks[l.mark](&r)
	return r.deadlock
}

// runTurns is runUntil below the loop's mark.
func (l *Loop) runTurns(done func() bool) error {
	var deadlock error
	for {
		l.single = l.stopping
		if !l.runOnce(true) {
			if deadlock != nil {
				return deadlock
			}
			deadlock = l.deadlock()
			l.cancelAll(deadlock)
		}
		if done() {
			return deadlock
		}
		l.stopping = false // done does not ask for it
	}
}
