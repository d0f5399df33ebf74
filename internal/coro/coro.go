package coro

import "iter"

// A Worker is one coroutine with the owner's state S.
type Worker[S any] struct {
	// State is the owner's; the package never looks at it.
	State S

	party
	g    uintptr
	pool *Pool[S]
	home slot // where it was parked before it first ran, and ends
	fate fate
}

// fate is what a worker does when it is entered by the pool and not by the owner.
type fate uint8

const (
	lives  fate = iota
	toHome      // go and park in your own slot, so that you can end
	ends        // return; you are in your own slot
)

// party is who takes part in switches: a worker, or the hub.
type party struct {
	at *slot // where it is parked; nil for the one that runs
}

// A slot is a place to park for one goroutine: the one inside an iter.Pull that
// does not run. Whoever crosses a slot parks in it, and who was parked there
// runs. next and yield do that by turns, whoever calls them.
type slot struct {
	next    func() (struct{}, bool)
	yield   func(struct{}) bool
	who     *party
	yielder bool // the next to cross has to yield
}

func (s *slot) cross() {
	s.yielder = !s.yielder
	if s.yielder {
		s.next()
	} else {
		s.yield(struct{}{})
	}
}

// A Pool has the workers of one hub, and keeps idle ones for reuse.
type Pool[S any] struct {
	body   func(*Worker[S]) *Worker[S]
	hub    party
	idle   []*Worker[S]
	exited []*Worker[S] // called Goexit, and have to be ended
	count  int
	detour bool // who is entered now goes on to the hub at once
}

// NewPool returns a pool whose workers call body each time they are entered
// afresh. When body returns, the worker is idle, and the worker that body has
// returned runs; nil stands for the hub. body must contain the panics of what
// it runs; a Goexit is dealt with by calling [Worker.Exited] from a deferred
// function.
func NewPool[S any](body func(*Worker[S]) *Worker[S]) *Pool[S] {
	return &Pool[S]{body: body}
}

// Get returns an idle worker, or a new one. Entering it calls body.
func (p *Pool[S]) Get() *Worker[S] {
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return w
	}
	w := &Worker[S]{pool: p}
	w.home.next, _ = iter.Pull(w.main)
	w.at, w.home.who = &w.home, &w.party
	p.count++
	return w
}

// Count returns how many workers exist.
func (p *Pool[S]) Count() int { return p.count }

// Idle returns how many workers wait for work.
func (p *Pool[S]) Idle() int { return len(p.idle) }

// Enter switches from the hub to w. It returns when a worker switches back to
// the hub, whichever that is.
func (p *Pool[S]) Enter(w *Worker[S]) {
	p.swap(&p.hub, &w.party)
	for len(p.exited) > 0 {
		w := p.exited[len(p.exited)-1]
		p.exited = p.exited[:len(p.exited)-1]
		p.bury(w)
	}
}

// Switch suspends w, which runs, until it is entered again; to runs instead,
// or the hub if to is nil.
func (w *Worker[S]) Switch(to *Worker[S]) {
	if to == nil {
		w.pool.swap(&w.party, &w.pool.hub)
	} else {
		w.pool.swap(&w.party, &to.party)
	}
	for w.fate == toHome {
		w.fate = ends
		w.pool.detour = true
		w.pool.swap(&w.party, w.home.who)
	}
}

// swap parks me where the other one is parked, and lets that one run.
func (p *Pool[S]) swap(me, other *party) {
	s := other.at
	me.at, other.at, s.who = s, nil, me
	s.cross()
	if p.detour {
		p.detour = false
		p.swap(me, &p.hub)
	}
}

// G returns the address of the worker's goroutine, to compare with [Getg];
// 0 before it has been entered.
func (w *Worker[S]) G() uintptr { return w.g }

// main is the coroutine: body, back to the pool, and again.
func (w *Worker[S]) main(yield func(struct{}) bool) {
	w.home.yield = yield
	w.g = Getg()
	for w.fate == lives {
		next := w.pool.body(w)
		w.pool.idle = append(w.pool.idle, w)
		w.Switch(next)
	}
	w.g = 0
}

// Exited is called on the worker, from the deferred function that found out
// that its job called runtime.Goexit, when all is said about the job. The
// worker never runs another one.
func (w *Worker[S]) Exited() {
	w.pool.exited = append(w.pool.exited, w)
	w.Switch(nil)
	w.g = 0
}

// Trim ends up to n idle workers, leaving at least keep of them. Only the hub
// may do so.
func (p *Pool[S]) Trim(keep, n int) {
	for ; n > 0 && len(p.idle) > keep; n-- {
		w := p.Get()
		p.bringHome(w)
		p.swap(&p.hub, &w.party)
		p.count--
	}
}

// bringHome lets w park in its own slot. At its end it releases who is parked
// there, so that has to be the hub, which enters it from there.
func (p *Pool[S]) bringHome(w *Worker[S]) {
	w.fate = ends
	if w.at != &w.home {
		w.fate = toHome
		p.swap(&p.hub, &w.party)
	}
}

// bury ends a worker that called Goexit. The Goexit travels on to whoever is
// released, so that is a goroutine made for it.
func (p *Pool[S]) bury(w *Worker[S]) {
	p.bringHome(w)
	p.count--
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.swap(&p.hub, &w.party)
	}()
	<-done
	p.hub.at = nil
}

// Close ends all idle workers. Those that are suspended inside a job have to
// be resumed by the owner until they have come back.
func (p *Pool[S]) Close() {
	p.Trim(0, len(p.idle))
	p.idle = nil
}
