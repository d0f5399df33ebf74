//go:build !linux

package aiofile

func isTerminal(int) bool { return false }
