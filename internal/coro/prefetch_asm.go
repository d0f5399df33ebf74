//go:build amd64 || arm64

package coro

// Prefetch asks the processor for the two cache lines at addr. It is a hint:
// the address need not be valid.
func Prefetch(addr uintptr)

func stackPointer() uintptr
