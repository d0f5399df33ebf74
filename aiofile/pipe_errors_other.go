//go:build !windows

package aiofile

import "syscall"

// isBrokenPipe reports whether err says that nobody reads any more.
func isBrokenPipe(err error) bool { return err == syscall.EPIPE }
