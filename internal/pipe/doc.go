// Package pipe is the system's pipes, FIFOs, terminals and the like, as a loop has them: tried on the loop, and waited for
// in its poller, or where that cannot be on goroutines; and for all other goroutines, which block.
//
// [System] is one environment's way to come by them. Another environment has pipes of its own, and these are not used.
package pipe
