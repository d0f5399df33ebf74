package engine

import "time"

// alarmHeap is a 4-ary heap by deadline, then by the order of arming. Entries
// carry their keys, so that sifting touches no alarm.
//
// A binary heap was a third slower; a timing wheel arms and disarms faster but
// needs sorting within a tick for exact order and for exact virtual time.
type alarmHeap struct {
	entries []alarmEntry
	seq     uint64
	keepers int // of the entries; see Alarm.Housekeeping
}

// first returns the time of the first alarm; Forever if there is none.
func (h *alarmHeap) first() time.Duration {
	if len(h.entries) == 0 {
		return Forever
	}
	return h.entries[0].when
}

// wakers returns how many alarms may wake a task.
func (h *alarmHeap) wakers() int { return len(h.entries) - h.keepers }

type alarmEntry struct {
	when time.Duration
	seq  uint64
	a    *alarmNode
}

func (a *alarmEntry) before(b *alarmEntry) bool {
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (h *alarmHeap) arm(a *alarmNode, when time.Duration) {
	h.seq++
	e := alarmEntry{when, h.seq, a}
	if a.place == 0 {
		if a.keeper {
			h.keepers++
		}
		h.entries = append(h.entries, e)
		h.up(len(h.entries)-1, e)
		return
	}
	h.replace(int(a.place)-1, e)
}

// disarm takes out an alarm, if it is in the heap.
func (h *alarmHeap) disarm(a *alarmNode) {
	i := int(a.place) - 1
	if i < 0 {
		return
	}
	a.place = 0
	if a.keeper {
		h.keepers--
	}
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = alarmEntry{}
	h.entries = h.entries[:last]
	if i < last {
		h.replace(i, e)
	}
}

// popDue removes and returns the first alarm if it is due, or else nil.
func (h *alarmHeap) popDue(now time.Duration) *alarmNode {
	if len(h.entries) == 0 || h.entries[0].when > now {
		return nil
	}
	a := h.entries[0].a
	h.disarm(a)
	return a
}

// replace puts e into the hole at i and restores the order.
func (h *alarmHeap) replace(i int, e alarmEntry) {
	if i > 0 && e.before(&h.entries[(i-1)/4]) {
		h.up(i, e)
	} else {
		h.down(i, e)
	}
}

func (h *alarmHeap) up(i int, e alarmEntry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.entries[parent]) {
			break
		}
		h.set(i, h.entries[parent])
		i = parent
	}
	h.set(i, e)
}

func (h *alarmHeap) down(i int, e alarmEntry) {
	for {
		least := 4*i + 1
		if least >= len(h.entries) {
			break
		}
		for c := least + 1; c < min(4*i+5, len(h.entries)); c++ {
			if h.entries[c].before(&h.entries[least]) {
				least = c
			}
		}
		if e.before(&h.entries[least]) {
			break
		}
		h.set(i, h.entries[least])
		i = least
	}
	h.set(i, e)
}

func (h *alarmHeap) set(i int, e alarmEntry) {
	h.entries[i] = e
	e.a.place = int32(i) + 1
}
