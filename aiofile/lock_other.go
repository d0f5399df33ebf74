//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package aiofile

import (
	"errors"

	"github.com/go-asyncio/asyncio/internal/env"
)

// systemLocks has nothing.
type systemLocks struct{}

func (systemLocks) lock(env.File, lockKind) (bool, error) { return false, errors.ErrUnsupported }

func (systemLocks) unlock(env.File) error { return errors.ErrUnsupported }
