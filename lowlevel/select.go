package lowlevel

import (
	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Selectable is a call of a primitive of yours that [asyncio.Select] can make. It
// is a pointer or can be compared, for cases to be told apart.
type Selectable interface {
	Waitable
	// Try makes the call if that need not wait, and reports whether it has, and the
	// call's error. It must not wait.
	Try() (done bool, err error)
	// Line returns where to wait. It is asked right after a Try that was not done, and
	// never in [asyncio.TrySelect].
	Line() *WaitQueue
	// Woken makes the call for which the task was woken in the line: nothing has ended
	// the wait since, and no other call is made. If it cannot make the call, since
	// being woken says no more than that it is worth a try, it reports that it is not
	// done; then Select tries all cases again.
	Woken() (done bool, err error)
}

// Case returns the case of s. It is equal to itself each time.
func Case(s Selectable) asyncio.Case { return asCase(selectable{s, false}) }

// CaseOutside is [Case] for what happens outside the loop, like data on a socket:
// while a task waits for it there is no deadlock.
func CaseOutside(s Selectable) asyncio.Case { return asCase(selectable{s, true}) }

func asCase(s selectable) asyncio.Case { return engine.AsCase(s).(asyncio.Case) }

type selectable struct {
	Selectable
	outside bool
}

func (s selectable) Try(*engine.Parking) (bool, error)   { return s.Selectable.Try() }
func (s selectable) Woken(*engine.Parking) (bool, error) { return s.Selectable.Woken() }

func (s selectable) Enter(to *engine.Selection) {
	to.Line(&s.Line().queue, s.Selectable)
	if s.outside {
		to.Outside()
	}
}
