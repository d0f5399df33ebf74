//go:build !(linux || darwin || freebsd || dragonfly)

package poller

import (
	"errors"
	"fmt"
	"syscall"
)

// setPacket leaves broadcasting as package net has it, which is on.
func setPacket(_ syscall.RawConn, reuse, _ bool) error {
	if reuse {
		return fmt.Errorf("sharing a port between sockets: %w on this system", errors.ErrUnsupported)
	}
	return nil
}

// SetBuffer sets how much the system keeps for a socket in one direction.
func SetBuffer(syscall.RawConn, Mode, int) error { return errors.ErrUnsupported }
