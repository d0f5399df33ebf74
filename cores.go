package asyncio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// loopGroup is what the loops of one RunLoops have in common.
type loopGroup struct {
	loops []*Loop

	mu    sync.Mutex
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
	if err := engine.NotNested("RunLoops"); err != nil {
		return err
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	g := &loopGroup{live: n, ended: make([]bool, n)}
	if err := g.open(opts); err != nil {
		return err
	}
	ctx = context.WithValue(ctx, loopGroupKey{}, g)
	var all sync.WaitGroup
	for i := range n {
		all.Add(1)
		g.loops[i].loop.Env.Go(env.Runner, func() {
			defer all.Done()
			err := ErrGoexit // unless main returns
			defer func() { g.end(i, err) }()
			err = g.loops[i].loop.RunToEnd(ctx, mainTask(func(ctx context.Context) error { return main(ctx, i) }))
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
				_ = l.loop.Drop() // it has not run
			}
			return err
		}
		if g.live > 1 {
			l.loop.BeginOutside() // while another one may call in, waiting is no deadlock
		}
		g.loops = append(g.loops, l)
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
		g.loops[last].loop.Post(g.loops[last].loop.EndOutside)
	}
	if err == nil || slices.ContainsFunc(g.errs, func(known error) bool { return saysNoMore(err, known) }) {
		return
	}
	g.errs = append(g.errs, err)
	for _, l := range g.loops {
		l.loop.Post(func() { l.loop.Top().Cancel(&otherLoopError{i, err}) })
	}
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
	l := engine.MustLoopOf("Loops", ctx)
	g, _ := ctx.Value(loopGroupKey{}).(*loopGroup)
	if g == nil {
		return []*Loop{face(l)}
	}
	return slices.Clone(g.loops)
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
	p, err := engine.Step(ctx)
	if err != nil {
		return zero, err
	}
	if engine.CauseOf(ctx) != nil {
		return zero, Yield(ctx)
	}
	s := RunThreadsafe(other, fn, WithValues(ctx))
	if s.await(ctx, p) == nil {
		return s.value, s.err
	}
	cause := engine.CauseOf(ctx)
	s.Cancel(cause)
	err = Shield(ctx, func(ctx context.Context) error { return s.await(ctx, p) })
	switch {
	case err != nil: // the caller's loop is closing
		return zero, err
	case s.err != nil && (errors.Is(s.err, cause) || errors.Is(s.err, context.Canceled)):
		return zero, cause
	}
	return s.value, s.err
}
