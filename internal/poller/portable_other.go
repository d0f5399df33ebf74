//go:build !(linux || darwin || freebsd || dragonfly)

package poller

import (
	"errors"
	"fmt"
	"syscall"
)

func setReusePort(syscall.RawConn) error {
	return fmt.Errorf("sharing a port between listeners: %w on this system", errors.ErrUnsupported)
}
