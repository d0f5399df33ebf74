package coro

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

type job struct{ run func(*Worker[job]) }

func newPool() *Pool[job] {
	return NewPool(func(w *Worker[job]) *Worker[job] {
		done := false
		defer func() {
			if !done {
				w.Exited()
			}
		}()
		w.State.run(w)
		done = true
		return nil
	}, nil)
}

func get(p *Pool[job], f func(*Worker[job])) *Worker[job] {
	w := p.Get()
	w.State.run = f
	return w
}

func start(p *Pool[job], f func(*Worker[job])) *Worker[job] {
	w := get(p, f)
	p.Enter(w)
	return w
}

func TestWorker_suspendAndResume_runsInTurns(t *testing.T) {
	p := newPool()
	var order []string
	w := start(p, func(w *Worker[job]) {
		order = append(order, "a")
		w.Switch(nil)
		order = append(order, "c")
	})
	order = append(order, "b")
	p.Enter(w)
	if got := strings.Join(order, ""); got != "abc" {
		t.Fatalf("order %v, want a b c", order)
	}
	p.Close()
}

func TestWorker_switch_goesStraightToAnotherWorker(t *testing.T) {
	p := newPool()
	var order []string
	var a, b *Worker[job]
	a = get(p, func(w *Worker[job]) {
		order = append(order, "a1")
		w.Switch(b)
		order = append(order, "a2")
		w.Switch(b)
		order = append(order, "a3")
	})
	b = get(p, func(w *Worker[job]) {
		order = append(order, "b1")
		w.Switch(a)
		order = append(order, "b2")
		w.Switch(nil)
		order = append(order, "b3")
	})
	p.Enter(a)
	order = append(order, "hub")
	p.Enter(b)
	p.Enter(a)
	if got := strings.Join(order, " "); got != "a1 b1 a2 b2 hub b3 a3" {
		t.Fatalf("order %v", got)
	}
	p.Close()
	if p.Count() != 0 {
		t.Fatalf("%d workers after Close, want 0", p.Count())
	}
}

func TestPool_jobsThatDoNotSuspend_shareOneWorker(t *testing.T) {
	p := newPool()
	for range 100 {
		start(p, func(*Worker[job]) {})
	}
	if p.Count() != 1 || p.Idle() != 1 {
		t.Fatalf("%d workers, %d idle, want 1, 1", p.Count(), p.Idle())
	}
	p.Close()
	if p.Count() != 0 {
		t.Fatalf("%d workers after Close, want 0", p.Count())
	}
}

func TestPool_visit_seesTheStackOfASuspendedWorker(t *testing.T) {
	p := newPool()
	visit := func(from, w *Worker[job]) string {
		var buf []byte
		p.Visit(from, w, func() { buf = append(buf, make([]byte, 4096)...); buf = buf[:runtime.Stack(buf, false)] })
		return string(buf)
	}
	ends := 0
	w := start(p, func(w *Worker[job]) { suspendedHere(w); ends++ })
	if s := visit(nil, w); !strings.Contains(s, "suspendedHere") {
		t.Errorf("the hub sees\n%s", s)
	}
	var seen [2]string
	other := start(p, func(other *Worker[job]) {
		seen[0] = visit(other, w)
		seen[1] = visit(other, w)
		other.Switch(w)
		ends++
	})
	if !strings.Contains(seen[0], "suspendedHere") || seen[1] != seen[0] {
		t.Errorf("another worker sees\n%s\nand then\n%s", seen[0], seen[1])
	}
	p.Enter(other)
	if p.Close(); ends != 2 || p.Count() != 0 {
		t.Errorf("%d of 2 ended, %d workers left", ends, p.Count())
	}
}

//go:noinline
func suspendedHere(w *Worker[job]) { w.Switch(nil) }

func TestPool_trimAfterABurst_endsTheSurplus(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPool()
	var ws []*Worker[job]
	for range 50 {
		ws = append(ws, start(p, func(w *Worker[job]) { w.Switch(nil) }))
	}
	for _, w := range ws {
		p.Enter(w)
	}
	p.Trim(10, 1000)
	if p.Count() != 10 || p.Idle() != 10 {
		t.Fatalf("%d workers, %d idle after Trim, want 10, 10", p.Count(), p.Idle())
	}
	p.Close()
	if n := runtime.NumGoroutine(); n > before {
		t.Fatalf("%d goroutines left of %d", n-before, 50)
	}
}

