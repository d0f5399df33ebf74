//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package aiofile

import (
	"errors"
	"os"
)

// systemLocks has nothing.
type systemLocks struct{}

func (systemLocks) lock(*os.File, lockKind) (bool, error) { return false, errors.ErrUnsupported }

func (systemLocks) unlock(*os.File) error { return errors.ErrUnsupported }
