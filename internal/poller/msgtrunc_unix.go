//go:build unix

package poller

import "syscall"

// MsgTrunc is the flag of a datagram that was cut off.
const MsgTrunc = syscall.MSG_TRUNC
