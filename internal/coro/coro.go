package coro

import "iter"

// A Worker is one coroutine with the owner's state S.
type Worker[S any] struct {
	// State is the owner's; the package never looks at it.
	State S

	g      uintptr
	pool   *Pool[S]
	next   func() (struct{}, bool)
	yield  func(struct{}) bool
	exited bool // Goexit was called: the goroutine can only unwind
	retire bool // the next resume is to end the coroutine
}

// A Pool keeps idle workers for reuse. It belongs to one goroutine, the hub.
type Pool[S any] struct {
	body  func(*Worker[S])
	idle  []*Worker[S]
	count int
}

// NewPool returns a pool whose workers call body each time they are entered
// afresh. body must contain the panics of what it runs; a Goexit is dealt with
// by calling [Worker.Exited] from a deferred function.
func NewPool[S any](body func(*Worker[S])) *Pool[S] {
	return &Pool[S]{body: body}
}

// Get returns an idle worker, or a new one. Its first Resume enters body.
func (p *Pool[S]) Get() *Worker[S] {
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return w
	}
	w := &Worker[S]{pool: p}
	w.next, _ = iter.Pull(w.main)
	p.count++
	return w
}

// Count returns how many workers exist, Idle how many of them do nothing.
func (p *Pool[S]) Count() int { return p.count }

// Idle returns how many workers wait for work.
func (p *Pool[S]) Idle() int { return len(p.idle) }

// Trim ends up to n idle workers, leaving at least keep of them.
func (p *Pool[S]) Trim(keep, n int) {
	for ; n > 0 && len(p.idle) > keep; n-- {
		w := p.Get()
		w.retire = true
		w.next()
		p.count--
	}
}

// Close ends all idle workers. Those that are suspended inside a job have to
// be resumed by the owner until they have come back.
func (p *Pool[S]) Close() {
	p.Trim(0, len(p.idle))
	p.idle = nil
}

// main is the coroutine: body, back to the pool, and again.
func (w *Worker[S]) main(yield func(struct{}) bool) {
	w.yield = yield
	w.g = Getg()
	for !w.retire {
		w.pool.body(w)
		w.pool.idle = append(w.pool.idle, w)
		w.yield(struct{}{})
	}
	w.g = 0
}

// Resume switches from the hub into the worker until it suspends or is idle.
func (w *Worker[S]) Resume() {
	w.next()
	if w.exited {
		w.bury()
	}
}

// Suspend switches from the worker back to the hub, until the next Resume.
func (w *Worker[S]) Suspend() { w.yield(struct{}{}) }

// G returns the address of the worker's goroutine, to compare with [Getg];
// 0 before its first Resume.
func (w *Worker[S]) G() uintptr { return w.g }

// Exited is called on the worker, from the deferred function that found out
// that its job called runtime.Goexit, when all is said about the job. The
// worker never runs another one.
func (w *Worker[S]) Exited() {
	w.g = 0
	w.exited = true
	w.yield(struct{}{})
}

// bury lets a worker that called Goexit unwind. Its resumer gets the Goexit
// in turn, so that is a goroutine made for it.
func (w *Worker[S]) bury() {
	w.pool.count--
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.next()
	}()
	<-done
}
