//go:build !windows

package poller

import (
	"errors"
	"syscall"
)

func nobodyAnswers(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
