package engine

import (
	"os"
	"sync"
	"time"
)

// interrupt is a run's hold on Ctrl-C.
type interrupt struct {
	loop  *Loop
	scope *Scope

	mu   sync.Mutex
	over bool
	stop func() // lets go; nil while there is no hold
}

// onInterrupt lets the first Ctrl-C cancel s. The second one finds the default
// behaviour back in place, even if the loop is blocked. A program that was
// started with the signal ignored, as by nohup or in the background, goes on
// ignoring it.
func (l *Loop) onInterrupt(s *Scope) (stop func()) {
	if l.Env.Signals.Ignored(os.Interrupt) {
		return func() {}
	}
	i := &interrupt{loop: l, scope: s}
	l.signals.interrupt = i
	i.listen(l.signals.handlers[os.Interrupt] == nil)
	return func() {
		l.signals.interrupt = nil
		i.end()
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

// arrived is called on any goroutine.
func (i *interrupt) arrived() {
	if !i.end() {
		return
	}
	step, taken := i.loop.stepsTaken(), make(chan struct{})
	i.loop.Post(func() { close(taken); i.scope.Cancel(ErrInterrupted) })
	i.loop.interruptedAt(step, taken)
}

// end lets go for good, and reports whether that was still to be done.
func (i *interrupt) end() bool {
	i.listen(false)
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.over
	i.over = true
	return !was
}

// listen turns the hold on and off, until it is over.
func (i *interrupt) listen(on bool) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case !on && i.stop != nil:
		i.stop()
		i.stop = nil
	case on && i.stop == nil && !i.over:
		i.stop = i.loop.Env.Signals.Notify(os.Interrupt, i.arrived)
	}
}
