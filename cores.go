package asyncio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// loopGroup is what the loops of one RunLoops have in common.
type loopGroup struct {
	loops []*loop

	cancel context.CancelCauseFunc

	mu    sync.Mutex
	faces []*Loop // without that of the last one that runs, which nobody else can call
	ended []bool
	live  int
	errs  []error
}

type loopGroupKey struct{}

// otherLoopError is why a loop is cancelled when another one of its group has
// failed.
type otherLoopError struct {
	i   int
	err error
}

func (e *otherLoopError) Error() string {
	return fmt.Sprintf("asyncio: cancelled, because loop %d of the group failed: %v", e.i, e.err)
}
func (e *otherLoopError) Is(target error) bool { return target == context.Canceled }

// RunLoops runs main on n event loops at once, each on a goroutine of its own,
// to use n cores; n = 0 is GOMAXPROCS. i is the number of the loop, from 0 on.
// It returns when all have ended.
//
// Loops share nothing: what belongs to one of them (tasks, locks, queues,
// connections) is used there only. [Loops] gives the others, and [CallOn] runs
// a function there. Listeners that share a port let the system spread the
// connections; see package aionet.
//
// The first main that fails cancels the others, and RunLoops returns its error,
// or several joined, without those that only say that a loop was cancelled.
// Cancelling ctx cancels all, and so does Ctrl-C; a main that returns nil
// leaves the others running. Otherwise each loop is as [Run] has it. But a loop
// that waits for nothing in particular is reported as a deadlock only when it
// is the last one: before that, another may call in.
func RunLoops(ctx context.Context, n int, main func(ctx context.Context, i int) error, opts ...Option) error {
	if main == nil {
		panic("asyncio: RunLoops: nil function")
	}
	if n < 0 {
		panic("asyncio: RunLoops: the number of loops is negative")
	}
	if err := notNested("RunLoops"); err != nil {
		return err
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	g := &loopGroup{live: n, ended: make([]bool, n)}
	if err := g.open(opts); err != nil {
		return err
	}
	ctx, g.cancel = context.WithCancelCause(context.WithValue(ctx, loopGroupKey{}, g))
	defer g.cancel(nil)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			err := ErrGoexit // unless main returns
			defer func() { g.end(i, err) }()
			err = g.loops[i].runToEnd(ctx, func(ctx context.Context) error { return main(ctx, i) })
		})
	}
	all.Wait()
	if len(g.errs) == 1 {
		return g.errs[0]
	}
	return errors.Join(g.errs...)
}

// open makes all loops before one runs, so that each finds the others.
func (g *loopGroup) open(opts []Option) error {
	for range g.ended {
		l, err := newLoop(opts)
		if err != nil {
			for _, l := range g.loops {
				_ = l.end(false) // it has not run
			}
			return err
		}
		if g.live > 1 {
			l.outside++ // while another one may call in, waiting is no deadlock
		}
		g.loops = append(g.loops, l)
		g.faces = append(g.faces, l.handle())
	}
	if g.live == 1 {
		g.faces[0] = nil
	}
	return nil
}

// end notes that a loop has ended.
func (g *loopGroup) end(i int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended[i] = true
	if g.live--; g.live == 1 {
		last := slices.Index(g.ended, false)
		g.faces[last] = nil
		g.loops[last].post(g.loops[last].leftAlone)
	}
	if err == nil || slices.ContainsFunc(g.errs, func(known error) bool { return saysNoMore(err, known) }) {
		return
	}
	g.errs = append(g.errs, err)
	g.cancel(&otherLoopError{i, err})
}

// leftAlone lets the loop find a deadlock, if nobody else holds it.
func (l *loop) leftAlone() {
	l.outside--
	l.collectAt, l.collectEvery = time.Time{}, time.Millisecond
}

// saysNoMore reports whether err is only that a loop was cancelled, for the
// reason that is known.
func saysNoMore(err, known error) bool {
	other, ok := errors.AsType[*otherLoopError](err)
	return err == known || ok && other.err == known
}

// Loops returns the loops of the [RunLoops] in which the caller runs, by their
// numbers; elsewhere the running loop alone. They stay in the list when they
// have ended.
func Loops(ctx context.Context) []*Loop {
	l := loopOf("Loops", ctx)
	g, _ := ctx.Value(loopGroupKey{}).(*loopGroup)
	if g == nil {
		return []*Loop{l.handle()}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	all := slices.Clone(g.faces)
	if i := slices.Index(all, nil); i >= 0 {
		all[i] = l.handle()
	}
	return all
}

// CallOn runs fn as a task on another loop, and waits for its result. fn has
// the values of ctx, and belongs to the caller: if ctx ends first, fn is
// cancelled with the same cause, and CallOn returns when it has ended: the
// cause, but fn's result if it had one all the same, or its error if that says
// something else.
//
// The other loop may be any that runs, also the caller's. If it has ended, or
// ends, the error is [ErrLoopClosed]. What fn and the caller share needs no
// lock, as only one of them runs at a time, as long as nobody else uses it. It
// costs some microseconds, most of it for waking the other loop if that sleeps.
//
//go:noinline
func CallOn[T any](ctx context.Context, other *Loop, fn Coroutine[T]) (T, error) {
	var zero T
	if other == nil || fn == nil {
		panic("asyncio: CallOn: nil Loop or function")
	}
	w, err := running(ctx)
	if err != nil {
		return zero, err
	}
	if causeNow(ctx) != nil {
		return zero, Yield(ctx)
	}
	s := RunThreadsafe(other, fn, WithValues(ctx))
	if s.await(ctx, w) == nil {
		return s.value, s.err
	}
	cause := causeNow(ctx)
	s.Cancel(cause)
	err = Shield(ctx, func(ctx context.Context) error { return s.await(ctx, w) })
	switch {
	case err != nil: // the caller's loop is closing
		return zero, err
	case s.err != nil && (errors.Is(s.err, cause) || errors.Is(s.err, context.Canceled)):
		return zero, cause
	}
	return s.value, s.err
}
