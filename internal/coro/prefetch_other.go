//go:build !amd64 && !arm64

package coro

// Prefetch does nothing on this architecture.
func Prefetch(addr uintptr) {}

func stackPointer() uintptr { return 0 }
