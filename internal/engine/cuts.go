package engine

import (
	"cmp"
	"fmt"
	"maps"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// A loop also dies by many cuts: no step is long, but there are so many of some
// milliseconds that everybody waits. Each look of the watchdog is at a random
// moment, and sees whether the loop is in the same step a millisecond later. The
// share of the looks that do is the share of the time that such steps take. When
// it grows, some looks take the stack, too, and when it is half of the last second,
// what they have seen is reported.
//
// A step may also seem long because the loop has no processor: other programs, or
// other goroutines, have it. That is not the user's line's fault. So a step that
// computes counts only as far as the program has had processor time, and if no
// goroutine was in line for a processor.
type cuts struct {
	looks   []cutLook // of the last second
	last    time.Time
	held    time.Duration // the sum over those in which a step held the loop
	lost    time.Duration // that taking stacks has taken: no look could be meanwhile
	samples []cutSample
	began   time.Time     // when the first sample was taken
	cpu     time.Duration // which the program had used by then

	nextSample time.Time
	nextReport time.Time
	quiet      time.Duration // how long to be quiet after the next report
}

type cutLook struct {
	at   time.Time
	time time.Duration // that the look stands for
	held bool
}

type cutSample struct {
	task    string
	h       blocker
	starved bool
}

const (
	cutWindow  = time.Second
	cutReport  = cutWindow / 2 // so much of it in long steps is reported
	cutSuspect = cutWindow / 10
	cutQuiet   = 10 * time.Second // after a report, and twice as long after each that follows
	quietMost  = 10 * time.Minute
	enough     = 64 // samples
)

// add takes in a look at the loop.
func (c *cuts) add(l *Loop, now time.Time, held bool) {
	now = now.Add(-c.lost)
	look := cutLook{now, min(now.Sub(c.last), 5*lookEvery), held}
	c.last = now
	c.looks = append(c.looks, look)
	if held {
		c.held += look.time
	}
	for now.Sub(c.looks[0].at) > cutWindow {
		if c.looks[0].held {
			c.held -= c.looks[0].time
		}
		c.looks = c.looks[1:]
	}
	switch {
	case c.held < cutSuspect:
		c.samples = c.samples[:0]
	case held:
		c.sample(l, now)
	}
	if c.held >= cutReport && len(c.samples) > 0 && !now.Before(c.nextReport) {
		c.report(l, now)
	}
}

// restart forgets what was seen: a long step has been reported meanwhile.
func (c *cuts) restart(now time.Time) {
	c.looks, c.held, c.samples, c.lost, c.last = nil, 0, nil, 0, now
}

// sample takes the stack of the step that holds the loop, at most 5 % of the
// time.
func (c *cuts) sample(l *Loop, now time.Time) {
	if now.Before(c.nextSample) || now.Before(c.nextReport) || len(c.samples) == enough {
		return
	}
	s := cutSample{task: l.runningName(), starved: starving()}
	if len(c.samples) == 0 {
		c.began, c.cpu = time.Now(), processTime()
	}
	start := time.Now()
	s.h = l.blocker()
	took := time.Since(start)
	c.lost += took
	c.nextSample = now.Add(20 * took)
	if len(s.h.stack) > 0 {
		c.samples = append(c.samples, s)
	}
}

// report reports the lines that were seen most, if there were enough samples:
// eight, or as many as there can be in half a second.
func (c *cuts) report(l *Loop, now time.Time) {
	if len(c.samples) < 8 && c.nextSample.Before(now.Add(100*time.Millisecond)) {
		return
	}
	share := float64(c.held) / float64(cutWindow)
	if share -= c.excuse(); share < 0.4 {
		return
	}
	l.say(cutsReport(share, c.samples))
	if now.Sub(c.nextReport) > quietMost {
		c.quiet = 0
	}
	c.quiet = min(max(2*c.quiet, cutQuiet), quietMost)
	c.nextReport = now.Add(c.quiet)
	c.samples = c.samples[:0]
}

// excuse returns the share of the time in which steps seem to have been long only
// as the loop had no processor.
func (c *cuts) excuse() float64 {
	computing, starved := 0, 0
	for _, s := range c.samples {
		if !s.h.waits {
			computing++
			if s.starved {
				starved++
			}
		}
	}
	if computing == 0 {
		return 0
	}
	excused := float64(starved) / float64(computing)
	if used := processTime() - c.cpu; used > 0 {
		excused = max(excused, 1-float64(used)/float64(time.Since(c.began)))
	}
	return excused * float64(computing) / float64(len(c.samples))
}

// starving reports whether a goroutine waits for a processor. With one processor
// it is the loop itself that waits, as the watchdog has it.
func starving() bool {
	s := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/gomaxprocs:threads"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return false
	}
	allowed := uint64(0)
	if s[1].Value.Uint64() == 1 {
		allowed = 1
	}
	return s[0].Value.Uint64() > allowed
}

// cutsReport is the report of what the samples have seen, the line that was seen
// most often first.
func cutsReport(share float64, samples []cutSample) *report {
	type line struct {
		n int
		s cutSample
	}
	lines := map[string]*line{}
	for _, s := range samples {
		at := s.h.place()
		if lines[at] == nil {
			lines[at] = &line{s: s}
		}
		lines[at].n++
	}
	most := slices.SortedFunc(maps.Values(lines), func(a, b *line) int {
		return cmp.Or(b.n-a.n, strings.Compare(a.s.h.place(), b.s.h.place()))
	})
	r := &report{
		message: fmt.Sprintf("many short steps hold the event loop: those of a few milliseconds took %.0f%% of the last second", 100*share),
		advice:  most[0].s.h.advice,
		share:   share,
	}
	for _, l := range most[:min(3, len(most))] {
		r.lines = append(r.lines, fmt.Sprintf("%s: %s %s (in %d of %d looks)", l.s.h.place(), l.s.task, l.s.h.what, l.n, len(samples)))
	}
	r.stack = most[0].s.h.stack
	return r
}
