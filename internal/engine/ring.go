package engine

// A runnable is an entry of the ready queue: a task to start or resume, a
// callback, or a timer that is due. run is called by the loop, once.
type runnable interface{ run(l *Loop) }

// ring is the ready queue: first in, first out, in one growing buffer.
type ring struct {
	buf  []runnable // length is a power of two
	head int
	n    int
}

func (r *ring) push(e runnable) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = e
	r.n++
}

// pushFront lets e be the next to be popped.
func (r *ring) pushFront(e runnable) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.head = (r.head - 1) & (len(r.buf) - 1)
	r.buf[r.head] = e
	r.n++
}

// pop removes the first entry; the ring must not be empty.
func (r *ring) pop() runnable {
	e := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return e
}

// bringToFront lets the i-th entry be the next to be popped. The others keep their
// order.
func (r *ring) bringToFront(i int) {
	e := r.at(i)
	for mask := len(r.buf) - 1; i > 0; i-- {
		r.buf[(r.head+i)&mask] = r.buf[(r.head+i-1)&mask]
	}
	r.buf[r.head] = e
}

// at returns the i-th entry from the front.
func (r *ring) at(i int) runnable { return r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring) grow() {
	bigger := make([]runnable, max(64, 2*len(r.buf)))
	for i := range r.n {
		bigger[i] = r.at(i)
	}
	r.buf, r.head = bigger, 0
}
