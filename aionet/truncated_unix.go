//go:build unix

package aionet

import "syscall"

// Truncated is the flag, of those that [PacketConn.ReadMsg] returns, of a datagram that was cut off.
const Truncated = syscall.MSG_TRUNC
