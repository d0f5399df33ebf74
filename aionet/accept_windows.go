package aionet

import (
	"errors"
	"syscall"
)

// goneBeforeAccept reports whether it was just that one connection: the listener is well.
func goneBeforeAccept(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.WSAECONNRESET)
}

const (
	wsaEINVAL   = syscall.Errno(10022)
	wsaENOTSOCK = syscall.Errno(10038)
)

// brokenListener reports whether no later try can go better.
func brokenListener(err error) bool { return errors.Is(err, wsaEINVAL) || errors.Is(err, wsaENOTSOCK) }
