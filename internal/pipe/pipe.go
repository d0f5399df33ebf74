package pipe

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// A Pipe is one end of a pipe, or a terminal, or what else can be waited for.
type Pipe interface {
	Name() string
	// Terminal reports whether it is one.
	Terminal() bool

	// SetOwner comes before anything below.
	SetOwner(o poller.Owner)
	// Read and Write are tries, on the loop: poller.ErrAgain says to Arm and wait for Ready.
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Arm(m poller.Mode) error
	// Leave is called when nobody waits in direction m any more, though it has been armed. It returns how much of a
	// Write is on its way all the same.
	Leave(m poller.Mode) int

	// BlockRead and BlockWrite are for all other goroutines, as are the deadlines. Where goroutines cannot wait, they are
	// errors.ErrUnsupported.
	BlockRead(p []byte) (int, error)
	BlockWrite(p []byte) (int, error)
	SetDeadline(m poller.Mode, t time.Time) error

	// Abort ends everything above, on any goroutine, and lets the other end know. Close, on the loop, comes before it
	// if it can, or else after it, or both.
	Abort() error
	Close()
	// File is for other goroutines, too. It is errors.ErrUnsupported for what the system does not know.
	File() (*os.File, error)
}

// Host is the loop of a pipe.
type Host interface {
	Poller() poller.Poller
	CallSoonThreadsafe(fn func()) error
}

// Face makes an *aiofile.Pipe of a pipe. Package aiofile sets it, since its own functions must not show a Pipe to users.
var Face func(h Host, p Pipe) any

// System are the pipes of the system.
type System struct{}

// Open returns the ends of a new pipe.
func (s System) Open(h Host) (r, w Pipe, err error) {
	fr, fw, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	if r, err = s.Adopt(h, fr); err != nil {
		return nil, nil, errors.Join(err, fr.Close(), fw.Close())
	}
	if w, err = s.Adopt(h, fw); err != nil {
		r.Close()
		return nil, nil, errors.Join(err, r.Abort(), fw.Close())
	}
	return r, w, nil
}

// ForProcess returns the ends of a new pipe: theirs is for a process, which reads from it or writes to it.
func (s System) ForProcess(h Host, reads bool) (ours Pipe, theirs io.ReadWriteCloser, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	mine, other := r, w
	if reads {
		mine, other = w, r
	}
	if ours, err = s.Adopt(h, mine); err != nil {
		return nil, nil, errors.Join(err, mine.Close(), other.Close())
	}
	return ours, other, nil
}

// Standard returns standard input, output or error, which are 0, 1 and 2, as package os has it by now. Abort leaves that
// open.
func (System) Standard(h Host, n int) (Pipe, error) {
	return attach(h, [...]*os.File{os.Stdin, os.Stdout, os.Stderr}[n], true)
}

// Adopt takes f over. If it returns an error, f is still the caller's.
func (System) Adopt(h Host, f *os.File) (Pipe, error) { return attach(h, f, false) }
