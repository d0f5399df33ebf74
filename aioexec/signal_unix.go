//go:build unix

package aioexec

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func setGroup(attr *syscall.SysProcAttr) { attr.Setpgid, attr.Pgid = true, 0 }

// signalGroup is safe as long as the leader has not been reaped, which happens on the loop: until then nobody else
// gets its number.
func (c *Cmd) signalGroup(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return c.fail("signal", fmt.Errorf("%v is not a signal of this system", sig))
	}
	err := syscall.Kill(-c.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return c.fail("signal", err)
}
