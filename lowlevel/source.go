package lowlevel

import (
	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Source brings what happens outside the loop, as on a socket, to a callback:
// each time that something has happened, [Source.Ready] gives its owner one turn
// of the loop. It is for transports of your own, and is embedded in them: it
// allocates nothing, however often it is asked.
//
// While a Source is open, the loop waits for it and does not report a deadlock.
// A Source belongs to its loop: use it from coroutines and callbacks only.
type Source struct{ source engine.Source }

// A SourceOwner is what a [Source] is for.
type SourceOwner interface {
	// Turn is called on the loop, as a callback, once for any number of calls of
	// Ready before it. It must not wait.
	Turn()
	// Failed is told that Turn panicked, with the [asyncio.PanicError]. The error
	// is the owner's to report.
	Failed(err error)
}

// Open makes s a source of the loop, until [Source.Close].
func (s *Source) Open(l *asyncio.Loop, owner SourceOwner) { s.source.Open(engine.Unwrap(l), owner) }

// Ready gives the owner a turn after what is ready by now. It has one at a time.
func (s *Source) Ready() { s.source.Ready() }

// Close ends the source, and reports whether that was still to be done. A turn
// that was to come does not.
func (s *Source) Close() bool { return s.source.Close() }

// Loop returns the loop; nil before Open.
func (s *Source) Loop() *asyncio.Loop {
	if s.source.Loop() == nil {
		return nil
	}
	return s.source.Loop().Face.(*asyncio.Loop)
}

// OnLoop reports whether the caller runs on the loop; false before Open.
func (s *Source) OnLoop() bool { return s.source.OnLoop() }
