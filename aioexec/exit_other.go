//go:build !linux

package aioexec

import (
	"errors"
	"os"

	"github.com/go-asyncio/asyncio"
)

func (w *exitWatch) watchHandle(*asyncio.Loop, *os.Process) error { return errors.ErrUnsupported }
