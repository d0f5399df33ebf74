//go:build !(linux || darwin || freebsd || dragonfly)

package aiofile

import (
	"errors"
	"os"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// newPolled is not called where doesNotBlock is always false.
func newPolled(*engine.Loop, *os.File, poller.Owner) (device, error) {
	return nil, errors.ErrUnsupported
}
