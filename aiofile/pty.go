package aiofile

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
)

// OpenPTY opens a pseudo-terminal: primary is the side of a terminal emulator, secondary what a program takes for its
// terminal, mostly a subprocess as its standard input and output. When nobody has secondary open any more, which the
// caller has to close, too, after the program has been started, a Read from primary returns io.EOF.
//
// A line that is written to primary is what somebody types: the terminal echoes it until told otherwise
// (golang.org/x/term, by [Pipe.SyscallConn]). Nothing waits. It is errors.ErrUnsupported on systems without.
func OpenPTY(ctx context.Context) (primary *Pipe, secondary *os.File, err error) {
	f, secondary, err := pty.Open()
	if errors.Is(err, pty.ErrUnsupported) {
		return nil, nil, fmt.Errorf("aiofile: pseudo-terminals: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("aiofile: open a pseudo-terminal: %w", err)
	}
	// Nobody shares it. A write to one that blocks might wait for ever, as poll promises room for no more than a byte.
	if err = withDescriptor(f, setNonblock); err == nil {
		primary, err = NewPipe(ctx, f)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), secondary.Close())
	}
	return primary, secondary, nil
}
