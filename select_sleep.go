package asyncio

import (
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// Sleeping returns the case for [Select] that is chosen when d has passed, counted
// from the call of Select, before any other was: a limit for the others. With a d
// of zero or less it can be chosen at once. It can be used again and again, and
// leaves nothing behind when another case is chosen. To count from elsewhere use
// the future of [After].
func Sleeping(d time.Duration) Case {
	c := sleepCase(d)
	return &c
}

type sleepCase time.Duration

func (c *sleepCase) selecting() engine.Case              { return c }
func (c *sleepCase) Try(*engine.Parking) (bool, error)   { return *c <= 0, nil }
func (c *sleepCase) Enter(s *engine.Selection)           { s.Alarm(time.Duration(*c)) }
func (c *sleepCase) Woken(*engine.Parking) (bool, error) { return true, nil }
