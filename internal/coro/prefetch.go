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

// The parts of a goroutine's descriptor that the runtime touches in a switch, in
// Go 1.26: stack bounds and registers, status and wait reason, the locked
// thread, the coroutine. They are hints: a wrong one only loses speed.
var gLines = [...]uintptr{0, 1 * line, 2 * line, 3 * line, 6 * line}

// Prefetch asks for all of it, in one call of an assembly routine.
func (a *Lookahead[S]) Prefetch() {
	var lines [lineCount]uintptr
	owner, self := uintptr(a.Owner), uintptr(unsafe.Pointer(a.Self))
	lines[0], lines[1], lines[2] = owner, owner+line, owner+2*line
	lines[3], lines[4], lines[5] = self, self+line, self+2*line
	if w := a.Stack; w != nil {
		lines[6] = uintptr(unsafe.Pointer(w.at))
		lines[7], lines[8], lines[9] = w.sp, w.sp+line, w.sp+2*line
		for i, at := range gLines {
			lines[10+i] = w.g + at
		}
	}
	if w := a.Cross; w != nil {
		lines[15] = uintptr(w.crossing())
	}
	if w := a.State; w != nil {
		if f := (*[3]uintptr)(w.crossing()); f != nil {
			lines[16], lines[17] = f[1], f[2]
		}
	}
	prefetch(&lines)
}

const lineCount = 18

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
