package aiofile

import (
	"errors"
	"io/fs"
)

// ErrWouldWait is what a call returns that would have to wait in a callback of the loop. Start a task there instead.
var ErrWouldWait = errors.New("aiofile: a callback of the loop must not wait; start a task for that")

// pathError says of err what was done to what, as package os does.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
