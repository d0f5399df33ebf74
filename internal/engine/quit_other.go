//go:build !unix

package engine

import "os"

// onQuit does nothing: the system has no such signal.
func (l *Loop) onQuit() (stop func()) { return func() {} }

func countQuit(os.Signal, int) {}
