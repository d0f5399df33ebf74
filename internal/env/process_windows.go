package env

import (
	"os"
	"os/exec"
)

// signalGroup reaches the process alone: only Ctrl-Break goes to groups on Windows.
func signalGroup(c *exec.Cmd, sig os.Signal) error { return c.Process.Signal(sig) }
