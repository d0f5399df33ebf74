package crawl

import "time"

// throttle bounds the requests in flight at one origin, and finds the bound by
// itself as TCP does: it doubles with every round of answers until there is
// trouble, is halved then, and grows by one a round after that. Trouble is an
// error, a refusal for being asked too often, and an origin that has become
// much slower than it was.
type throttle struct {
	max      float64
	limit    float64
	inFlight int
	careful  bool          // there has been trouble: no more doubling
	cut      time.Duration // when the limit was halved last
	fastest  time.Duration // the shortest time to an answer
	usual    time.Duration // a moving average of it
}

// slowFactor and slowAtLeast say how slow "much slower" is: both times the
// fastest answer, and so much more than it, as no noise of ours would make it.
const (
	slowFactor  = 4
	slowAtLeast = 500 * time.Millisecond
)

func newThrottle(most int) throttle {
	return throttle{max: float64(most), limit: min(2, float64(most))}
}

// free reports whether one more request may be sent.
func (t *throttle) free() bool { return t.inFlight < int(t.limit) }

// answered takes note of a good answer to a request that was sent at began.
func (t *throttle) answered(began, now time.Duration) {
	took := now - began
	if t.fastest == 0 || took < t.fastest {
		t.fastest = took
	}
	if t.usual == 0 {
		t.usual = took
	}
	t.usual += (took - t.usual) / 8
	if t.usual > slowFactor*t.fastest && t.usual > t.fastest+slowAtLeast {
		t.trouble(began, now)
		return
	}
	if t.careful {
		t.limit += 1 / t.limit
	} else {
		t.limit++
	}
	t.limit = min(t.limit, t.max)
}

// trouble halves the limit, once for all the requests that were in flight when
// the trouble showed.
func (t *throttle) trouble(began, now time.Duration) {
	if t.careful && began <= t.cut {
		return
	}
	t.limit = max(1, t.limit/2)
	t.careful, t.cut = true, now
}
