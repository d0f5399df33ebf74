//go:build !unix

package poller

// MsgTrunc is the flag of a datagram that was cut off.
const MsgTrunc = 0x100
