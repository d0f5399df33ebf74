package aioexec

import (
	"os"
	"syscall"
)

// Signal sends a signal to the process, or to its group if it has one of its own. It returns [os.ErrProcessDone] if
// the process has ended. It never reaches another process that has got the number since.
func (c *Cmd) Signal(sig os.Signal) error {
	if c.Process == nil {
		return c.fail("signal", ErrNotStarted)
	}
	if c.ProcessState != nil {
		return os.ErrProcessDone
	}
	err := c.exit.env.Processes.Signal(c.inner, sig, c.Group)
	if err == os.ErrProcessDone {
		return err
	}
	return c.fail("signal", err)
}

// Kill ends the process by SIGKILL. It does not wait for the end.
func (c *Cmd) Kill() error { return c.Signal(os.Kill) }

// Terminate asks the process to end, by SIGTERM; on Windows, which has none, it is killed.
func (c *Cmd) Terminate() error { return c.Signal(terminateSignal) }

var terminateSignal os.Signal = syscall.SIGTERM
