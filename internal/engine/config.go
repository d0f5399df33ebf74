package engine

import (
	"log/slog"
	"os"
	"time"
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
