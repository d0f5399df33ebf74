//go:build !amd64 && !arm64

package callerpc

import "runtime"

// Get returns the program counter at which the function that calls Get was
// called. That function must not be inlined. If it is generic and was called
// through a variable, what comes back lies inside of it.
func Get() uintptr {
	var pc [1]uintptr
	runtime.Callers(3, pc[:])
	return pc[0]
}
