//go:build amd64 || arm64

package coro

// prefetch asks the processor for the cache line at each of the addresses. It is
// a hint: the addresses need not be valid.
//
//go:noescape
func prefetch(lines *[lineCount]uintptr)

func stackPointer() uintptr
