// Package worlds holds what a type needs that serves both worlds: coroutines of a loop, which wait by suspending, and
// goroutines, which wait by blocking and must not need the loop for that. net.Conn's and os.File's methods on the
// loop are such.
package worlds