func TestWorker_goexit_endsOnlyThatWorker(t *testing.T) {
	p := newPool()
	cleaned := false
	w := start(p, func(w *Worker[job]) {
		defer func() { cleaned = true }()
		w.Switch(nil)
		runtime.Goexit()
	})
	p.Enter(w)
	if !cleaned || p.Count() != 0 {
		t.Fatalf("cleaned %v, %d workers, want true, 0", cleaned, p.Count())
	}
	start(p, func(*Worker[job]) {})
	p.Close()
}

// Workers hand on to one another at random, some end by Goexit, idle ones are
// trimmed: wherever they are parked, each gets its turns and its end.
func TestPool_randomSwitches_everyWorkerEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		p := newPool()
		var ready []*Worker[job]
		live, ended := 0, 0
		next := func() *Worker[job] {
			if len(ready) == 0 || rnd.IntN(5) == 0 {
				return nil
			}
			i := rnd.IntN(len(ready))
			w := ready[i]
			ready = append(ready[:i], ready[i+1:]...)
			return w
		}
		body := func(w *Worker[job]) {
			defer func() { live--; ended++ }()
			for range rnd.IntN(20) {
				if len(ready) > 0 && rnd.IntN(3) == 0 {
					if other := ready[rnd.IntN(len(ready))]; other.G() != 0 {
						p.Visit(w, other, func() {})
					}
				}
				ready = append(ready, w)
				if to := next(); to != w {
					w.Switch(to)
				}
			}
			if rnd.IntN(4) == 0 {
				runtime.Goexit()
			}
		}
		started := 0
		for started < 40 || live > 0 || len(ready) > 0 {
			if started < 40 && rnd.IntN(2) == 0 {
				ready = append(ready, get(p, body))
				started++
				live++
			}
			if w := next(); w != nil {
				p.Enter(w)
			}
			if len(ready) > 0 && rnd.IntN(3) == 0 {
				if w := ready[rnd.IntN(len(ready))]; w.G() != 0 {
					p.Visit(nil, w, func() {
						if Getg() != w.G() {
							t.Error("a visit on another goroutine")
						}
					})
				}
			}
			if rnd.IntN(8) == 0 {
				p.Trim(rnd.IntN(3), rnd.IntN(4))
			}
		}
		p.Close()
		if ended != 40 || p.Count() != 0 {
			t.Fatalf("seed %d: %d of 40 ended, %d workers left", seed, ended, p.Count())
		}
	}
	for patience := time.After(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() { // the last may be about to end
		select {
		case <-patience:
			t.Fatalf("%d goroutines left", runtime.NumGoroutine()-before)
		default:
		}
	}
}

func TestPool_onALockedThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newPool()
	var inner *Worker[job]
	w := start(p, func(w *Worker[job]) {
		inner = get(p, func(w *Worker[job]) { w.Switch(nil) })
		w.Switch(inner)
	})
	p.Enter(w)
	p.Enter(inner)
	p.Close()
}

func TestGetg_tellsGoroutinesApart(t *testing.T) {
	p := newPool()
	var inside uintptr
	w := start(p, func(w *Worker[job]) { inside = Getg(); w.Switch(nil) })
	if inside == 0 || inside == Getg() || inside != w.G() {
		t.Fatalf("worker's g %#x (G %#x), hub's %#x", inside, w.G(), Getg())
	}
	p.Enter(w)
	p.Close()
}

func TestWorker_switch_allocatesNothing(t *testing.T) {
	p := newPool()
	stop := false
	w := start(p, func(w *Worker[job]) {
		for !stop {
			w.Switch(nil)
		}
	})
	if n := testing.AllocsPerRun(100, func() { p.Enter(w) }); n != 0 {
		t.Fatalf("%v allocations a switch, want 0", n)
	}
	stop = true
	p.Enter(w)
	p.Close()
}

// BenchmarkSwitch is there and back: two switches.
func BenchmarkSwitch(b *testing.B) {
	p := newPool()
	stop := false
	w := start(p, func(w *Worker[job]) {
		for !stop {
			w.Switch(nil)
		}
	})
	for b.Loop() {
		p.Enter(w)
	}
	stop = true
	p.Enter(w)
	p.Close()
}
