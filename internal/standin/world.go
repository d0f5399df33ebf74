// Package standin is an environment in memory, for tests: a clock, a network with datagrams, names, pipes, files and
// processes, all small. What a program asks for that is not here panics with a nil pointer, so that a test fails which goes
// past the environment, or wants more of it.
//
// A World has no goroutines, and nothing in it happens by itself: [World.Next] lets the next event happen. Whoever steps
// its loops calls that when none of them can go on, or else the loop does, if Next is the clock's Idle.
package standin

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// A World is what the loops of a test have around them.
type World struct {
	Clock    *env.Clock
	Delay    func() time.Duration              // until what is sent now arrives; 10 ms, if it is not changed
	Names    map[string]string                 // the addresses of hosts
	Roots    [][]byte                          // whom TLS trusts
	Files    map[string]*File                  // by their names
	Programs map[string]func(in string) string // by their paths: what they write when their input has ended
	Log      []string                          // what has happened

	events []event // in the order in which they come
	seq    int
	at     map[string]any // what listens, by network and address
	ports  int
	output *stream // what reads standard output
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

// New returns a world without anything in it, in the year 2000.
func New() *World {
	return &World{
		Clock: env.NewClock(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)),
		Delay: func() time.Duration { return 10 * time.Millisecond },
		Names: map[string]string{}, Files: map[string]*File{}, Programs: map[string]func(string) string{},
		Roots: [][]byte{}, at: map[string]any{},
	}
}

// Env returns the environment of a loop in the world, whose random numbers come from the seed. Nothing in it is the
// system's.
func (w *World) Env(seed uint64) *env.Env {
	return &env.Env{
		Clock:     w.Clock,
		Rand:      env.Seeded(seed),
		Poller:    func(string) (poller.Poller, error) { return &network{w: w}, nil },
		Names:     func() env.Names { return names(w.Names) },
		Roots:     w.Roots,
		Inherited: func() ([]env.Inherited, error) { return nil, nil },
		Go:        runThread,
		Files:     disk{w: w},
		Pipes:     pipes{w: w},
		Signals:   env.Signals{Ignored: func(os.Signal) bool { return true }},
		Processes: w.processes(),
	}
}

// Option returns the root package's option for a loop in the world.
func (w *World) Option(seed uint64) any { return engine.WithEnv(w.Env(seed)) }

// runThread runs a call of ToThread to its end: on a goroutine of its own, since the code of the loop must not be run
// there by mistake, while the loop waits. Of other kinds there are none.
func runThread(kind env.Goroutine, fn func()) {
	if kind != env.Thread {
		panic(fmt.Sprintf("standin: a goroutine of kind %d", kind))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

// Next moves the clock to the first event, if that comes before until, and lets it happen; or else to until. It reports
// false if there is neither.
func (w *World) Next(until time.Duration) bool {
	if len(w.events) == 0 || w.events[0].at > until {
		if until < engine.Forever {
			w.Clock.Advance(until)
		}
		return until < engine.Forever
	}
	e := w.events[0]
	w.events = w.events[1:]
	w.Clock.Advance(e.at)
	e.do()
	return true
}

// send lets something happen when what is sent now has arrived, but not before last, when what was sent before arrives.
func (w *World) send(last *time.Duration, do func()) {
	*last = max(*last, w.Clock.Now()+w.Delay())
	w.seq++
	e := event{*last, w.seq, do}
	i, _ := slices.BinarySearchFunc(w.events, e, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq))
	})
	w.events = slices.Insert(w.events, i, e)
}

func (w *World) note(format string, args ...any) {
	w.Log = append(w.Log, fmt.Sprintf("%v ", w.Clock.Now())+fmt.Sprintf(format, args...))
}

// Output returns what was written to standard output.
func (w *World) Output() string { return string(w.output.in) }

// names are the hosts of a world.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if n[host] == "" {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr(n[host])}, nil
}

func (n names) LookupAddr(_ context.Context, addr string) ([]string, error) {
	for host, at := range n {
		if at == addr {
			return []string{host + "."}, nil
		}
	}
	return nil, &net.DNSError{Err: "no such address", Name: addr, IsNotFound: true}
}

func (names) LookupPort(_ context.Context, _, service string) (int, error) {
	return strconv.Atoi(service)
}
