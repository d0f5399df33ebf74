package engine

import (
	"log/slog"
	"os"
	"time"

	"github.com/go-asyncio/asyncio/internal/env"
)

// A Config says how a loop is made.
type Config struct {
	Debug        bool
	Handler      func(ExceptionInfo)
	Logger       *slog.Logger
	Poller       string
	Watchdog     time.Duration
	Interrupt    bool
	QuitDump     bool
	VirtualClock bool
	Chaos        uint64 // the seed; 0: none
	Trace        *Trace // nil: none

	// Choose chooses under chaos, in place of a random number: it returns which of those that may run next does. A nil
	// Task stands for a callback. nil: as Chaos says.
	Choose func(ready []*Task) int

	// Env is what the loop gets from outside; nil: the system. With a Clock of its own it makes the loop's clock virtual.
	Env *env.Env
}

// Option makes of set an option of the root package, which sets this: for
// packages that choose what users cannot, as the environment.
var Option func(set func(*Config)) any

// WithEnv returns the root package's option for a loop in an environment.
func WithEnv(e *env.Env) any { return Option(func(c *Config) { c.Env = e }) }

// setEnv sets what the loop gets from outside, and its clock.
func (l *Loop) setEnv() (err error) {
	switch {
	case l.Env != nil:
	case l.VirtualClock:
		l.Env, err = env.OnVirtualClock()
	default:
		l.Env = env.Real()
	}
	if err != nil {
		return err
	}
	l.start = l.Env.Now()
	switch {
	case l.Env.Clock != nil:
		l.VirtualClock = true
		l.clock, l.start = l.Env.Clock, l.Env.Clock.Epoch()
	case l.VirtualClock:
		l.start = virtualStart
		l.clock = env.NewClock(l.start)
	}
	return nil
}

// DefaultConfig returns the Config of a loop without options.
func DefaultConfig() Config {
	c := Config{Debug: debugFromEnv(), Watchdog: 100 * time.Millisecond, Interrupt: true, QuitDump: true, Chaos: chaosFromEnv()}
	if w := traceFromEnv(); w != nil {
		c.Trace = NewTrace(w)
	}
	return c
}

func debugFromEnv() bool {
	v := os.Getenv("ASYNCIO_DEBUG")
	return v != "" && v != "0"
}
