//go:build !linux

package env

import (
	"errors"
	"os/exec"

	"github.com/go-asyncio/asyncio/internal/poller"
)

func watchProcess(poller.Poller, *exec.Cmd, func()) (stop func(), err error) {
	return nil, errors.ErrUnsupported
}
