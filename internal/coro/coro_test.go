package coro

import (
	"runtime"
	"testing"
)

type job struct{ run func(*Worker[job]) }

func newPool() *Pool[job] {
	return NewPool(func(w *Worker[job]) {
		done := false
		defer func() {
			if !done {
				w.Exited()
			}
		}()
		w.State.run(w)
		done = true
	})
}

func start(p *Pool[job], f func(*Worker[job])) *Worker[job] {
	w := p.Get()
	w.State.run = f
	w.Resume()
	return w
}

func TestWorker_suspendAndResume_runsInTurns(t *testing.T) {
	p := newPool()
	var order []string
	w := start(p, func(w *Worker[job]) {
		order = append(order, "a")
		w.Suspend()
		order = append(order, "c")
	})
	order = append(order, "b")
	w.Resume()
	if got := len(order); got != 3 || order[0]+order[1]+order[2] != "abc" {
		t.Fatalf("order %v, want a b c", order)
	}
	p.Close()
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

func TestPool_trimAfterABurst_endsTheSurplus(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPool()
	var ws []*Worker[job]
	for range 50 {
		ws = append(ws, start(p, func(w *Worker[job]) { w.Suspend() }))
	}
	for _, w := range ws {
		w.Resume()
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
		w.Suspend()
		runtime.Goexit()
	})
	w.Resume()
	if !cleaned || p.Count() != 0 {
		t.Fatalf("cleaned %v, %d workers, want true, 0", cleaned, p.Count())
	}
	start(p, func(*Worker[job]) {})
	p.Close()
}

func TestGetg_tellsGoroutinesApart(t *testing.T) {
	p := newPool()
	var inside uintptr
	w := start(p, func(w *Worker[job]) { inside = Getg(); w.Suspend() })
	if inside == 0 || inside == Getg() || inside != w.G() {
		t.Fatalf("worker's g %#x (G %#x), hub's %#x", inside, w.G(), Getg())
	}
	w.Resume()
	p.Close()
}

func TestWorker_switch_allocatesNothing(t *testing.T) {
	p := newPool()
	stop := false
	w := start(p, func(w *Worker[job]) {
		for !stop {
			w.Suspend()
		}
	})
	if n := testing.AllocsPerRun(100, w.Resume); n != 0 {
		t.Fatalf("%v allocations a switch, want 0", n)
	}
	stop = true
	w.Resume()
	p.Close()
}

func BenchmarkSwitch(b *testing.B) {
	p := newPool()
	stop := false
	w := start(p, func(w *Worker[job]) {
		for !stop {
			w.Suspend()
		}
	})
	for b.Loop() {
		w.Resume()
	}
	stop = true
	w.Resume()
	p.Close()
}
