package asyncio

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"

	"github.com/go-asyncio/asyncio/internal/coro"
)

// Run runs main as a task on an event loop of its own, and returns what main
// returns (asyncio.run).
//
// When main has returned, tasks that still run are cancelled and awaited, and
// their errors are reported to the exception handler. Cancelling ctx cancels
// main. So does the first Ctrl-C, with the cause [ErrInterrupted], so that main
// can clean up; a second one ends the program. When nothing can ever go on, Run
// returns a [*DeadlockError].
//
// The loop lives on the calling goroutine. Run returns an error if that is an
// event loop's already. If main calls runtime.Goexit (as t.FailNow does), so
// does Run.
func Run(ctx context.Context, main func(ctx context.Context) error, opts ...Option) error {
	l, err := newLoop(opts)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed { // main, or a callback, called runtime.Goexit
			l.stop()
		}
	}()
	err = l.runMain(ctx, main)
	closed = true
	return join(err, l.stop())
}

// join is errors.Join which leaves a lone error as it is.
func join(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return errors.Join(a, b)
}

// Run runs main on the loop, as the function [Run] does, and leaves the loop
// open: it may run again.
func (l *Loop) Run(ctx context.Context, main func(ctx context.Context) error) error {
	return l.runMain(ctx, main)
}

func (l *loop) stop() error {
	if l.running() != 0 {
		return nil
	}
	defer l.enter("Run")()
	return l.shut()
}

func (l *loop) runMain(ctx context.Context, main func(context.Context) error) error {
	if main == nil {
		panic("asyncio: Run: nil function")
	}
	if loopHere() != nil {
		return errors.New("asyncio: Run: called on a running event loop; await main there instead")
	}
	defer l.enter("Run")()
	defer l.enterContext(ctx)()
	defer l.startWatchdog()()
	t := Go(l.top, main, Name("main"))
	t.observed = true
	t.addCallback(l, func() {}) // a callback's turn is the hub's, which sees that main is done
	l.single = false
	if l.interrupt {
		defer l.onInterrupt(t)()
	}
	deadlock := l.runUntil(t.Done)
	l.cancelAll(context.Canceled)
	if d := l.runUntil(func() bool { return l.tasks == 0 }); deadlock == nil {
		deadlock = d
	}
	if t.err == ErrGoexit {
		runtime.Goexit()
	}
	if deadlock != nil && !errors.Is(t.err, deadlock) {
		return join(t.err, deadlock)
	}
	return t.err
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
		l.top = &l.root
	}
}

// cancelAll cancels every task.
func (l *loop) cancelAll(cause error) {
	l.root.cancelBelow(endedBy(cause))
	l.detached.cancelBelow(endedBy(cause))
}

// runUntil runs the loop until done. At a deadlock it cancels all tasks with
// the report, and at a second one gives up.
func (l *loop) runUntil(done func() bool) error {
	var deadlock error
	for !done() {
		if l.runOnce(true) {
			continue
		}
		if deadlock != nil {
			return deadlock
		}
		deadlock = l.report()
		l.cancelAll(deadlock)
	}
	return deadlock
}

// onInterrupt lets the first Ctrl-C cancel t. The second one finds the default
// behaviour back in place.
func (l *loop) onInterrupt(t *Task[None]) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	quit := make(chan struct{})
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			l.post(func() { t.scope.cancel(ErrInterrupted) })
		case <-quit:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
	}
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
