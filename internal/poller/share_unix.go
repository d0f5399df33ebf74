//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"runtime"
	"time"
)

// share lets other goroutines have the processor before the Go runtime takes it away, which it does when a goroutine
// has not given it up for 10 ms, and a loop's coroutines look like one goroutine to it. Taking it costs a signal, and
// the runtime's monitor looks every 20 µs from then on: half of a busy loop's thread switches came from that.
type share struct{ last time.Time }

const shareEvery = 8 * time.Millisecond

func (s *share) now() {
	if now := time.Now(); now.Sub(s.last) >= shareEvery {
		s.last = now
		runtime.Gosched()
	}
}
