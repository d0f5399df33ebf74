package engine

import (
	"fmt"
	"strings"
)

// Holders are the tasks that hold permits of something. Adding and removing take
// a constant time, and allocate nothing once there was room for as many.
type Holders struct {
	slots []holder
	one   [1]holder // the first of slots: a lock in disguise never allocates
	spare int32     // the first slot that is empty, from 1 on; 0: there is none
	n     int
}

type holder struct {
	task   *Task
	next   int32 // of the empty slots
	scoped bool  // who added it removes it by its slot
}

// Len returns how many permits are held by tasks that are known.
func (h *Holders) Len() int { return h.n }

// Add notes that t has a permit, until Remove is called with the slot.
func (h *Holders) Add(t *Task) (slot int32) { return h.add(holder{task: t, scoped: true}) }

// AddLoose notes that t has a permit, until Drop.
func (h *Holders) AddLoose(t *Task) { h.add(holder{task: t}) }

func (h *Holders) add(to holder) (slot int32) {
	to.task.Hold(1)
	h.n++
	if h.spare > 0 {
		slot = h.spare - 1
		h.spare = h.slots[slot].next
		h.slots[slot] = to
		return slot
	}
	if h.slots == nil {
		h.slots = h.one[:0]
	}
	h.slots = append(h.slots, to)
	return int32(len(h.slots) - 1)
}

// Remove takes out what Add has noted.
func (h *Holders) Remove(slot int32) {
	h.slots[slot].task.Hold(-1)
	h.slots[slot] = holder{next: h.spare}
	h.spare = slot + 1
	h.n--
}

// Drop takes out a permit of t that AddLoose has noted, or if it has none
// somebody else's: a task may give back what another one has taken.
func (h *Holders) Drop(t *Task) {
	found := int32(-1)
	for i, s := range h.slots {
		if s.task == nil || s.scoped {
			continue
		}
		if found < 0 || s.task == t {
			found = int32(i)
		}
		if s.task == t {
			break
		}
	}
	if found >= 0 {
		h.Remove(found)
	}
}

// Tasks iterates over the holders. One that has several permits comes as often.
func (h *Holders) Tasks(yield func(*Task) bool) {
	for _, s := range h.slots {
		if s.task != nil && !yield(s.task) {
			return
		}
	}
}

// String names them, but not a thousand.
func (h *Holders) String() string {
	const most = 5
	var names []string
	for t := range h.Tasks {
		if len(names) == most {
			names = append(names, fmt.Sprintf("%d more", h.n-most))
			break
		}
		names = append(names, t.Name())
	}
	return strings.Join(names, ", ")
}
