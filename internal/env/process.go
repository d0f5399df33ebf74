package env

import (
	"os"
	"os/exec"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// Processes are the processes that a program starts. A Cmd's streams are files, or what Pipes.ForProcess has returned.
type Processes struct {
	// Start starts c. It blocks, and is called in a thread.
	Start func(c *exec.Cmd) error
	// Wait waits for the end of a process that was started, and forgets it. It blocks; it does not for long if the end is
	// known, or the process was killed.
	Wait func(c *exec.Cmd) error
	// Watch lets ended be called, on the loop, when the process has ended, until stop. It is errors.ErrUnsupported where
	// only Wait tells.
	Watch func(p poller.Poller, c *exec.Cmd, ended func()) (stop func(), err error)
	// Signal sends a signal to a process that was not waited for, or to all in the group that it leads.
	Signal func(c *exec.Cmd, sig os.Signal, group bool) error
}

func signalProcess(c *exec.Cmd, sig os.Signal, group bool) error {
	if group {
		return signalGroup(c, sig)
	}
	return c.Process.Signal(sig)
}
