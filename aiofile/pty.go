package aiofile

import (
	"context"
	"fmt"
	"os"

	"github.com/go-asyncio/asyncio/internal/worlds"
)

// OpenPTY opens a pseudo-terminal: primary is the side of a terminal emulator, secondary what a program takes for its
// terminal, mostly a subprocess as its standard input and output. When nobody has secondary open any more, which the
// caller has to close, too, after the program has been started, a Read from primary returns io.EOF.
//
// A line that is written to primary is what somebody types: the terminal echoes it until told otherwise
// (golang.org/x/term, by [Pipe.SyscallConn]). Nothing waits. It is errors.ErrUnsupported on systems without.
func OpenPTY(ctx context.Context) (primary *Pipe, secondary *os.File, err error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("aiofile: open a pseudo-terminal: %w", err)
	}
	p, secondary, err := l.Env.Pipes.OpenPTY(l)
	if err != nil {
		return nil, nil, fmt.Errorf("aiofile: open a pseudo-terminal: %w", err)
	}
	return newPipe(l, p), secondary, nil
}
