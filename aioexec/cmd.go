package aioexec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// DefaultWaitDelay is what a process has to end in when it was cancelled, unless Cmd.WaitDelay says otherwise.
const DefaultWaitDelay = 5 * time.Second

var (
	// ErrNotStarted is returned by calls that need a process, for a Cmd that has not been started.
	ErrNotStarted = errors.New("aioexec: the process has not been started")
	// ErrStarted is returned by what has to come before Start, or can be done once.
	ErrStarted = errors.New("aioexec: the process has been started already")
)

// A Cmd is a program to run, and then its process. It is used once. Its fields are set before it is started, and have
// the meaning of those of os/exec.Cmd. It belongs to the loop on which it is started.
type Cmd struct {
	Path string   // of the program; Command looks it up in $PATH
	Args []string // with the program's name first
	Env  []string // "key=value" each; nil: as this process
	Dir  string   // "": as this process

	// Stdin is what the process reads; nil: nothing. An *os.File is handed to the process itself. Anything else is
	// read by a coroutine: where it waits, it must wait as coroutines do, as a net.Conn of aionet does.
	Stdin io.Reader

	// Stdout and Stderr are where the process writes; nil: nowhere. An *os.File is handed to the process itself,
	// anything else is written to by a coroutine. If both are the same, so is the pipe, and the order is kept.
	Stdout io.Writer
	Stderr io.Writer

	ExtraFiles  []*os.File // from descriptor 3 on
	SysProcAttr *syscall.SysProcAttr

	// Group gives the process a process group of its own. Signals, Kill and cancellation go to all in it.
	Group bool

	// Cancel is called, on the loop, when the context of Start has ended; nil: Terminate. Its error, or panic, comes
	// with that of Wait. Whatever it does, the process is killed after WaitDelay.
	Cancel func() error

	// WaitDelay is how long a cancelled process has to end before it is killed; 0: DefaultWaitDelay. If it is set, it
	// is also how long the process's children may keep its streams open after the process's end, however that came.
	// If it is not, they may do so for ever while the context lives, and no longer when it has ended: what is in the
	// streams then is still read. Wait returns exec.ErrWaitDelay if streams are closed so after an end that came by
	// itself.
	WaitDelay time.Duration

	Process      *os.Process      // after Start
	ProcessState *os.ProcessState // after the end
	Err          error            // why the program was not found, if so

	inner     *exec.Cmd
	pipes     []*aiofile.Pipe      // our ends of what coroutines copy
	theirs    []io.ReadWriteCloser // the process's ends, closed after the start
	copies    []copying
	exit      exitWatch
	reaper    *asyncio.Task[asyncio.None]
	waitedFor func() // ends that debug mode follows the process
	collected bool   // the process was reaped
	waited    error  // with this error
	outcome   error
	tail      *tail // of standard error, for Output
}

// Command returns a Cmd for the program of that name, which is looked up in $PATH if it has no slash.
func Command(name string, args ...string) *Cmd {
	c := exec.Command(name, args...)
	return &Cmd{Path: c.Path, Args: c.Args, Err: c.Err}
}

// Shell returns a Cmd that lets /bin/sh run a command line (asyncio's create_subprocess_shell). Never put into it what
// somebody else has written: quote nothing, use [Command].
func Shell(command string) *Cmd { return Command("/bin/sh", "-c", command) }

// String shows the command, and what has become of it.
func (c *Cmd) String() string {
	name := (&exec.Cmd{Path: c.Path, Args: c.Args, Err: c.Err}).String()
	switch {
	case c.Process == nil:
		return name + " (not started)"
	case c.ProcessState != nil:
		return fmt.Sprintf("%s (process %d: %v)", name, c.Process.Pid, c.ProcessState)
	default:
		return fmt.Sprintf("%s (process %d, running)", name, c.Process.Pid)
	}
}

// name is the command in errors.
func (c *Cmd) name() string {
	if len(c.Args) > 0 && c.Args[0] != "" {
		return c.Args[0]
	}
	return c.Path
}

func (c *Cmd) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("aioexec: %s %s: %w", op, c.name(), err)
}

// streamDelay is how long children may keep the streams open once the process and the context have ended.
func (c *Cmd) streamDelay() time.Duration {
	if c.WaitDelay > 0 || c.Group { // a group was killed: the end of its streams is the end of all its processes
		return c.delay()
	}
	return restDelay
}

// restDelay is time enough to read what is in the streams already.
const restDelay = 50 * time.Millisecond

func (c *Cmd) delay() time.Duration {
	if c.WaitDelay > 0 {
		return c.WaitDelay
	}
	return DefaultWaitDelay
}
