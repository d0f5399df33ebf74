//go:build !(linux || darwin || freebsd || dragonfly)

package pipe

import (
	"errors"
	"os"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// newPolled is not called where doesNotBlock is always false.
func newPolled(poller.Poller, *os.File, bool) (Pipe, error) {
	return nil, errors.ErrUnsupported
}
