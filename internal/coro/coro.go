package coro

import (
	"iter"
	"slices"
	"unsafe"
)

// A Worker is one coroutine with the owner's state S.
type Worker[S any] struct {
	// State is the owner's; the package never looks at it. It comes first, so
	// that WorkerOf need not remember the worker.
	State S

	party
	g    uintptr
	sp   uintptr // where its stack was when it last suspended, to prefetch
	pool *Pool[S]
	home slot // where it was parked before it first ran, and ends
}

// WorkerOf returns the worker whose State s is.
func WorkerOf[S any](s *S) *Worker[S] { return (*Worker[S])(unsafe.Pointer(s)) }

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
	ending  bool // the next to enter the worker whose home it is wants that to return
}

// A Pool has the workers of one hub, and keeps idle ones for reuse.
type Pool[S any] struct {
	// Prefetching says that [Lookahead.Prefetch] is in use, for which workers note
	// where their stacks are.
	Prefetching bool

	body   func(*Worker[S]) *Worker[S]
	next   func() *Worker[S]
	hub    party
	seq    iter.Seq[struct{}] // the same for all workers
	fresh  *Worker[S]         // who was entered last: one that runs for the first time knows itself by it
	idle   []*Worker[S]
	exited []*Worker[S] // called Goexit, and have to be ended
	count  int
	batch  int  // how many workers were made last time
	errand bool // who is entered now has something to do for the pool: see errands
	detour bool // namely, to go on to the hub at once
	visit  func()
	host   *party // who waits for the visit to end
}

// NewPool returns a pool whose workers call body each time they are entered
// afresh. When body returns, the worker is idle, and the worker that body has
// returned runs; nil stands for the hub. body must contain the panics of what
// it runs; a Goexit is dealt with by calling [Worker.Exited] from a deferred
// function. next chooses who runs when a worker suspends itself; it may choose
// that worker.
func NewPool[S any](body func(*Worker[S]) *Worker[S], next func() *Worker[S]) *Pool[S] {
	p := &Pool[S]{body: body, next: next}
	p.seq = p.work()
	return p
}

// Get returns an idle worker; entering it calls body. If there is none it makes
// some, more each time. It is then for the hub to call: to make a coroutine
// takes more stack than a worker should have to grow.
func (p *Pool[S]) Get() *Worker[S] {
	if len(p.idle) == 0 {
		p.batch = min(2*p.batch+1, 63)
		p.idle = slices.Grow(p.idle, p.count+p.batch)
		for range p.batch {
			p.idle = append(p.idle, p.create())
		}
	}
	w := p.idle[len(p.idle)-1]
	p.idle[len(p.idle)-1] = nil
	p.idle = p.idle[:len(p.idle)-1]
	return w
}

// create makes a worker.
func (p *Pool[S]) create() *Worker[S] {
	w := &Worker[S]{pool: p}
	w.home.next, _ = iter.Pull(p.seq)
	w.at, w.home.who = &w.home, &w.party
	p.count++
	return w
}

// work returns what every worker does: body, back to the pool, and again.
func (p *Pool[S]) work() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		w := p.fresh
		w.home.yield = yield
		w.g = Getg()
		defer func() {
			if w.g != 0 { // a job called Goexit and then panicked: who recovered that took it for a panic only
				w.Exited()
			}
		}()
		for !w.home.ending {
			next := p.body(w)
			p.idle = append(p.idle, w)
			w.Switch(next)
		}
		w.g = 0
	}
}

// Count returns how many workers exist.
func (p *Pool[S]) Count() int { return p.count }

// Idle returns how many workers wait for work.
func (p *Pool[S]) Idle() int { return len(p.idle) }

// Enter switches from the hub to w. It returns when a worker switches back to
// the hub, whichever that is.
func (p *Pool[S]) Enter(w *Worker[S]) {
	p.fresh = w
	p.swap(&p.hub, &w.party)
	for len(p.exited) > 0 {
		w := p.exited[len(p.exited)-1]
		p.exited = p.exited[:len(p.exited)-1]
		p.bury(w)
	}
}

// Suspend suspends w, which runs, until it is entered again. Who runs instead
// is the owner's choice: see [NewPool].
func (w *Worker[S]) Suspend() { w.Switch(w) }

// Switch suspends w, which runs, until it is entered again; to runs instead,
// the hub if to is nil, or whom the owner chooses if to is w itself.
//
// It is one function down to the crossing: after a switch the processor
// mispredicts every return, so each frame less saves 5 ns.
func (w *Worker[S]) Switch(to *Worker[S]) {
	p := w.pool
	if to == w {
		if to = p.next(); to == w {
			return
		}
	}
	other := &p.hub
	if to != nil {
		other, p.fresh = &to.party, to
	}
	s := other.at
	if p.Prefetching {
		w.sp = stackPointer()
	}
	w.at, other.at, s.who = s, nil, &w.party
	s.yielder = !s.yielder
	if s.yielder {
		s.next()
	} else {
		s.yield(struct{}{})
	}
	if p.errand {
		p.errands(w)
	}
}

// errands is what a worker does that was entered by the pool and not by the
// owner: it runs a visitor, makes room in somebody's slot, or goes to its own
// one to end there.
func (p *Pool[S]) errands(w *Worker[S]) {
	for p.errand {
		p.errand = false
		switch {
		case p.visit != nil:
			p.visit()
			p.visit = nil
			p.swap(&w.party, p.host)
		case p.detour:
			p.detour = false
			w.Switch(nil)
		default:
			p.errand, p.detour = true, true
			p.swap(&w.party, w.home.who)
		}
	}
}

// Visit runs fn on w, which is suspended in a Switch, and comes back: so that fn
// can look at the stack there. from is the worker that calls Visit, nil for the
// hub. fn must not switch, panic, or call Goexit.
func (p *Pool[S]) Visit(from, w *Worker[S], fn func()) {
	p.host = &p.hub
	if from != nil {
		p.host = &from.party
	}
	p.errand, p.visit = true, fn
	p.swap(p.host, &w.party)
}

// swap is Switch for the hub, and for errands.
func (p *Pool[S]) swap(me, other *party) {
	s := other.at
	me.at, other.at, s.who = s, nil, me
	s.yielder = !s.yielder
	if s.yielder {
		s.next()
	} else {
		s.yield(struct{}{})
	}
}

// G returns the address of the worker's goroutine, to compare with [Getg];
// 0 before it has been entered.
func (w *Worker[S]) G() uintptr { return w.g }

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
	if w.at != &w.home {
		p.errand = true
		p.swap(&p.hub, &w.party)
	}
	w.home.ending, p.fresh = true, w
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
