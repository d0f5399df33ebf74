package engine

import (
	"math/rand/v2"
	"testing"
)

func TestRing_againstASlice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var r ring
	var model []runnable
	for step := range 100_000 {
		// Longer and longer, then shorter and shorter, so that it grows and turns.
		if growing := step/10_000%2 == 0; len(model) == 0 || rnd.IntN(5) < 2 == !growing {
			e := &Handle{}
			r.push(e)
			model = append(model, e)
		} else {
			if got := r.pop(); got != model[0] {
				t.Fatalf("step %d: the wrong entry came out", step)
			}
			model = model[1:]
		}
		if r.n != len(model) {
			t.Fatalf("step %d: length %d, want %d", step, r.n, len(model))
		}
		if r.n > 0 {
			if i := rnd.IntN(r.n); r.at(i) != model[i] {
				t.Fatalf("step %d: entry %d is not what was pushed", step, i)
			}
		}
	}
	for range model {
		r.pop()
	}
	for _, e := range r.buf {
		if e != nil {
			t.Fatal("an empty ring still refers to an entry")
		}
	}
}
