//go:build linux || darwin || freebsd || dragonfly

package aiofile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// isHangup reports whether err is what a terminal says whose other side has gone.
func isHangup(err error) bool { return errors.Is(err, unix.EIO) }
