package engine

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

// This file finds out where the step is that holds a loop, from beside the loop.
//
// What Go offers for that are the stacks of all goroutines. runtime.Stack stops
// the program for 10 µs a goroutine and more. A goroutine profile stops it only
// to begin and to end: each goroutine's stack is noted while the others run, and
// is that of the moment at which the profile began. It takes 1.4 µs of processor
// time a goroutine (measured at 200,000: 0.27 s) and 0.4 KB, given back afterwards;
// nothing among a few thousand. At 1,000,000 suspended tasks it took 2.4 s. On two
// cores that other programs kept busy seven times over, the line came 3 s after the
// limit if the loop slept, and 25 s if it computed, which takes time from the search.
// So the watchdog says first that the loop is blocked. (The same as text, from
// runtime/pprof, takes 4 to 7 µs; an execution trace 0.8 µs, but nobody else may
// trace then.) The loop pays nothing
// before it is suspected: see marks.go.
//
// A CPU profile would be cheaper, but there can be one only, and that may be the
// user's; and it does not see who waits.

// holders returns the stacks, the innermost call first, of the goroutines that
// are in a step of the loop and not suspended. That is one, unless loops share
// the mark; or none, if the loop has just gone on.
func (l *Loop) holders() [][]runtime.Frame {
	profiling.Lock() // one at a time: at a million tasks each takes half a gigabyte
	defer profiling.Unlock()
	s := search{mark: int8(l.mark), of: map[uintptr]pcKind{}}
	if s.profile(); len(s.found) == 0 && s.cut {
		s.found = nil
		s.deepProfile()
	}
	return s.found
}

var profiling sync.Mutex

// search looks for a loop's stacks among all.
type search struct {
	mark  int8
	of    map[uintptr]pcKind
	found [][]runtime.Frame
	cut   bool // a stack was seen whose outer end is missing
}

// pcKind is what a program counter says of its stack: the mark that it is in, or
// that the goroutine is suspended.
type pcKind int8

const (
	pcNothing   pcKind = -1
	pcSuspended pcKind = -2
)

// profile looks at the innermost 32 calls of each goroutine, which is all that
// this kind of profile has.
func (s *search) profile() {
	for room := runtime.NumGoroutine() + 100; ; room += room / 8 {
		records := make([]runtime.StackRecord, room)
		n, ok := runtime.GoroutineProfile(records)
		if !ok {
			room = max(room, n)
			continue
		}
		for i := range records[:n] {
			pcs := records[i].Stack()
			if !s.look(pcs) && len(pcs) == len(records[i].Stack0) {
				s.cut = true
			}
		}
		return
	}
}

// deepProfile looks at the innermost 128 calls, in a profile that is text.
func (s *search) deepProfile() {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for line := range strings.Lines(profile.String()) {
		if _, stack, ok := strings.Cut(line, " @ "); ok {
			var pcs []uintptr
			for field := range strings.FieldsSeq(stack) {
				pc, _ := strconv.ParseUint(field, 0, 64)
				pcs = append(pcs, uintptr(pc))
			}
			s.look(pcs)
		}
	}
}

// look keeps the stack if it is one of those, and reports whether it is known
// whose it is. At the outer end it leaves out what is not the step's.
func (s *search) look(pcs []uintptr) (known bool) {
	for i, pc := range pcs {
		switch k := s.kind(pc); {
		case k == pcSuspended && i < 2:
			return true
		case k == pcKind(s.mark):
			s.found = append(s.found, frames(pcs[:i]))
			return true
		case k >= 0:
			return true
		}
	}
	return false
}

func (s *search) kind(pc uintptr) pcKind {
	k, ok := s.of[pc]
	if ok {
		return k
	}
	k = pcNothing
	for _, f := range frames([]uintptr{pc}) {
		if mark, ok := strings.CutPrefix(f.Function, markPrefix); ok {
			if n, err := strconv.Atoi(mark); err == nil {
				k = pcKind(n)
			}
		} else if strings.HasPrefix(f.Function, "runtime.coro") {
			k = pcSuspended
		}
	}
	s.of[pc] = k
	return k
}

