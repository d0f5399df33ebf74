package asyncio

import (
	"fmt"
	"runtime"
	"strings"
	"time"
	"weak"
)

// A DeadlockError says that tasks wait and that nothing can ever wake them: no
// other task is ready, and there is no timer, I/O, thread, or goroutine that
// holds the [Loop].
type DeadlockError struct {
	Tasks []string // each task, what it waits for, who holds that, and where
}

func (e *DeadlockError) Error() string {
	if len(e.Tasks) == 0 {
		return "asyncio: deadlock: there is nothing to do, and nobody who could stop the loop"
	}
	return "asyncio: deadlock: nothing can wake the tasks that wait:\n\t" + strings.Join(e.Tasks, "\n\t")
}

// report describes all tasks that have not ended.
func (l *loop) report() *DeadlockError {
	e := &DeadlockError{}
	for t := range l.allTasks {
		line := fmt.Sprintf("%s %s", t.Name(), t.condition())
		if at := t.position(); at != "" {
			line += " (at " + at + ")"
		}
		if at := t.Created(); at != "" {
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
	runtime.AddCleanup(h, func(ref weak.Pointer[loop]) {
		if l := ref.Value(); l != nil {
			l.post(func() {})
		}
	}, weak.Make(l)) // or a callback that never ran and refers to h would keep both for ever
	l.face.Store(&faceRef{weak.Make(h)})
	l.collectEvery = time.Millisecond
	return h
}

// held reports whether somebody holds the Loop, and so may call in.
func (l *loop) held() bool {
	ref := l.face.Load()
	return ref != nil && ref.ptr.Value() != nil
}

// collect lets the garbage be collected, in the background, as that is how it is
// found out that nobody holds the Loop any more. It returns the time until it
// has to be done again: always longer, as most who hold it mean to.
func (l *loop) collect() time.Duration {
	if wait := time.Until(l.collectAt); wait > 0 {
		return wait
	}
	go runtime.GC()
	l.collectEvery = min(4*l.collectEvery, time.Minute)
	l.collectAt = time.Now().Add(l.collectEvery)
	return l.collectEvery
}
