package env

import (
	"io"
	"os"

	"github.com/go-asyncio/asyncio/internal/pipe"
)

// Pipes are where a program has its pipes and terminals from. The methods are called on the loop, and do not block.
type Pipes interface {
	// Open returns the ends of a new pipe.
	Open(h pipe.Host) (r, w pipe.Pipe, err error)
	// ForProcess returns the ends of a new pipe: theirs is for a process that Processes starts, which reads from it or
	// writes to it.
	ForProcess(h pipe.Host, reads bool) (ours pipe.Pipe, theirs io.ReadWriteCloser, err error)
	// Standard returns standard input, output or error: 0, 1 or 2.
	Standard(h pipe.Host, n int) (pipe.Pipe, error)
	// Adopt takes over a file of the system that the caller has. If it returns an error, that stays the caller's.
	Adopt(h pipe.Host, f *os.File) (pipe.Pipe, error)
	// OpenPTY opens a pseudo-terminal, of which a process of the system has the secondary side.
	OpenPTY(h pipe.Host) (primary pipe.Pipe, secondary *os.File, err error)
}
