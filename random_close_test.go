package asyncio_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A loop may be closed in any state. Then all tasks are unwound, whatever they
// wait for, hold or own, and every failure until then is reported.
func TestRandomPrograms_closedInTheMiddle_everyTaskIsUnwound(t *testing.T) {
	for seed := range uint64(300) {
		p := newProgram(4*seed + 1) // one without other goroutines
		loop, err := asyncio.NewLoop(asyncio.WithVirtualClock(),
			asyncio.WithExceptionHandler(p.reported), fifo)
		if err != nil {
			t.Fatal(err)
		}
		p.loop = loop
		for range 4 {
			p.begin(0, func(fn asyncio.Coroutine[int], option asyncio.TaskOption) *asyncio.Task[int] {
				return asyncio.CreateTask(loop.Context(), fn, option)
			})
		}
		p.faults = nil // no task is eager while the loop does not run
		for range p.rnd.IntN(100) {
			loop.RunOnce()
		}
		before := p.faults
		watch := time.AfterFunc(time.Minute, func() { panic(fmt.Sprintf("seed %d: Close does not end", seed)) })
		if err := loop.Close(); err != nil {
			t.Errorf("seed %d: Close: %v", seed, err)
		}
		watch.Stop()
		if p.started != p.ended || len(before) > 0 {
			t.Errorf("seed %d: %d tasks were started, %d have ended; faults before: %v", seed, p.started, p.ended, before)
		}
		for number, got := range p.failures {
			if !got {
				t.Errorf("seed %d: failure %d is lost", seed, number)
			}
		}
	}
}
