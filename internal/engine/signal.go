package engine

import (
	"os"
	"slices"
)

// signals is what a loop has to do with the signals of the operating system.
type signals struct {
	handlers  map[os.Signal]*signalHandler
	order     []os.Signal // of the handlers, as they came
	interrupt *interrupt  // of the run that is under way
}

// signalHandler is a handler, and what ends its being told.
type signalHandler struct {
	fn   func(os.Signal)
	stop func()
}

// HasSignal reports whether sig has a handler.
func (l *Loop) HasSignal(sig os.Signal) bool { return l.signals.handlers[sig] != nil }

// HandleSignal lets fn run, as a callback, for each signal sig, in place of the
// handler that it had. While there is a handler, the loop waits for signals.
func (l *Loop) HandleSignal(sig os.Signal, fn func(os.Signal)) {
	if h := l.signals.handlers[sig]; h != nil {
		h.fn = fn
		return
	}
	l.signals.add(l, sig, fn)
}

// UnhandleSignal takes the handler away, and reports whether there was one.
func (l *Loop) UnhandleSignal(sig os.Signal) bool { return l.signals.remove(l, sig) }

// add takes sig over before Run's hold on it is let go, so that none is lost.
func (s *signals) add(l *Loop, sig os.Signal, fn func(os.Signal)) {
	if s.handlers == nil {
		s.handlers = map[os.Signal]*signalHandler{}
	}
	h := &signalHandler{fn: fn}
	s.handlers[sig] = h
	s.order = append(s.order, sig)
	l.outside++
	h.stop = l.Env.Signals.Notify(sig, func() {
		l.Post(func() { l.ready.push(&Handle{fn: func() { s.handle(sig, h) }}) })
	})
	countQuit(sig, 1)
	if sig == os.Interrupt {
		s.interrupt.listen(false)
	}
}

// handle calls the handler, unless it has been removed meanwhile.
func (s *signals) handle(sig os.Signal, h *signalHandler) {
	if s.handlers[sig] == h {
		h.fn(sig)
	}
}

func (s *signals) remove(l *Loop, sig os.Signal) bool {
	h := s.handlers[sig]
	if h == nil {
		return false
	}
	if sig == os.Interrupt {
		s.interrupt.listen(true)
	}
	delete(s.handlers, sig)
	s.order = slices.DeleteFunc(s.order, func(o os.Signal) bool { return o == sig })
	l.outside--
	countQuit(sig, -1)
	h.stop()
	return true
}

func (s *signals) clear(l *Loop) {
	for len(s.order) > 0 {
		s.remove(l, s.order[0])
	}
}
