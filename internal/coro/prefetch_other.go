//go:build !amd64 && !arm64

package coro

// prefetch does nothing on this architecture.
func prefetch(*[lineCount]uintptr) {}

func stackPointer() uintptr { return 0 }
