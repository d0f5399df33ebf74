//go:build !unix

package aionet

// The poller refuses pipes on these systems.

func setNonblock(uintptr) error { return nil }

func readerGone(int) bool { return false }
