//go:build unix

package engine

import (
	"syscall"
	"time"
)

// processTime returns the processor time that the program has used, 0 if that is
// not known.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
