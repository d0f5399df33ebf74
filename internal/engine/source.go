package engine

import "runtime/debug"

// A Source brings what happens outside the loop, as on a socket, to a callback:
// each time that something has happened, Ready gives its owner one turn of the
// loop. It is embedded in the owner, and allocates nothing, however often it is
// asked. While it is open, the loop waits for it and does not report a deadlock.
type Source struct {
	loop   *Loop
	owner  SourceOwner
	open   bool
	queued bool // in the ready queue
}

// A SourceOwner is what a Source is for.
type SourceOwner interface {
	// Turn is called on the loop, as a callback, once for any number of calls of
	// Ready before it. It must not wait.
	Turn()
	// Failed is told that Turn panicked. The error is the owner's to report.
	Failed(err error)
}

// Open makes s a source of the loop, until Close.
func (s *Source) Open(l *Loop, owner SourceOwner) {
	if owner == nil {
		panic("asyncio: Source.Open: nil owner")
	}
	l.Check("Source.Open")
	if s.open || s.queued {
		panic("asyncio: Source.Open: the Source is open, or has a turn to come")
	}
	*s = Source{loop: l, owner: owner, open: true}
	l.outside++
}

// Ready gives the owner a turn after what is ready by now. It has one at a time.
func (s *Source) Ready() {
	s.check("Source.Ready")
	if s.open && !s.queued && !s.loop.closed {
		s.queued = true
		s.loop.ready.push(s)
	}
}

// Close ends the source, and reports whether that was still to be done. A turn
// that was to come does not.
func (s *Source) Close() bool {
	if s.loop == nil {
		return false
	}
	s.check("Source.Close")
	was := s.open
	if was {
		s.open = false
		s.loop.outside--
	}
	return was
}

// Loop returns the loop; nil before Open.
func (s *Source) Loop() *Loop { return s.loop }

// OnLoop reports whether the caller is on the loop; false before Open.
func (s *Source) OnLoop() bool { return s.loop != nil && s.loop.On() }

func (s *Source) check(call string) {
	if s.loop == nil {
		panic("asyncio: " + call + ": the Source was never opened")
	}
	s.loop.Check(call)
}

func (s *Source) run(l *Loop) {
	s.queued = false
	if !s.open {
		return
	}
	l.calling = true
	defer func() {
		l.calling = false
		if v := recover(); v != nil {
			s.owner.Failed(Errors.Panic(v, debug.Stack()))
		}
	}()
	s.owner.Turn()
}
