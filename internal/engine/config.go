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
}

// DefaultConfig returns the Config of a loop without options.
func DefaultConfig() Config {
	return Config{Debug: debugFromEnv(), Watchdog: 100 * time.Millisecond, Interrupt: true, QuitDump: true}
}

func debugFromEnv() bool {
	v := os.Getenv("ASYNCIO_DEBUG")
	return v != "" && v != "0"
}
