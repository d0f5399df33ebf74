package asyncio

import "github.com/go-asyncio/asyncio/internal/engine"

// This file has the cases of [Select] that are pointers to an Event, Lock,
// Semaphore or Ticker by another name: so they need no memory, and the same case is
// equal to itself each time.

func (e *Event) selecting() engine.Case { return enabled((*eventCase)(e)) }

type eventCase Event

func (e *eventCase) Try(p *engine.Parking) (bool, error) {
	if err := e.home.Admit(p); err != nil {
		return true, err
	}
	return e.set, nil
}

func (e *eventCase) Enter(s *engine.Selection)           { s.SharedLine(&e.queue, waitEvent) }
func (e *eventCase) Woken(*engine.Parking) (bool, error) { return true, nil }

// Acquiring returns the case for [Select] that takes the lock. It is the same each
// time.
func (k *Lock) Acquiring() Case { return (*lockCase)(k) }

type lockCase Lock

func (k *lockCase) selecting() engine.Case { return enabled(k) }

func (k *lockCase) Try(p *engine.Parking) (bool, error) {
	switch {
	case k.owner == nil:
		k.owner = p.Task()
		return true, nil
	case k.owner.Scope.Loop() != p.Loop():
		return true, engine.ErrOtherLoop
	}
	return false, nil
}

func (k *lockCase) Enter(s *engine.Selection) {
	k.owner.Wanted()
	s.Line(&k.queue, (*waitLock)(k))
}

func (k *lockCase) Woken(*engine.Parking) (bool, error) { return true, nil }

// Acquiring returns the case for [Select] that takes a permit. It is the same each
// time.
func (s *Semaphore) Acquiring() Case { return (*semaphoreCase)(s) }

// Acquiring returns the case for [Select] that takes a permit. It is the same each
// time.
func (b *BoundedSemaphore) Acquiring() Case {
	if b == nil {
		return nil
	}
	return b.semaphore.Acquiring()
}

type semaphoreCase Semaphore

func (c *semaphoreCase) selecting() engine.Case { return enabled(c) }

func (c *semaphoreCase) Try(p *engine.Parking) (bool, error) { return (*Semaphore)(c).try(p, 1) }

func (c *semaphoreCase) Enter(s *engine.Selection) { (*Semaphore)(c).line(s, 1) }

func (c *semaphoreCase) Woken(p *engine.Parking) (bool, error) { return (*Semaphore)(c).woken(p, 1) }

// AcquiringN returns the case for [Select] that takes n permits, as AcquireN does. It
// panics if n < 1.
func (s *Semaphore) AcquiringN(n int) Case {
	mustPermits("Semaphore.AcquiringN", n)
	if s == nil {
		return nil
	}
	return &permitsCase{s, n}
}

// permitsCase is the case of several permits.
type permitsCase struct {
	semaphore *Semaphore
	n         int
}

func (c *permitsCase) selecting() engine.Case { return c }

func (c *permitsCase) Try(p *engine.Parking) (bool, error) { return c.semaphore.try(p, c.n) }

func (c *permitsCase) Enter(s *engine.Selection) {
	c.semaphore.line(s, c.n)
	s.TellLeft(c)
}

func (c *permitsCase) Woken(p *engine.Parking) (bool, error) { return c.semaphore.woken(p, c.n) }

// Left serves those behind, who may want less.
func (c *permitsCase) Left() { c.semaphore.serve() }

// try takes n permits for a Select, if that need not wait.
func (s *Semaphore) try(p *engine.Parking, n int) (bool, error) {
	if err := s.home.Admit(p); err != nil {
		return true, err
	}
	s.settle(p.Loop())
	if s.closed {
		return true, ErrSemaphoreClosed
	}
	if !s.takeNow(n) {
		return false, nil
	}
	return s.woken(p, n)
}

// line lets a Select wait for n permits.
func (s *Semaphore) line(in *engine.Selection, n int) {
	s.waits++
	s.keep()
	in.LineN(&s.queue, n, (*waitSemaphore)(s))
}

// woken notes what a Select has taken.
func (s *Semaphore) woken(p *engine.Parking, n int) (bool, error) {
	if s.noting() {
		s.note(p.Task(), n)
	}
	return true, nil
}

func (t *Ticker) selecting() engine.Case { return enabled((*tickerCase)(t)) }

type tickerCase Ticker

func (c *tickerCase) Try(p *engine.Parking) (bool, error) {
	if err := (*Ticker)(c).bind(p.Loop()); err != nil {
		return true, err
	}
	return (*Ticker)(c).try()
}

func (c *tickerCase) Enter(s *engine.Selection) {
	(*Ticker)(c).arm()
	s.Line(&c.queue, (*waitTicker)(c))
	s.TellLeft(c)
}

func (c *tickerCase) Left()                               { (*Ticker)(c).left() }
func (c *tickerCase) Woken(*engine.Parking) (bool, error) { return true, nil }
