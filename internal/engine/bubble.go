package engine

import (
	"bytes"
	"errors"
	"runtime"
)

// A loop may live in a bubble of testing/synctest. What is made in a bubble (a
// channel, a timer) must not be touched by goroutines outside, or the runtime ends
// the program. So a loop there
//   - waits by the portable poller, on a channel and a timer: the bubble sees that,
//     and its time goes on, where a system call would stop it for good;
//   - takes no signals, which os/signal sends from outside;
//   - lets no cleanup of the garbage collector call in: failures that nobody has
//     seen are reported at its end;
//   - has no watchdog, which would keep the bubble's time going for ever.

// inBubble reports whether the caller is in a bubble. The runtime tells nobody, but
// says so in a goroutine's stack trace.
func inBubble() bool {
	var buf [128]byte
	header, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return bytes.Contains(header, []byte("synctest bubble"))
}

// adapt changes what does not work in a bubble.
func (c *Config) adapt() {
	c.Poller, c.Interrupt, c.QuitDump, c.Watchdog = "portable", false, false, 0
}

// InBubble reports whether the loop was made in a bubble.
func (l *Loop) InBubble() bool { return l.bubble }

// CheckBubble returns an error if the loop was made in another world than the
// caller's.
func (l *Loop) CheckBubble() error {
	if inBubble() != l.bubble {
		return errOtherBubble
	}
	return nil
}

var errOtherBubble = errors.New("asyncio: the loop was made outside of the synctest bubble in which it is to run, or the other way round; " +
	"make it where it runs")
