package engine

import "testing"

type door struct{}

func (d *door) Leak() (any, string) { return d, "a door was left open" }

// A pool opens and closes connections as long as the program runs.
func TestOwn_whatWasClosed_isForgotten(t *testing.T) {
	l := &Loop{}
	l.Debug = true
	for range 10 {
		d := &door{}
		closed := l.Opened(d)
		l.Own(d)
		closed()
	}
	if len(l.owned) > 0 {
		t.Errorf("%d things are remembered", len(l.owned))
	}
}
