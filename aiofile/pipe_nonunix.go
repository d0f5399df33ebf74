//go:build !(linux || darwin || freebsd || dragonfly)

package aiofile

func isHangup(error) bool { return false }
