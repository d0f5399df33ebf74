//go:build !unix

package engine

import "time"

// processTime returns the processor time that the program has used, 0 if that is
// not known.
func processTime() time.Duration { return 0 }
