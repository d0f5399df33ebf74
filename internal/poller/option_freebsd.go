package poller

import "golang.org/x/sys/unix"

const (
	reusePort     = unix.SO_REUSEPORT_LB // SO_REUSEPORT alone shares no load there
	keepAliveIdle = unix.TCP_KEEPIDLE
)
