package poller

import (
	"errors"
	"syscall"
)

const wsaECONNREFUSED = syscall.Errno(10061)

func nobodyAnswers(err error) bool { return errors.Is(err, wsaECONNREFUSED) }
