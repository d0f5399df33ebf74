package asyncio

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// signals is what a loop has to do with the signals of the operating system.
type signals struct {
	handlers  map[os.Signal]*signalHandler
	interrupt *interrupt // of the run that is under way
}

// signalHandler is a handler with the channel by which its signal comes in. Each
// has its own, and a goroutine that reads it: os/signal can add a signal to a
// channel, but cannot take a single one out without letting others slip by.
type signalHandler struct {
	fn      func(os.Signal)
	arrived chan os.Signal
}

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
// caught, as SIGKILL. fn must not wait.
func (l *Loop) AddSignalHandler(sig os.Signal, fn func(os.Signal)) error {
	if fn == nil {
		panic("asyncio: Loop.AddSignalHandler: nil function")
	}
	l.check("Loop.AddSignalHandler")
	if err := catchable(sig); err != nil {
		return fmt.Errorf("asyncio: Loop.AddSignalHandler: %w", err)
	}
	if h := l.signals.handlers[sig]; h != nil {
		h.fn = fn
		return nil
	}
	l.signals.add(l.loop, sig, fn)
	return nil
}

// RemoveSignalHandler takes the handler for sig away, and reports whether there
// was one (asyncio's remove_signal_handler). It is not called any more, not even
// for a signal that is on its way, and sig does again what it did before: Ctrl-C
// cancels Run's main function, others mostly end the program.
func (l *Loop) RemoveSignalHandler(sig os.Signal) bool {
	l.check("Loop.RemoveSignalHandler")
	return l.signals.remove(l.loop, sig)
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
		l := RunningLoop(ctx)
		var queue Queue[os.Signal]
		for _, sig := range sigs {
			if l.signals.handlers[sig] != nil {
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

// add takes sig over before Run's hold on it is let go, so that none is lost.
func (s *signals) add(l *loop, sig os.Signal, fn func(os.Signal)) {
	if s.handlers == nil {
		s.handlers = map[os.Signal]*signalHandler{}
	}
	h := &signalHandler{fn: fn, arrived: make(chan os.Signal, 16)}
	s.handlers[sig] = h
	l.outside++
	signal.Notify(h.arrived, sig)
	if sig == os.Interrupt {
		s.interrupt.listen(false)
	}
	go func() {
		for range h.arrived {
			l.post(func() { l.ready.push(&Handle{fn: func() { s.handle(sig, h) }}) })
		}
	}()
}

// handle calls the handler, unless it has been removed meanwhile.
func (s *signals) handle(sig os.Signal, h *signalHandler) {
	if s.handlers[sig] == h {
		h.fn(sig)
	}
}

func (s *signals) remove(l *loop, sig os.Signal) bool {
	h := s.handlers[sig]
	if h == nil {
		return false
	}
	if sig == os.Interrupt {
		s.interrupt.listen(true)
	}
	delete(s.handlers, sig)
	l.outside--
	signal.Stop(h.arrived)
	close(h.arrived)
	return true
}

func (s *signals) clear(l *loop) {
	for sig := range s.handlers {
		s.remove(l, sig)
	}
}

func catchable(sig os.Signal) error {
	const most = 64
	switch n, ok := sig.(syscall.Signal); {
	case !ok || n < 1 || n > most:
		return fmt.Errorf("%v is not a signal", sig)
	case slices.Contains(uncatchable, n):
		return fmt.Errorf("the signal %q cannot be caught", sig)
	}
	return nil
}

// interrupt is a run's hold on Ctrl-C.
type interrupt struct {
	mu      sync.Mutex
	over    bool
	arrived chan os.Signal
}

// onInterrupt lets the first Ctrl-C cancel s. The second one finds the default
// behaviour back in place, even if the loop is blocked.
func (l *loop) onInterrupt(s *scope) (stop func()) {
	i := &interrupt{arrived: make(chan os.Signal, 1)}
	l.signals.interrupt = i
	i.listen(l.signals.handlers[os.Interrupt] == nil)
	go func() {
		if _, ok := <-i.arrived; ok {
			i.end()
			l.post(func() { s.cancel(ErrInterrupted) })
		}
	}()
	return func() {
		l.signals.interrupt = nil
		i.end()
		close(i.arrived)
	}
}

func (i *interrupt) end() {
	i.listen(false)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}

// listen turns the hold on and off, until it is over.
func (i *interrupt) listen(on bool) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case !on:
		signal.Stop(i.arrived)
	case !i.over:
		signal.Notify(i.arrived, os.Interrupt)
	}
}
