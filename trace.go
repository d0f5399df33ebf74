package asyncio

import (
	"io"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Trace is what a loop has done: a line for each step, with its number, the time
// on the loop's clock, what ran (a task, a callback, a timer), what had made it
// ready, and for a task what it waits for then. Fields are separated by tabs. The
// last line has the hash of all lines before it.
//
// On a virtual clock the same program writes the same trace each time, so a test
// can compare traces, or only their hashes, to hold that a program is
// deterministic; and the first line in which two traces differ is where it is
// not. What tasks, addresses and files are called is part of that.
//
// The environment variable ASYNCIO_TRACE names a file to which the traces of all
// loops of a program are appended.
type Trace struct{ trace *engine.Trace }

// NewTrace returns a trace for one loop (see [WithTrace]), that is written to w, a
// line a call. If w is nil, only the hash is kept.
func NewTrace(w io.Writer) *Trace { return &Trace{engine.NewTrace(w)} }

// Hash returns the hash of the lines so far (FNV-1a, 64 bits). The step that is
// under way is not in it yet. Ask when the loop has ended, or on the loop.
func (t *Trace) Hash() uint64 { return t.trace.Hash() }

// Steps returns the number of lines so far.
func (t *Trace) Steps() uint64 { return t.trace.Steps() }

// Err returns the error with which the writer has failed. Nothing is written
// after that; the hash goes on.
func (t *Trace) Err() error { return t.trace.Err() }

func (t *Trace) engine() *engine.Trace {
	if t == nil {
		return nil
	}
	return t.trace
}
