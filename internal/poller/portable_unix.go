//go:build linux || darwin || freebsd || dragonfly

package poller

import "syscall"

func setReusePort(rc syscall.RawConn) error { return control(rc, &Options{ReusePort: true}) }
