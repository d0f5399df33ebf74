//go:build !linux

package aioexec

import (
	"errors"
	"os"

	"github.com/go-asyncio/asyncio/internal/engine"
)

func (w *exitWatch) watchHandle(*engine.Loop, *os.Process) error { return errors.ErrUnsupported }
