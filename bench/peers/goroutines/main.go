// Command goroutines does what ours/tasks does with what Go has: goroutines,
// channels and package sync. Usage: goroutines WHAT [N]
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const (
	rounds = 100_000
	yields = 1_000_000
)

func main() {
	what, n := os.Args[1], 0
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	switch what {
	case "spawn":
		measure.Ops(n, func() { spawn(n) })
	case "gather":
		inGroups(n, func() { gather(n) })
	case "group":
		inGroups(n, func() { group(n) })
	case "cancel":
		measure.Timed(n, func() time.Duration { return cancelEach(n) })
	case "cancel-group":
		measure.Timed(n, func() time.Duration { return cancelTogether(n) })
	case "yield":
		each := max(yields/n, 500) // so many that starting the goroutines does not count
		measure.Ops(n*each, func() { yield(n, each) })
	case "sleepers":
		measure.Items(n, func() { sleepers(n) })
	case "after":
		timers := make([]<-chan time.Time, n)
		measure.Items(n, func() {
			for i := range timers {
				timers[i] = time.After(time.Hour)
			}
		})
		runtime.KeepAlive(timers)
	default:
		fn, ok := inRounds[what]
		if !ok {
			fmt.Fprintln(os.Stderr, "goroutines: no such measurement:", what)
			os.Exit(2)
		}
		measure.Ops(rounds, func() { fn(max(n, 2)) })
	}
}

// inRounds are the measurements that do rounds operations, with a number of
// goroutines where that matters.
var inRounds = map[string]func(goroutines int){
	"spawn-await":           spawnAwait,
	"queue":                 func(int) { pingPong(make(chan int), make(chan int)) },
	"queue-buffered":        func(int) { pingPong(make(chan int, 1), make(chan int, 1)) },
	"queue-uncontended":     queueUncontended,
	"lock":                  lock,
	"lock-uncontended":      lockUncontended,
	"semaphore":             weighted,
	"semaphore-uncontended": weightedUncontended,
	"bounded-uncontended":   weightedUncontended,
	"permits":               permits,
	"permits-uncontended":   permitsUncontended,
	"event":                 event,
	"event-uncontended":     eventUncontended,
	"condition":             condition,
	"condition-uncontended": conditionUncontended,
	"future":                func(int) { future() },
	"timeout":               timeout,
	"timeout-yield":         timeoutYield,
}

func spawn(n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() { wg.Done() }()
	}
	wg.Wait()
}

func spawnAwait(int) {
	var wg sync.WaitGroup
	for range rounds {
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
}

func yield(tasks, each int) {
	var wg sync.WaitGroup
	for range tasks {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				runtime.Gosched()
			}
		}()
	}
	wg.Wait()
}

// pingPong hands a number to and fro: rounds hand-overs in all.
func pingPong(ping, pong chan int) {
	go func() {
		for v := range ping {
			pong <- v
		}
	}()
	for i := range rounds / 2 {
		ping <- i
		<-pong
	}
	close(ping)
}

type ball struct {
	number int
	back   chan ball // where the answer goes, made for it alone
}

// future hands a ball to and fro, each time through a channel made for it alone.
func future() {
	first := make(chan ball, 1)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		play(<-first)
	}()
	play(ball{0, first})
	wg.Wait()
}

// play hits the ball back until it has been hit rounds times.
func play(b ball) {
	for b.number < rounds {
		answer := make(chan ball, 1)
		b.back <- ball{b.number + 1, answer}
		if b.number+1 >= rounds {
			return
		}
		b = <-answer
	}
}

// sleepers returns when n goroutines sleep.
func sleepers(n int) {
	var asleep atomic.Int64
	for range n {
		go func() {
			asleep.Add(1)
			time.Sleep(time.Hour)
		}()
	}
	for asleep.Load() < int64(n) {
		runtime.Gosched()
	}
}
