//go:build !(linux || darwin || freebsd || dragonfly)

package pipe

import (
	"os"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// interrupter cannot end a call here: a Read that has been given up still takes what comes next, for the Read after it.
type interrupter struct{}

func (interrupter) Interrupt() {}

func (d *threaded) wait(poller.Mode) bool { return true }

func rawRead(f *os.File, b []byte) (int, error)  { return f.Read(b) }
func rawWrite(f *os.File, b []byte) (int, error) { return f.Write(b) }

func isAgain(error) bool { return false }

// doesNotBlock is what no descriptor does that the poller could wait for.
func doesNotBlock(int) bool { return false }

func setNonblock(int) error { return nil }
