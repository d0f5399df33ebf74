package asyncio

import (
	"log/slog"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// An Option changes how a loop is made.
type Option struct{ set func(*config) }

// config is what options set: what the engine is made with, and what is the
// Loop's.
type config struct {
	engine     engine.Config
	maxThreads int
	threadCap  int // 0: the default
	factory    TaskFactory
	execute    func(work func())
}

func newConfig(opts []Option) config {
	c := config{engine: engine.DefaultConfig(), maxThreads: 64}
	for _, o := range opts {
		if o.set != nil {
			o.set(&c)
		}
	}
	return c
}

// WithDebug turns debug mode on or off: futures and callbacks remember where they
// were made, as tasks always do, and the loop's end names each listener,
// connection, file, pipe, response body, database and process that was never
// closed or waited for, with the line that opened it, through the exception
// handler. The environment variable ASYNCIO_DEBUG=1 does the same.
func WithDebug(on bool) Option { return Option{func(c *config) { c.engine.Debug = on }} }

// WithVirtualClock gives the loop a clock that stands still while there is
// something to do, and jumps to the next timer when there is not: a program
// that sleeps for hours runs in milliseconds, and in the same order each time. The wall clock ([Loop.Now]) begins at midnight UTC of
// January 1, 2000, as in package testing/synctest.
func WithVirtualClock() Option { return Option{func(c *config) { c.engine.VirtualClock = true }} }

// WithChaos is for tests: it lets every call that may wait yield, and those that
// are ready run in an order drawn from seed. A seed of 0 turns chaos off. The
// environment variable ASYNCIO_CHAOS does the same for all loops; its value is a
// seed, or "random" for a fresh one, which is printed.
//
// On a virtual clock a seed is an order: the test fails again with the same one.
// Promises stay promises: callbacks and timers keep their order, waiters are
// served in line, [Yield] lets everybody who is ready have a turn, and a task with
// [EagerStart] takes its first step at once.
func WithChaos(seed uint64) Option { return Option{func(c *config) { c.engine.Chaos = seed }} }

// WithTrace writes down what the loop does: see [Trace].
func WithTrace(t *Trace) Option {
	return Option{func(c *config) { c.engine.Trace = t.engine() }}
}

// WithExceptionHandler sets what is called, on the loop, with failures that no
// code was there to receive. The default logs them.
func WithExceptionHandler(h func(ExceptionInfo)) Option {
	return Option{func(c *config) { c.engine.Handler = engineHandler(h) }}
}

// WithLogger sets where the loop logs; the default is slog.Default().
func WithLogger(l *slog.Logger) Option { return Option{func(c *config) { c.engine.Logger = l }} }

// WithPoller chooses how the loop asks the operating system for events: "epoll",
// "kqueue" or "portable". The default is $ASYNCIO_POLLER, or else the best.
func WithPoller(name string) Option { return Option{func(c *config) { c.engine.Poller = name }} }

// WithWatchdog sets how long one step may hold the loop before it is logged,
// 100 ms by default; 0 turns the watchdog off.
func WithWatchdog(limit time.Duration) Option {
	return Option{func(c *config) { c.engine.Watchdog = limit }}
}

// WithInterrupt says whether Run cancels its main task on Ctrl-C, as it does by
// default.
func WithInterrupt(on bool) Option { return Option{func(c *config) { c.engine.Interrupt = on }} }

// WithQuitDump says whether SIGQUIT (Ctrl-\) writes what all tasks do, as
// [DumpTasks] does, to the standard error while Run or RunForever runs, as it does
// by default. Then the signal does what it does without that: Go writes the stacks
// of its goroutines and ends the program. A handler of the loop for SIGQUIT takes
// over ([Loop.AddSignalHandler]). What else asks package os/signal for SIGQUIT gets
// it twice; switch the dump off there. Windows has no such signal.
func WithQuitDump(on bool) Option { return Option{func(c *config) { c.engine.QuitDump = on }} }

// WithThreadLimit sets how many calls of [ToThread] may run at once. The
// default is 64.
func WithThreadLimit(n int) Option { return Option{func(c *config) { c.maxThreads = n }} }
