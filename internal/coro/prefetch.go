package coro

import "unsafe"

// With thousands of workers that take turns, each finds its memory cold, and
// the misses cost more than the switch: asking for it a few turns ahead makes
// a turn among 10,000 workers two to three times faster. All of it is hints to
// the processor; at worst they are lost.

// A Lookahead is who is soon to run: each part of a worker's memory is found
// through the one before, so they are asked for at different distances. A nil
// stands for nobody.
type Lookahead[S any] struct {
	Owner unsafe.Pointer // what the owner of the farthest worker will touch: three lines
	Self  *Worker[S]     // the worker
	Stack *Worker[S]     // the slot in which it is parked, its goroutine and the top of its stack
	Cross *Worker[S]     // the function that crosses the slot
	State *Worker[S]     // what that function closes over
}

// line is the size of a cache line, on most processors.
const line = 64

// Prefetch asks for all of it, in one call of an assembly routine.
//
// More is not better: the processor has room for about a dozen misses at a time.
// These are what paid in measurements, the memory busy with others' work and not.
// The stack is touched below where the worker noted it, by the runtime's part of
// the switch, and above, by those who return.
func (a *Lookahead[S]) Prefetch() {
	var lines [lineCount]uintptr
	owner, self := uintptr(a.Owner), uintptr(unsafe.Pointer(a.Self))
	lines[0], lines[1], lines[2] = owner, owner+line, owner+2*line
	lines[3], lines[4], lines[5] = self, self+line, self+2*line
	if w := a.Stack; w != nil {
		lines[6] = uintptr(unsafe.Pointer(w.at))
		lines[7], lines[8] = w.sp-2*line, w.sp-line
		lines[9], lines[10], lines[11] = w.sp, w.sp+line, w.sp+2*line
		lines[12], lines[13] = w.g, w.g+line // stack bounds and registers
	}
	if w := a.Cross; w != nil {
		lines[14] = uintptr(w.crossing())
	}
	if w := a.State; w != nil {
		if f := (*[3]uintptr)(w.crossing()); f != nil {
			lines[15], lines[16] = f[1], f[2]
		}
	}
	prefetch(&lines)
}

const lineCount = 17

// crossing returns the closure that the next switch to the worker calls; a func
// value is a pointer to its code's address and to what it closes over.
func (w *Worker[S]) crossing() unsafe.Pointer {
	switch s := w.at; {
	case s == nil:
		return nil
	case s.yielder:
		return *(*unsafe.Pointer)(unsafe.Pointer(&s.yield))
	default:
		return *(*unsafe.Pointer)(unsafe.Pointer(&s.next))
	}
}
