package aionet

import (
	"errors"
	"syscall"
)

// goneBeforeAccept reports whether it was just that one connection: the listener is well.
func goneBeforeAccept(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.WSAECONNRESET)
}
