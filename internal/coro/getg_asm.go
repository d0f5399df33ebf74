//go:build amd64 || arm64

package coro

// Getg returns the address of the running goroutine's descriptor: an identity
// that is unique among living goroutines, in under 2 ns. It is only compared,
// never followed.
func Getg() uintptr
