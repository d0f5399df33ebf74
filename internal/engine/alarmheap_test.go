package engine

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestAlarmHeap_againstASortedList does the same at random to the heap and to a
// list that is sorted each time.
func TestAlarmHeap_againstASortedList(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var h alarmHeap
		var model []*Alarm // armed, in the order in which they have to come out
		alarms := make([]Alarm, 100)
		drop := func(t *Alarm) { model = slices.DeleteFunc(model, func(m *Alarm) bool { return m == t }) }
		for step := range 5000 {
			x := &alarms[rnd.IntN(len(alarms))]
			switch rnd.IntN(4) {
			case 0, 1:
				x.when = time.Duration(rnd.IntN(30)) - 5
				h.arm(&x.alarmNode, x.when)
				drop(x)
				model = append(model, x)
				slices.SortStableFunc(model, func(a, b *Alarm) int { return cmp.Compare(a.when, b.when) })
			case 2:
				if x.place != 0 {
					h.disarm(&x.alarmNode)
					drop(x)
				}
			case 3:
				now := time.Duration(rnd.IntN(30)) - 5
				got := h.popDue(now)
				if len(model) == 0 || model[0].when > now {
					if got != nil {
						t.Fatalf("seed %d, step %d: a timer for %v came out at %v", seed, step, got.ofAlarm().when, now)
					}
				} else if got.ofAlarm() != model[0] {
					t.Fatalf("seed %d, step %d: the wrong timer came out", seed, step)
				} else {
					model = model[1:]
				}
			}
			if len(h.entries) != len(model) {
				t.Fatalf("seed %d, step %d: %d alarms in the heap, want %d", seed, step, len(h.entries), len(model))
			}
			for i, e := range h.entries {
				if int(e.a.place) != i+1 || e.when != e.a.ofAlarm().when || i > 0 && e.before(&h.entries[(i-1)/4]) {
					t.Fatalf("seed %d, step %d: entry %d is not in its place", seed, step, i)
				}
			}
		}
		for _, want := range model {
			if got := h.popDue(forEverTest); got.ofAlarm() != want || got.place != 0 {
				t.Fatalf("seed %d: the wrong timer came out at the end", seed)
			}
		}
	}
}

const forEverTest = time.Duration(1<<63 - 1)

// conformance: loop-timers-02
func TestAlarmHeap_stoppedTimers_leaveNothingBehind(t *testing.T) {
	var h alarmHeap
	alarms := make([]Alarm, 1000)
	for i := range alarms {
		alarms[i].when = time.Duration(i * 7919 % 1000)
		h.arm(&alarms[i].alarmNode, alarms[i].when)
	}
	for i := range alarms {
		h.disarm(&alarms[i].alarmNode)
		if len(h.entries) != len(alarms)-i-1 {
			t.Fatalf("%d entries after %d of %d were stopped", len(h.entries), i+1, len(alarms))
		}
	}
	for _, e := range h.entries[:cap(h.entries)] {
		if e.a != nil {
			t.Fatal("the heap's memory still refers to a stopped timer")
		}
	}
}
