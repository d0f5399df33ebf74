//go:build unix

package env

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// signalGroup is safe as long as the leader has not been reaped: until then nobody else gets its number.
func signalGroup(c *exec.Cmd, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v is not a signal of this system", sig)
	}
	err := syscall.Kill(-c.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
