//go:build unix

package faultproxy

import (
	"strings"
	"syscall"
)

// smallSegments gives TCP the segments of an Ethernet. With those of the loopback, 64 KiB, a buffer smaller than that
// is filled only when TCP's timers say so, 200 ms later each time.
func smallSegments(network, _ string, c syscall.RawConn) (err error) {
	if strings.HasPrefix(network, "tcp") {
		failed := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1460)
		})
		if failed != nil {
			return failed
		}
	}
	return err
}
