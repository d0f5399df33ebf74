package engine

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

// Stack returns where the task is, the innermost call first: what it waits in,
// with the line of the call, and from there out to the task's own function.
// Frames of this package are left out, but for its exported functions. A
// task that has not started yet, or has ended, has none. It belongs on the loop,
// and costs a few microseconds.
func (t *Task) Stack() []runtime.Frame {
	l := t.Scope.loop
	l.Check("Task.Stack")
	if t.state != Pending || t.at == nil || l.current != nil && l.current.at == nil {
		return nil
	}
	pcs := make([]uintptr, 64)
	var n int
	capture := func() {
		for n = runtime.Callers(2, pcs); n == len(pcs); n = runtime.Callers(2, pcs) {
			pcs = make([]uintptr, 4*len(pcs))
		}
	}
	switch {
	case l.current == t:
		capture()
	case l.current != nil:
		l.pool.Visit(l.current.at.worker(), t.at.worker(), capture)
	default:
		l.pool.Visit(nil, t.at.worker(), capture)
	}
	return usersFrames(pcs[:n])
}

// usersFrames are the frames of a task's stack that mean something to users.
func usersFrames(pcs []uintptr) []runtime.Frame {
	var stack []runtime.Frame
	for frames, more := runtime.CallersFrames(pcs), true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == performName {
			break
		}
		if !machinery(f.Function) {
			stack = append(stack, f)
		}
	}
	return stack
}

const (
	module      = "github.com/go-asyncio/asyncio"
	performName = module + "/internal/engine.perform"
)

// machinery reports whether a function is one of this package's that users do
// not call: an unexported one, or a closure of one.
func machinery(function string) bool {
	if strings.HasPrefix(function, module+"/internal/") {
		return true
	}
	name, ours := strings.CutPrefix(function, module+".")
	if !ours {
		return false
	}
	if receiver, method, ok := strings.Cut(name, ")."); ok {
		receiver = strings.TrimLeft(receiver, "(*")
		if !exported(receiver) || method == "Stack" {
			return true
		}
		name = method // (*Task[...]).Await
	}
	return !exported(name)
}

func exported(name string) bool { return name[0] >= 'A' && name[0] <= 'Z' }

// position returns where a task waits in the user's code, as file:line, or "".
func (t *Task) position() string {
	if f, ok := usersFrame(t.Stack()); ok {
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return ""
}

// place returns the file:line of a program counter, "" if it is the library's.
func place(pc uintptr) string {
	f := callerpc.Frame(pc)
	if f.PC == 0 || libraryFrame(f) {
		return ""
	}
	return lineOf(f)
}

func lineOf(f runtime.Frame) string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

// Place returns the file:line of a program counter, "" if it is the library's.
func Place(pc uintptr) string { return place(pc) }
