package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Dump returns what each task does as text, a line or two a task. Any goroutine
// may ask. A loop that is blocked cannot answer: then it is said where it is.
func (l *Loop) Dump() string {
	if l.Closed() {
		return l.title() + " is closed\n"
	}
	if !l.Elsewhere() {
		return l.dumpTasks()
	}
	answer := make(chan string, 1)
	step := l.stepsTaken()
	if !l.Post(func() { answer <- l.dumpTasks() }) {
		return l.title() + " is closed\n"
	}
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case text := <-answer:
			return text
		case <-tick.C:
		}
		switch {
		case l.Closed():
			return l.title() + " is closed\n"
		case !l.Running():
			return l.title() + " does not run at present\n"
		case l.standsAt(step):
			return l.dumpBlocked()
		}
		step = l.stepsTaken()
	}
}

// DumpAll returns the dumps of all open loops.
func DumpAll() string {
	loops.Lock()
	open := slices.SortedFunc(maps.Keys(loops.open), func(a, b *Loop) int { return cmp.Compare(a.number, b.number) })
	loops.Unlock()
	var b strings.Builder
	for _, l := range open {
		if l.Running() { // others are somebody's who is not asked here
			b.WriteString(l.Dump())
		}
	}
	return b.String()
}

func (l *Loop) title() string { return fmt.Sprintf("asyncio: event loop %d", l.number) }

func (l *Loop) dumpTasks() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s\n", l.title(), count(l.tasks, "task"))
	for t := range l.AllTasks {
		t.dump(&b)
	}
	return b.String()
}

// dump writes one task. What it waits for may be a user's, whose name panics.
func (t *Task) dump(b *strings.Builder) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(b, "  %s: describing it panicked: %v\n", t.Name(), v)
		}
	}()
	line := t.describe()
	fmt.Fprintf(b, "  %s\n", line)
	var by []string
	for _, q := range t.AllLines() {
		for w := range q.Tasks {
			if by = append(by, w.Name()); len(by) > 10 {
				by = append(by[:10], "others")
				break
			}
		}
	}
	if len(by) > 0 {
		fmt.Fprintf(b, "    awaited by %s\n", strings.Join(by, ", "))
	}
}

// dumpBlocked says what is known of a loop that cannot be asked.
func (l *Loop) dumpBlocked() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s, which cannot be listed as the loop is blocked\n", l.title(), count(l.tasksLeft(), "task"))
	t := l.runningTask()
	r := blockReport(l.runningName(), 0, false, l.blocker())
	if t != nil {
		r.created = t.Created()
	}
	r.writeTo(&b)
	return b.String()
}

//go:norace
func (l *Loop) tasksLeft() int { return l.tasks }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
