package engine

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"
)

// The watchdog is a goroutine beside a running loop. The loop counts its steps;
// if the count stands still for too long and the loop is not asleep, one step
// holds it, and everybody else waits. That is logged at once, with the stack of
// the call, and again when it is over. The loop itself pays one increment a step.

// startWatchdog returns a function that ends it.
func (l *Loop) startWatchdog() (stop func()) {
	if l.Watchdog <= 0 {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.guard(quit)
	}()
	return func() {
		close(quit)
		<-done
	}
}

func (l *Loop) guard(quit chan struct{}) {
	tick := time.NewTicker(max(l.Watchdog/4, time.Millisecond))
	defer tick.Stop()
	var seen uint64
	since := time.Now()
	for {
		select {
		case <-quit:
			return
		case now := <-tick.C:
			if n := l.stepsTaken(); n != seen || l.idle.Load() {
				seen, since = n, now
			} else if now.Sub(since) >= l.Watchdog {
				l.blocked(quit, seen, since)
				seen, since = 0, time.Now()
			}
		}
	}
}

// blocked reports the step that holds the loop, and waits for its end.
func (l *Loop) blocked(quit chan struct{}, step uint64, since time.Time) {
	name := l.runningName()
	stack := l.runningStack()
	if l.stepsTaken() != step {
		return
	}
	l.log().Warn("asyncio: the event loop is blocked; move what blocks into ToThread",
		slog.String("task", name), slog.Duration("for", time.Since(since)), slog.String("stack", stack))
	for over := false; !over && l.stepsTaken() == step && !l.idle.Load(); {
		select {
		case <-quit:
			over = true
		case <-time.After(max(l.Watchdog/16, time.Millisecond)):
		}
	}
	l.log().Warn("asyncio: the event loop was blocked",
		slog.String("task", name), slog.Duration("for", time.Since(since)))
}

//go:norace
func (l *Loop) stepsTaken() uint64 { return l.steps }

// runningTask reads the loop's state without its leave: the step that it looks
// at stands still. It is nil in a callback.
//
//go:norace
func (l *Loop) runningTask() *Task { return l.current }

//go:norace
func (l *Loop) runningWorker() *worker {
	if t := l.runningTask(); t != nil && t.at != nil {
		return t.at.worker()
	}
	return nil
}

//go:norace
func (l *Loop) runningName() string {
	t := l.runningTask()
	if t == nil {
		return "a callback"
	}
	if t.spec != nil && t.spec.Name != "" {
		return t.spec.Name
	}
	return fmt.Sprintf("Task-%d", t.id)
}

// runningStack returns the stack of the coroutine or callback that holds the
// loop: of all goroutines the one which has this loop's frame and is not
// suspended. To look at all goroutines stops the program for a microsecond each
// and more; where they are very many, that would cost more than the stall.
func (l *Loop) runningStack() string {
	if n := runtime.NumGoroutine(); n > maxDumped {
		return fmt.Sprintf("left out: there are %d goroutines", n)
	}
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) || n >= 64<<20 {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 4*len(buf))
	}
	call, arg := ".(*Loop).call(", fmt.Sprintf("%p", l)
	if w := l.runningWorker(); w != nil {
		call, arg = "engine.perform(", fmt.Sprintf("%p", w)
	}
	stack := "not found"
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		header, _, _ := strings.Cut(g, "\n")
		i := strings.Index(g, call)
		if i < 0 || strings.Contains(header, "[coroutine") {
			continue
		}
		stack = userFrames(g[:i])
		if line, _, _ := strings.Cut(g[i:], "\n"); strings.Contains(line, arg) {
			break // else it may be another loop's: the stack trace does not always know arguments
		}
	}
	return stack
}

const maxDumped = 5_000

// userFrames cuts the loop's own frame, whose name stack ends in, and the frame
// that calls the user's function.
func userFrames(stack string) string {
	return stack[:max(0, strings.LastIndexByte(stack, '\n'))]
}
