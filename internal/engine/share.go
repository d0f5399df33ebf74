package engine

import (
	"runtime"
	"time"
)

// share lets other goroutines have the processor now and then. To the Go
// scheduler a busy loop looks like one goroutine that never ends its slice:
// the garbage collector's workers wait for their turn meanwhile, and with one
// processor its write barrier is then on for half of the time, at a quarter of
// the loop's speed; and after 10 ms the runtime takes the processor by a signal.
//
// But with others that compute for long, each time costs the loop their slice.
// So it is often where it proves to be short, and seldom where not. On a virtual
// clock it is each so many polls: what real time it is must make no difference.
type share struct {
	next  time.Time
	polls uint
}

const (
	shareOften  = 100 * time.Microsecond
	shareSeldom = 8 * time.Millisecond
	shareShort  = time.Millisecond
	sharePolls  = 32
)

func (s *share) now(virtual bool) {
	if virtual {
		if s.polls++; s.polls%sharePolls == 0 {
			runtime.Gosched()
		}
		return
	}
	start := time.Now()
	if start.Before(s.next) {
		return
	}
	runtime.Gosched()
	end := time.Now()
	if end.Sub(start) < shareShort {
		s.next = end.Add(shareOften)
	} else {
		s.next = end.Add(shareSeldom)
	}
}
