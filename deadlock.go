package asyncio

import (
	"fmt"
	"runtime"
	"strings"
	"weak"
)

// A DeadlockError says that tasks wait and that nothing can ever wake them: no
// other task is ready, and there is no timer, I/O, thread, or goroutine that
// holds the [Loop].
type DeadlockError struct {
	Tasks []string // each task, what it waits for and who holds that
}

func (e *DeadlockError) Error() string {
	return "asyncio: deadlock: nothing can wake the tasks that wait:\n\t" + strings.Join(e.Tasks, "\n\t")
}

// report describes all tasks that have not ended.
func (l *loop) report() *DeadlockError {
	e := &DeadlockError{}
	for t := range l.allTasks {
		line := fmt.Sprintf("%s %s", t.Name(), t.condition())
		if at := t.created(); at != "" {
			line += ", created at " + at
		}
		e.Tasks = append(e.Tasks, line)
	}
	return e
}

// allTasks iterates over the tasks that have not ended, parents first.
func (l *loop) allTasks(yield func(*task) bool) {
	_ = l.root.walk(yield) && l.detached.walk(yield)
}

func (s *scope) walk(yield func(*task) bool) bool {
	if t := s.task; t != nil && s == &t.scope && !yield(t) {
		return false
	}
	for k := range s.children {
		if !k.walk(yield) {
			return false
		}
	}
	return true
}

// faceRef refers to the Loop without keeping it.
type faceRef struct{ ptr weak.Pointer[Loop] }

// newHandle makes the Loop that users get to see. When it is dropped, the loop
// looks again whether anybody is left who could call in.
func (l *loop) newHandle() *Loop {
	h := &Loop{l}
	runtime.AddCleanup(h, func(l *loop) { l.post(func() {}) }, l)
	l.face.Store(&faceRef{weak.Make(h)})
	l.gcAsked = false
	return h
}

// held reports whether somebody holds the Loop, and so may call in. Who has
// dropped it is found out by a garbage collection, once, in the background.
func (l *loop) held() bool {
	ref := l.face.Load()
	if ref == nil || ref.ptr.Value() == nil {
		return false
	}
	if !l.gcAsked {
		l.gcAsked = true
		go runtime.GC()
	}
	return true
}
