package leakcheck

import (
	"errors"
	"fmt"
)

// Around calls fn and returns its error, joined with a list of the goroutines and descriptors that are there when it
// has returned, and were not before. It is for tests that do the same many times, to know which time it was. Nothing
// else may come and go meanwhile.
func Around(fn func() error) error {
	before := takeSnapshot()
	err := fn()
	if leaks := before.leaks(grace); leaks != nil {
		err = errors.Join(err, fmt.Errorf("it left behind: %w", leaks))
	}
	return err
}
