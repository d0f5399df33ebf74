package engine

import (
	"os"
	"os/signal"
	"sync"
)

// interrupt is a run's hold on Ctrl-C.
type interrupt struct {
	mu      sync.Mutex
	over    bool
	arrived chan os.Signal
}

// onInterrupt lets the first Ctrl-C cancel s. The second one finds the default
// behaviour back in place, even if the loop is blocked. A program that was
// started with the signal ignored, as by nohup or in the background, goes on
// ignoring it.
func (l *Loop) onInterrupt(s *Scope) (stop func()) {
	if signal.Ignored(os.Interrupt) {
		return func() {}
	}
	i := &interrupt{arrived: make(chan os.Signal, 1)}
	l.signals.interrupt = i
	i.listen(l.signals.handlers[os.Interrupt] == nil)
	go func() {
		if _, ok := <-i.arrived; ok {
			i.end()
			l.Post(func() { s.Cancel(ErrInterrupted) })
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
