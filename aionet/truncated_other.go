//go:build !unix

package aionet

// Truncated is the flag, of those that [PacketConn.ReadMsg] returns, of a datagram that was cut off: WinSock's MSG_TRUNC.
const Truncated = 0x100
