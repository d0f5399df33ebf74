package asyncio

import "slices"

// A LifoQueue is a [Queue] that hands out the item first that came last.
type LifoQueue[T any] struct{ queue[T] }

// NewLifoQueue returns a queue for at most limit items; 0 means any number. It
// panics if limit is negative.
func NewLifoQueue[T any](limit int) *LifoQueue[T] {
	q := &LifoQueue[T]{queue[T]{kind: kindLifo, store: &lifo[T]{}}}
	q.init("NewLifoQueue", limit)
	return q
}

// lifo is a stack.
type lifo[T any] struct{ items []T }

func (s *lifo[T]) push(v T) { s.items = append(s.items, v) }

func (s *lifo[T]) pop() T {
	last := len(s.items) - 1
	v := s.items[last]
	s.items[last] = *new(T)
	s.items = s.items[:last]
	return v
}

func (s *lifo[T]) keep(n int) { s.items = slices.Delete(s.items, 0, len(s.items)-n) }
