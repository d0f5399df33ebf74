package aioexec

import (
	"os"
	"syscall"
)

func init() { terminateSignal = os.Kill }

func setGroup(attr *syscall.SysProcAttr) { attr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP }

// signalGroup reaches the process alone: only Ctrl-Break goes to groups on Windows.
func (c *Cmd) signalGroup(sig os.Signal) error { return c.Process.Signal(sig) }
