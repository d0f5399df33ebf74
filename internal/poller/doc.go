// Package poller is the operating system as the loop sees it: sockets that are tried and never block, and one
// Wait that says which of them are worth another try.
//
// # The idea
//
// Everything that a caller does is "try; on ErrAgain arm and park; be woken by Ready; try again". What lies under
// that differs:
//
//   - epoll (Linux) and kqueue (macOS, FreeBSD) report readiness. A descriptor is registered once, edge-triggered,
//     for both directions, at the first ErrAgain: one that always has data never enters the kernel's table. A try
//     remembers that it emptied the socket, so that the next one does not ask again before the kernel's next edge.
//   - the portable poller stands on Go's own netpoller, which cannot try. Its sockets follow the completion model:
//     arming starts a goroutine that reads into a buffer of the socket's, and the next try takes the result from
//     there. Nothing is lost when whoever asked has gone away meanwhile. io_uring fits the same shape.
//
// # Two worlds
//
// Tries belong to the goroutine that calls Wait. Other goroutines use [Socket.Block], which waits in Go's netpoller
// (on a duplicate of the descriptor, made at the first such call) and never needs anybody to call Wait. A socket
// that only the loop uses pays nothing for it.
//
// # Costs
//
// A try is one system call. Registering is one more in a socket's life. Wait first polls without blocking, by a
// raw system call that the Go scheduler does not notice, and blocks only if that found nothing. Wake is an atomic
// operation, plus one system call if Wait is blocked and nobody has woken it yet. The portable poller costs one
// goroutine an operation that waits and a buffer for each socket.
//
// # The end
//
// Close makes Wait return ErrClosed and Wake do nothing. Sockets are their owners' to close, before or after.
package poller
