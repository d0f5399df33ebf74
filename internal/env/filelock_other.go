//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package env

import "errors"

func (disks) Lock(File, bool) (bool, error) { return false, errors.ErrUnsupported }

func (disks) Unlock(File) error { return errors.ErrUnsupported }
