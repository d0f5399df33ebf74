package engine

import (
	"os"
	"os/signal"
	"sync"
	"time"
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
			step, taken := l.stepsTaken(), make(chan struct{})
			l.Post(func() { close(taken); s.Cancel(ErrInterrupted) })
			l.interruptedAt(step, taken)
		}
	}()
	return func() {
		l.signals.interrupt = nil
		i.end()
		close(i.arrived)
	}
}

// interruptedAt says what keeps the loop from hearing of the interrupt, if it is
// still in the same step after a while. So also a program that hangs tells where.
func (l *Loop) interruptedAt(step uint64, taken chan struct{}) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-taken:
	case <-t.C:
		if l.Running() && l.standsAt(step) {
			r := blockReport(l.runningName(), 0, false, l.blocker())
			r.message = "interrupted, but the event loop is blocked and cannot end; interrupt again to end the program"
			l.say(r)
		}
	}
}

// patience is how long a loop may take to answer before it is looked at why.
const patience = 100 * time.Millisecond

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
