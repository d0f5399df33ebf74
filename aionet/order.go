package aionet

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/go-asyncio/asyncio"
)

// order is a lock for coroutines and goroutines alike: a coroutine that waits for it lets the loop go on, a
// goroutine blocks. It is handed on in the order of asking. The zero order is free.
//
// asyncio.Lock knows no goroutines, and sync.Mutex no coroutines.
type order struct {
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
	task    *asyncio.WaitQueue // a coroutine's
	granted bool               // the coroutine's, on the loop
	foreign chan struct{}      // a goroutine's
}

func (o *order) tryAcquire() bool { return o.state.CompareAndSwap(free, held) }

// acquire waits on the loop. If ctx ends first it returns the cause, and does not hold the lock.
func (o *order) acquire(ctx context.Context, l *asyncio.Loop, what asyncio.Waitable) error {
	if o.tryAcquire() {
		return nil
	}
	t := &turn{task: new(asyncio.WaitQueue)}
	if !o.enqueue(t) {
		return nil
	}
	for !t.granted {
		if err := t.task.WaitIO(ctx, what); err != nil {
			o.leave(t, l)
			return err
		}
	}
	return nil
}

// acquireForeign blocks the goroutine.
func (o *order) acquireForeign() {
	if o.tryAcquire() {
		return
	}
	t := &turn{foreign: make(chan struct{})}
	if o.enqueue(t) {
		<-t.foreign
	}
}

// enqueue gets t into line; false if the lock was free, and is the caller's now.
func (o *order) enqueue(t *turn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state.Swap(contended) == free {
		return false
	}
	o.line = append(o.line, t)
	return true
}

// leave gives up a place in line, or the lock if that had been granted in the meantime.
func (o *order) leave(t *turn, l *asyncio.Loop) {
	o.mu.Lock()
	for i, other := range o.line {
		if other == t {
			o.line = append(o.line[:i], o.line[i+1:]...)
			o.mu.Unlock()
			return
		}
	}
	o.mu.Unlock()
	o.release(l)
}

// release hands the lock to the first in line. Any goroutine may call it.
func (o *order) release(l *asyncio.Loop) {
	if o.state.CompareAndSwap(held, free) {
		return
	}
	for {
		o.mu.Lock()
		if len(o.line) == 0 {
			o.state.Store(free)
			o.mu.Unlock()
			return
		}
		t := o.line[0]
		o.line = append(o.line[:0], o.line[1:]...)
		o.mu.Unlock()
		if t.grant(l) {
			return
		}
	}
}

// grant reports false if the loop has ended, and whoever waited with it.
func (t *turn) grant(l *asyncio.Loop) bool {
	if t.foreign != nil {
		close(t.foreign)
		return true
	}
	wake := func() {
		t.granted = true
		t.task.WakeAll()
	}
	if l.OnLoop() {
		wake()
		return true
	}
	return l.CallSoonThreadsafe(wake) == nil
}
