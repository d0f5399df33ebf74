package asyncio

import "cmp"

// A PriorityQueue is a [Queue] that hands out the least item first, and equal
// ones in the order in which they were put. (Python's heapq gives no such order;
// there a counter goes into each item.) Put and Get take time in proportion to
// the logarithm of its length.
type PriorityQueue[T any] struct{ queue[T] }

// NewPriorityQueue returns a queue for at most limit items, which compare as
// they do by [cmp.Compare]; 0 means any number. It panics if limit is negative.
func NewPriorityQueue[T cmp.Ordered](limit int) *PriorityQueue[T] {
	return newPriorityQueue("NewPriorityQueue", limit, cmp.Compare[T])
}

// NewPriorityQueueFunc is [NewPriorityQueue] for items that compare, as with
// [slices.SortFunc], says to be less (negative), equal (zero) or greater. It is
// called in Put and Get, and must not wait, panic, or use the queue. An item
// that changes its place while it is in the queue breaks the order.
func NewPriorityQueueFunc[T any](limit int, compare func(a, b T) int) *PriorityQueue[T] {
	if compare == nil {
		panic("asyncio: NewPriorityQueueFunc: nil function")
	}
	return newPriorityQueue("NewPriorityQueueFunc", limit, compare)
}

func newPriorityQueue[T any](call string, limit int, compare func(a, b T) int) *PriorityQueue[T] {
	q := &PriorityQueue[T]{queue[T]{kind: kindPriority, store: &heap[T]{compare: compare}}}
	q.init(call, limit)
	return q
}

// heap is a binary heap, by compare and then by the order of coming.
type heap[T any] struct {
	compare func(a, b T) int
	entries []heapEntry[T]
	seq     uint64
}

type heapEntry[T any] struct {
	v   T
	seq uint64
}

func (h *heap[T]) before(a, b *heapEntry[T]) bool {
	c := h.compare(a.v, b.v)
	return c < 0 || c == 0 && a.seq < b.seq
}

func (h *heap[T]) push(v T) {
	h.seq++
	e := heapEntry[T]{v, h.seq}
	h.entries = append(h.entries, e)
	i := len(h.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(&e, &h.entries[parent]) {
			break
		}
		h.entries[i] = h.entries[parent]
		i = parent
	}
	h.entries[i] = e
}

func (h *heap[T]) pop() T {
	first := h.entries[0].v
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = heapEntry[T]{}
	h.entries = h.entries[:last]
	if last > 0 {
		h.down(e)
	}
	return first
}

// down puts e in the place of the root.
func (h *heap[T]) down(e heapEntry[T]) {
	i := 0
	for {
		least := 2*i + 1
		if least >= len(h.entries) {
			break
		}
		if right := least + 1; right < len(h.entries) && h.before(&h.entries[right], &h.entries[least]) {
			least = right
		}
		if h.before(&e, &h.entries[least]) {
			break
		}
		h.entries[i] = h.entries[least]
		i = least
	}
	h.entries[i] = e
}

func (h *heap[T]) keep(n int) {
	kept := make([]heapEntry[T], n)
	for i := range kept {
		kept[i] = h.entries[0]
		h.pop()
	}
	h.entries = kept // which is in order, and so a heap
}
