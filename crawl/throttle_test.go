package crawl

import (
	"testing"
	"time"
)

// round answers as many requests as the throttle lets in at once, each after
// latency, and returns how many that were and the time after it.
func round(t *throttle, now, latency time.Duration) (int, time.Duration) {
	n := 0
	for t.free() {
		t.inFlight++
		n++
	}
	for range n {
		t.inFlight--
		t.answered(now, now+latency)
	}
	return n, now + latency
}

func TestThrottle_goodAnswers_doubleItUpToTheMost(t *testing.T) {
	th, now := newThrottle(20), time.Duration(0)
	for _, want := range []int{2, 4, 8, 16, 20, 20} {
		var n int
		if n, now = round(&th, now, time.Millisecond); n != want {
			t.Fatalf("%d in flight, want %d", n, want)
		}
	}
}

func TestThrottle_trouble_halvesOnceARoundAndThenGrowsByOne(t *testing.T) {
	th := newThrottle(64)
	th.limit = 16
	for range 16 {
		th.trouble(time.Second, 2*time.Second) // all were sent before the first one failed
	}
	now := 3 * time.Second
	for _, want := range []int{8, 8, 9, 10} {
		var n int
		if n, now = round(&th, now, time.Millisecond); n < want || n > want+1 {
			t.Fatalf("%d in flight, want %d or one more", n, want)
		}
	}
}

func TestThrottle_neverBelowOne(t *testing.T) {
	th := newThrottle(4)
	for i := range 10 {
		th.trouble(time.Duration(2*i+1)*time.Second, time.Duration(2*i+2)*time.Second)
	}
	if !th.free() {
		t.Fatal("not even one request may be sent")
	}
}

func TestThrottle_originThatBecomesSlow_isAskedLess(t *testing.T) {
	th, now := newThrottle(16), time.Duration(0)
	for range 6 {
		_, now = round(&th, now, 20*time.Millisecond)
	}
	for range 20 {
		_, now = round(&th, now, 3*time.Second)
	}
	if n, _ := round(&th, now, time.Second); n > 4 {
		t.Fatalf("%d in flight at an origin that takes 3 s instead of 20 ms", n)
	}
}

func TestThrottle_noiseOfMilliseconds_isNoTrouble(t *testing.T) {
	th, now := newThrottle(16), time.Duration(0)
	for i := range 40 {
		_, now = round(&th, now, time.Duration(1+i%40)*time.Millisecond)
	}
	if n, _ := round(&th, now, time.Millisecond); n != 16 {
		t.Fatalf("%d in flight, want 16", n)
	}
}
