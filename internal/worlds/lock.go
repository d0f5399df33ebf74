package worlds

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Lock is a lock for coroutines and goroutines alike: a coroutine that waits for it lets the loop go on, a
// goroutine blocks. It is handed on in the order of asking. The zero Lock is free.
//
// asyncio.Lock knows no goroutines, and sync.Mutex no coroutines.
type Lock struct {
	state atomic.Uint32 // free, held, or contended
	mu    sync.Mutex
	line  []*turn
}

const (
	free      = iota
	held      // and nobody waits
	contended // held, and the line has to be looked at
)

// turn is a place in line.
type turn struct {
	task    *engine.WaitQueue // a coroutine's
	granted bool              // the coroutine's, on the loop
	foreign chan struct{}     // a goroutine's
}

// TryAcquire takes the lock if that needs no waiting.
func (l *Lock) TryAcquire() bool { return l.state.CompareAndSwap(free, held) }

// Acquire waits on the loop. If ctx ends first it returns the cause, and does not hold the lock.
func (l *Lock) Acquire(ctx context.Context, loop *engine.Loop, what engine.Waitable) error {
	loop.Stir()
	if l.TryAcquire() {
		return nil
	}
	t := &turn{task: new(engine.WaitQueue)}
	if !l.enqueue(t) {
		return nil
	}
	for !t.granted {
		if err := t.task.WaitIO(ctx, what); err != nil {
			l.leave(t, loop)
			return err
		}
	}
	return nil
}

// AcquireForeign blocks the goroutine.
func (l *Lock) AcquireForeign() {
	if l.TryAcquire() {
		return
	}
	t := &turn{foreign: make(chan struct{})}
	if l.enqueue(t) {
		<-t.foreign
	}
}

// enqueue gets t into line; false if the lock was free, and is the caller's now.
func (l *Lock) enqueue(t *turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Swap(contended) == free {
		return false
	}
	l.line = append(l.line, t)
	return true
}

// leave gives up a place in line, or the lock if that had been granted in the meantime.
func (l *Lock) leave(t *turn, loop *engine.Loop) {
	l.mu.Lock()
	for i, other := range l.line {
		if other == t {
			l.line = append(l.line[:i], l.line[i+1:]...)
			l.mu.Unlock()
			return
		}
	}
	l.mu.Unlock()
	l.Release(loop)
}

// Release hands the lock to the first in line. Any goroutine may call it.
func (l *Lock) Release(loop *engine.Loop) {
	if l.state.CompareAndSwap(held, free) {
		return
	}
	for {
		l.mu.Lock()
		if len(l.line) == 0 {
			l.state.Store(free)
			l.mu.Unlock()
			return
		}
		t := l.line[0]
		l.line = append(l.line[:0], l.line[1:]...)
		l.mu.Unlock()
		if t.grant(loop) {
			return
		}
	}
}

// grant reports false if the loop has ended, and whoever waited with it.
func (t *turn) grant(loop *engine.Loop) bool {
	if t.foreign != nil {
		close(t.foreign)
		return true
	}
	wake := func() {
		t.granted = true
		t.task.WakeAll()
	}
	if loop.On() {
		wake()
		return true
	}
	return loop.CallSoonThreadsafe(wake) == nil
}
