//go:build !windows

package aionet

import (
	"errors"
	"syscall"
)

// goneBeforeAccept reports whether it was just that one connection: the listener is well.
func goneBeforeAccept(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPROTO) ||
		errors.Is(err, syscall.EPERM) // a firewall rule
}

// brokenListener reports whether no later try can go better.
func brokenListener(err error) bool {
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}