// A doing is what a stack shows of the step: whether it computes or waits, for
// what, and what to do about it.
type doing struct {
	what   string // "computes", "waits for a mutex"
	advice string
	waits  bool
}

// doings are recognized by the functions of the runtime and of Go's library in
// which a goroutine waits; the first that is in the stack above the user's line
// says what it is. They are named by the beginnings of their names.
var doings = []struct {
	functions []string
	doing
}{
	{[]string{"sync.(*Mutex).Lock", "sync.(*RWMutex).", "internal/sync.(*Mutex)."}, doing{
		"waits for a mutex", "who holds it may be a task that waits meanwhile and can never go on: use asyncio.Lock, or hold no mutex across a wait", true}},
	{[]string{"sync.(*WaitGroup).Wait"}, doing{
		"waits for a sync.WaitGroup", "use asyncio.Group, or wait in asyncio.ToThread", true}},
	{[]string{"sync.(*Cond).Wait", "sync.runtime_notifyListWait", "sync.(*Once).", "sync.runtime_Semacquire", "internal/sync.runtime_Semacquire"}, doing{
		"waits for another goroutine", "use what package asyncio has for it, or wait in asyncio.ToThread", true}},
	{[]string{"time.Sleep"}, doing{
		"sleeps in time.Sleep", "use asyncio.Sleep", true}},
	{[]string{"internal/poll.runtime_pollWait"}, doing{
		"waits for the network or a pipe", "use aionet, aiohttp or aiofile, or call it in asyncio.ToThread", true}},
	{[]string{"net/http.(*persistConn).", "net/http.(*Transport)."}, doing{
		"waits for an answer over HTTP", "use aiohttp's transport in the http.Client, or call it in asyncio.ToThread", true}},
	{[]string{"database/sql."}, doing{
		"waits for a database", "use aiosql, or call it in asyncio.ToThread", true}},
	{[]string{"os/exec.(*Cmd).", "os.(*Process).Wait"}, doing{
		"waits for a process", "use aioexec, or call it in asyncio.ToThread", true}},
	{[]string{"runtime.chanrecv", "runtime.chansend", "runtime.selectgo", "runtime.block"}, doing{
		"waits for a channel", "use asyncio.Recv, asyncio.Send or an asyncio.Queue, or wait in asyncio.ToThread", true}},
	{[]string{"runtime.cgocall"}, doing{
		"is in a call of C", "call it in asyncio.ToThread", true}},
	{[]string{"syscall.", "internal/runtime/syscall.", "golang.org/x/sys/unix.Syscall", "runtime.exitsyscall"}, doing{
		"is in a call of the system", "use aiofile, aionet or aioexec, or call it in asyncio.ToThread", true}},
}

// whatDoes says what the step does whose stack it is.
func whatDoes(stack []runtime.Frame) doing {
	for i, f := range stack {
		if !goFrame(f) && !strings.HasPrefix(f.Function, "golang.org/x/sys/") {
			stack = stack[:i]
			break
		}
	}
	if len(stack) > 0 && waiting(stack) {
		for _, d := range doings {
			for _, f := range stack {
				for _, name := range d.functions {
					if strings.HasPrefix(f.Function, name) {
						return d.doing
					}
				}
			}
		}
		return doing{"waits", "wait in asyncio.ToThread", true}
	}
	return doing{"computes", "compute in asyncio.ToThread, or let others run in between by asyncio.Yield", false}
}

// waiting reports whether the innermost calls are those of a goroutine that is
// parked, or in a call of the system. One that was made to pause while it ran is
// in none of them.
func waiting(stack []runtime.Frame) bool {
	switch f := stack[0].Function; {
	case strings.HasPrefix(f, "runtime.gopark"), strings.HasPrefix(f, "runtime.notetsleep"), f == "runtime.cgocall":
		return true
	default:
		return strings.HasPrefix(f, "syscall.") || strings.HasPrefix(f, "internal/runtime/syscall.") ||
			strings.HasPrefix(f, "golang.org/x/sys/") || strings.HasPrefix(f, "runtime.exitsyscall") || f == "time.Sleep" ||
			strings.HasPrefix(f, "runtime.entersyscall")
	}
}
