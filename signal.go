package asyncio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// AddSignalHandler lets fn run on the loop, as a callback, each time the process
// gets sig, in place of what the signal does otherwise (asyncio's
// add_signal_handler). It replaces the handler that sig has on this loop; other
// loops have theirs, and all are called. A handler for [os.Interrupt] takes over
// from Run, whose main function Ctrl-C does not cancel then.
//
// While a loop has a handler, it does not report a deadlock, as a signal may
// come. The handler is there until [Loop.RemoveSignalHandler] or the loop's end.
// On Windows there are os.Interrupt and syscall.SIGTERM only; see [os/signal].
//
// AddSignalHandler returns an error if sig is no signal, or one that cannot be
// caught, as SIGKILL, or if the loop is in a bubble of testing/synctest. fn must
// not wait.
func (l *Loop) AddSignalHandler(sig os.Signal, fn func(os.Signal)) error {
	if fn == nil {
		panic("asyncio: Loop.AddSignalHandler: nil function")
	}
	l.loop.Check("Loop.AddSignalHandler")
	if err := l.catchable(sig); err != nil {
		return fmt.Errorf("asyncio: Loop.AddSignalHandler: %w", err)
	}
	l.loop.HandleSignal(sig, fn)
	return nil
}

// RemoveSignalHandler takes the handler for sig away, and reports whether there
// was one (asyncio's remove_signal_handler). It is not called any more, not even
// for a signal that is on its way, and sig does again what it did before: Ctrl-C
// cancels Run's main function, others mostly end the program.
func (l *Loop) RemoveSignalHandler(sig os.Signal) bool {
	l.loop.Check("Loop.RemoveSignalHandler")
	return l.loop.UnhandleSignal(sig)
}

// Signals lets a task range over signals as they come, in place of what they do
// otherwise (trio's open_signal_receiver):
//
//	for sig, err := range asyncio.Signals(ctx, os.Interrupt, syscall.SIGTERM) {
//		...
//	}
//
// They are taken from the start of the loop to its end; what comes while its
// body runs is kept for the next round. When ctx ends, or a signal cannot be had
// because it has a handler already or cannot be caught, the last round has the
// error, and a nil signal.
func Signals(ctx context.Context, sigs ...os.Signal) iter.Seq2[os.Signal, error] {
	return func(yield func(os.Signal, error) bool) {
		p, err := engine.Step(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		inner := p.Loop()
		l := face(inner)
		var queue Queue[os.Signal]
		for _, sig := range sigs {
			if inner.HasSignal(sig) {
				yield(nil, fmt.Errorf("asyncio: Signals: %v has a handler already; remove it first", sig))
				return
			}
			if err := l.AddSignalHandler(sig, func(sig os.Signal) { queue.TryPut(sig) }); err != nil {
				yield(nil, err)
				return
			}
			defer l.RemoveSignalHandler(sig)
		}
		for {
			sig, err := queue.Get(ctx)
			if !yield(sig, err) || err != nil {
				return
			}
		}
	}
}

func (l *Loop) catchable(sig os.Signal) error {
	const most = 64
	switch n, ok := sig.(syscall.Signal); {
	case !ok || n < 1 || n > most:
		return fmt.Errorf("%v is not a signal", sig)
	case l.loop.InBubble():
		return errors.New("in a synctest bubble there are no signals")
	case slices.Contains(uncatchable, n):
		return fmt.Errorf("the signal %q cannot be caught", sig)
	}
	return nil
}
