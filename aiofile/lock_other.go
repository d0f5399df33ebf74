//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package aiofile

import (
	"errors"
	"os"
)

func lockFile(*os.File, lockKind) (bool, error) { return false, errors.ErrUnsupported }

func unlockFile(*os.File) error { return errors.ErrUnsupported }
