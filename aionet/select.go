package aionet

import (
	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// WhenReadable returns the case for [asyncio.Select] that is chosen when a Read would return at once: see Readable. It
// takes nothing. Of several coroutines that wait for the same bytes only one will find them. It is the same each time.
func (c *Conn) WhenReadable() asyncio.Case { return engine.AsCase((*readableCase)(c)).(asyncio.Case) }

type readableCase Conn

func (r *readableCase) Try(p *engine.Parking) (bool, error) {
	c := (*Conn)(r)
	if p.Loop() != c.loop {
		return true, engine.ErrOtherLoop
	}
	if c.Readable() {
		return true, nil
	}
	if err := c.sock.Arm(poller.Read); err != nil {
		return true, c.fail("read", err)
	}
	return false, nil
}

func (r *readableCase) Enter(s *engine.Selection) {
	if r.served != nil {
		r.served.waitsToRead()
	}
	s.SharedLine(&r.readers, (*readWait)(r))
	s.Outside()
}

func (r *readableCase) Woken(*engine.Parking) (bool, error) { return (*Conn)(r).Readable(), nil }
