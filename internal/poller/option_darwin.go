package poller

import "golang.org/x/sys/unix"

const (
	reusePort     = unix.SO_REUSEPORT
	keepAliveIdle = unix.TCP_KEEPALIVE
)
