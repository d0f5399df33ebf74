package main

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"
)

// beside runs fn on so many goroutines and waits for them.
func beside(goroutines int, fn func()) {
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(fn)
	}
	wg.Wait()
}

// lock hands a mutex on between goroutines: each yields while it holds it, so
// that the others come to wait, and again after it has released it, without
// which a Go mutex would go to the same goroutine again.
func lock(goroutines int) {
	var mu sync.Mutex
	beside(goroutines, func() {
		for range rounds / goroutines {
			mu.Lock()
			runtime.Gosched()
			mu.Unlock()
			runtime.Gosched()
		}
	})
}

func lockUncontended(int) {
	var mu sync.Mutex
	for range rounds {
		mu.Lock()
		mu.Unlock()
	}
}

// weighted is lock with a permit for every tenth goroutine, from x/sync.
func weighted(goroutines int) {
	ctx, room := context.Background(), semaphore.NewWeighted(int64(max(1, goroutines/10)))
	beside(goroutines, func() {
		for range rounds / goroutines {
			must(room.Acquire(ctx, 1))
			runtime.Gosched()
			room.Release(1)
			runtime.Gosched()
		}
	})
}

func weightedUncontended(int) {
	ctx, room := context.Background(), semaphore.NewWeighted(1)
	for range rounds {
		must(room.Acquire(ctx, 1))
		room.Release(1)
	}
}

// permits is weighted with a channel for the semaphore.
func permits(goroutines int) {
	room := make(chan struct{}, max(1, goroutines/10))
	beside(goroutines, func() {
		for range rounds / goroutines {
			room <- struct{}{}
			runtime.Gosched()
			<-room
			runtime.Gosched()
		}
	})
}

func permitsUncontended(int) {
	room := make(chan struct{}, 1)
	for range rounds {
		room <- struct{}{}
		<-room
	}
}

// event lets two goroutines wake each other in turn. A channel with room for one
// is Go's flag that can be waited for: sent to it is set, received from it is
// waited for and cleared.
func event(int) {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	go func() {
		for range rounds / 2 {
			<-ping
			pong <- struct{}{}
		}
	}()
	for range rounds / 2 {
		ping <- struct{}{}
		<-pong
	}
}

func eventUncontended(int) {
	flag := make(chan struct{}, 1)
	for range rounds {
		flag <- struct{}{}
		<-flag
	}
}

// condition lets two goroutines take turns.
func condition(int) {
	c, turn := sync.NewCond(&sync.Mutex{}), 0
	player := func(me int) func() {
		return func() {
			for range rounds / 2 {
				c.L.Lock()
				for turn != me {
					c.Wait()
				}
				turn = 1 - me
				c.Signal()
				c.L.Unlock()
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(player(0))
	wg.Go(player(1))
	wg.Wait()
}

func conditionUncontended(int) {
	c := sync.NewCond(&sync.Mutex{})
	for range rounds {
		c.L.Lock()
		c.Signal()
		c.L.Unlock()
	}
}

func queueUncontended(int) {
	queue := make(chan int, 1)
	for i := range rounds {
		queue <- i
		<-queue
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
