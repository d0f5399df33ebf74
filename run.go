package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Run runs main as a task on an event loop of its own, and returns what main
// returns (asyncio.run).
//
// When main has returned, tasks that still run are cancelled and awaited, and
// their errors are reported to the exception handler. Those that go on starting
// others then are reported and cut short. Cancelling ctx cancels main. So does
// the first Ctrl-C, with the cause [ErrInterrupted], so that main can clean up;
// a second one ends the program. (Where Ctrl-C is ignored when Run starts, as
// under nohup, it stays ignored.) When nothing can ever go on, Run returns a
// [*DeadlockError]. When the loop is stopped ([Loop.Stop]), main is one of the
// tasks that still run, and Run returns [ErrLoopStopped].
//
// The loop lives on the calling goroutine. Run returns an error if that is an
// event loop's already. If main calls runtime.Goexit (as t.FailNow does), so
// does Run.
func Run(ctx context.Context, main func(ctx context.Context) error, opts ...Option) error {
	start := mainTask(main)
	l, err := newLoop(opts)
	if err != nil {
		return err
	}
	return l.loop.RunToEnd(ctx, start)
}

// mainTask returns what starts main for the engine.
func mainTask(main func(ctx context.Context) error) engine.Main {
	if main == nil {
		panic("asyncio: Run: nil function")
	}
	return func(ctx context.Context) *engine.Task { return &Go(ctx, main, Name("main")).task }
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
	start := mainTask(main)
	if err := l.loop.CheckBubble(); err != nil {
		return err
	}
	return l.loop.RunMain(ctx, start, true)
}

// RunForever runs the loop until [Loop.Stop] is called, and returns nil then
// (asyncio's run_forever). When ctx ends, or at the first Ctrl-C, it returns the
// cause, and what was created under [Loop.Context] in this run is cancelled.
// However it ends, tasks stay as they are; another run lets them go on, and
// Close ends them.
func (l *Loop) RunForever(ctx context.Context) error { return l.loop.RunForever(ctx) }

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
	l.loop.Check("Loop.Stop")
	l.loop.Stop()
}
