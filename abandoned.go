package asyncio

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// This file is about calls of ToThread that go on although their tasks were
// cancelled. Nothing can stop such a call, and it may block for ever, as the
// opening of a FIFO does. So it keeps nothing that others wait for; it is counted
// and named; and there is a cap, since each one may hold a thread of the system.

// ErrTooManyThreads is returned by ToThread when so many calls run that there
// must be no more: see [WithThreadCap]. The text says how many of them were
// abandoned by tasks that were cancelled, and where the oldest came from.
var ErrTooManyThreads = errors.New("asyncio: ToThread: too many calls run in threads")

// defaultThreadCap lets eight loops stay below the 10,000 threads at which Go
// ends a program (see [runtime/debug.SetMaxThreads]).
const defaultThreadCap = 1024

// WithThreadCap sets how many calls of [ToThread] the loop has in threads at
// most, whatever their limits, those that were abandoned included. One more
// fails with [ErrTooManyThreads]. The default is 1,024, or twice
// [WithThreadLimit] if that is more, and so it is for an n of 0: a program that stays within the limits of
// its [ThreadLimiter]s and abandons few calls does not get there.
func WithThreadCap(n int) Option { return Option{func(c *config) { c.threadCap = n }} }

// threads is the cap on calls in threads.
func (c *config) threads() int {
	switch {
	case c.threadCap < 0:
		panic(fmt.Sprintf("asyncio: WithThreadCap: the cap is %d; it must not be negative", c.threadCap))
	case c.threadCap > 0:
		return c.threadCap
	}
	return max(defaultThreadCap, 2*c.maxThreads)
}

// ThreadStats says what a loop has in threads. See [Loop.Threads].
type ThreadStats struct {
	Waiting   int             // calls of ToThread that wait until their limit lets them run
	Running   int             // calls that run, the abandoned ones included
	Abandoned []AbandonedCall // those that run although their tasks were cancelled, the oldest first
}

// An AbandonedCall is a call of [ToThread] that still runs although the task that
// waited for it was cancelled.
type AbandonedCall struct {
	Call   string    // what was called: asyncio.ToThread, or what stands on it, such as aiofile.ReadFile
	Caller string    // the function that called it, such as main.fetch
	Place  string    // where that is, as file:line
	Task   string    // the name of the task
	Since  time.Time // when it was abandoned, on the loop's clock
}

// String says what was called, by whom and where.
func (a AbandonedCall) String() string {
	return fmt.Sprintf("%s, called by %s (%s)", a.Call, a.Caller, a.Place)
}

// Threads returns how many calls of [ToThread] wait and run, and which of them
// were abandoned. It belongs on the loop.
func (l *Loop) Threads() ThreadStats {
	l.loop.Check("Loop.Threads")
	s := ThreadStats{Waiting: l.calls.n - l.calls.running, Running: l.calls.running}
	for _, a := range l.calls.abandoned {
		s.Abandoned = append(s.Abandoned, *a)
	}
	return s
}

// full returns an error if there must be no more calls.
func (l *Loop) full() error {
	c := &l.calls
	if c.running < l.threadCap {
		return nil
	}
	err := fmt.Errorf("%w: %d, of which %d were abandoned by tasks that were cancelled", ErrTooManyThreads, c.running, len(c.abandoned))
	if len(c.abandoned) > 0 {
		oldest := c.abandoned[0]
		err = fmt.Errorf("%w, the oldest %v ago: %v", err, l.Now().Sub(oldest.Since).Round(time.Millisecond), oldest)
	}
	return err
}

// manyAbandoned is how many abandoned calls are worth a warning.
const manyAbandoned = 10

// abandon notes that the running task leaves its call. Its stack still says
// where that was made.
func (l *Loop) abandon(t *engine.Task) *AbandonedCall {
	a := &AbandonedCall{Task: t.Name(), Since: l.Now()}
	a.Call, a.Caller, a.Place = callOfLibrary()
	c := &l.calls
	c.abandoned = append(c.abandoned, a)
	if len(c.abandoned) >= manyAbandoned && !c.warned && !l.loop.Closing() {
		c.warned = true
		cmp.Or(l.loop.Logger, slog.Default()).Warn("asyncio: calls in threads go on although their tasks were cancelled; each may hold a thread",
			"abandoned", len(c.abandoned), "oldest", c.abandoned[0].Since, "calls", origins(c.abandoned))
	}
	return a
}

// returned notes that an abandoned call has ended after all.
func (c *threadCalls) returned(a *AbandonedCall) {
	i := slices.Index(c.abandoned, a)
	c.abandoned = slices.Delete(c.abandoned, i, i+1)
	if len(c.abandoned) == 0 {
		c.warned = false
	}
}

// origins says where calls come from, and how many from each place.
func origins(calls []*AbandonedCall) string {
	const some = 5
	var places []string
	count := map[string]int{}
	for _, a := range calls {
		s := a.String()
		if count[s]++; count[s] == 1 {
			places = append(places, s)
		}
	}
	more := ""
	if len(places) > some {
		more = fmt.Sprintf("; and %d other places", len(places)-some)
		places = places[:some]
	}
	for i, s := range places {
		places[i] = fmt.Sprintf("%d times %s", count[s], s)
	}
	return strings.Join(places, "; ") + more
}

// callOfLibrary returns which function of this library the running task has
// called, and the function and line of the caller.
func callOfLibrary() (call, caller, place string) {
	pcs := make([]uintptr, 64)
	pcs = pcs[:runtime.Callers(1, pcs)]
	frames := runtime.CallersFrames(pcs)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if !ofLibrary(f.Function) {
			return call, bareName(f.Function), fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		call = bareName(f.Function)
	}
	return call, "the library itself", ""
}

// bareName is a function's name without the path of its package and without type
// parameters.
func bareName(function string) string {
	return strings.ReplaceAll(shortName(function), "[...]", "")
}

// ofLibrary reports whether a function is one of the packages that programs are
// built with, and not of a program, an example or a test.
func ofLibrary(function string) bool {
	rest, ok := strings.CutPrefix(function, "github.com/go-asyncio/asyncio")
	if !ok {
		return false
	}
	pkg, _, _ := strings.Cut(rest, ".")
	switch {
	case pkg == "", pkg == "/lowlevel", strings.HasPrefix(pkg, "/internal/"):
		return true
	default:
		return strings.HasPrefix(pkg, "/aio") && !strings.HasSuffix(pkg, "_test")
	}
}
