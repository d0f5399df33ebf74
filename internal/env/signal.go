package env

import (
	"os"
	"os/signal"
)

// Signals are the signals that the program gets.
type Signals struct {
	// Notify lets fn be called for each signal sig, on any goroutine but in order, in place of what the signal does
	// otherwise, until stop. Several may be told of the same signal; stop leaves the others alone. It is called once, and
	// does not wait for fn.
	Notify func(sig os.Signal, fn func()) (stop func())
	// Ignored reports whether the program was started with sig ignored.
	Ignored func(sig os.Signal) bool
}

// notify has a channel and a goroutine of its own for each: os/signal can add a signal to a channel, but cannot take a
// single one out without letting others slip by.
func notify(sig os.Signal, fn func()) (stop func()) {
	arrived := make(chan os.Signal, 16)
	signal.Notify(arrived, sig)
	go func() {
		for range arrived {
			fn()
		}
	}()
	return func() {
		signal.Stop(arrived)
		close(arrived)
	}
}
