package engine

import (
	"sync"
	"sync/atomic"
)

// inbox is where other goroutines leave functions for the loop.
type inbox struct {
	mu     sync.Mutex
	wake   func()
	fns    []func()
	spare  []func()
	filled atomic.Bool
	closed bool
}

// put leaves fn for the loop, and reports false if the loop has ended.
func (b *inbox) put(fn func()) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.fns = append(b.fns, fn)
	first := len(b.fns) == 1
	b.filled.Store(true)
	b.mu.Unlock()
	if first {
		b.wake()
	}
	return true
}

// drain runs what was left, and reports whether that was anything.
func (b *inbox) drain() bool {
	if !b.filled.Load() {
		return false
	}
	b.mu.Lock()
	fns := b.fns
	b.fns, b.spare = b.spare[:0], nil
	b.filled.Store(false)
	b.mu.Unlock()
	for i, fn := range fns {
		fn()
		fns[i] = nil
	}
	b.mu.Lock()
	b.spare = fns[:0]
	b.mu.Unlock()
	return len(fns) > 0
}

// Post runs fn, which is the library's own and must not panic, on the loop.
func (l *Loop) Post(fn func()) bool { return l.inbox.put(fn) }

// Closed reports whether the loop has ended. Any goroutine may ask.
func (l *Loop) Closed() bool {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	return l.inbox.closed
}

// close refuses what comes from now on, and runs what came before.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.drain()
}
