//go:build !(linux || darwin || freebsd || dragonfly)

package poller

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func isListening(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func control(_ syscall.RawConn, o *Options) error {
	if !o.ReusePort {
		return nil
	}
	return fmt.Errorf("sharing a port between listeners: %w on this system", errors.ErrUnsupported)
}
