// Package cancelwalk is a test: each function of this library that waits is cancelled at each of its waits, one after
// another, and leaves the state that its documentation promises.
//
// A walk is one function, a line in a table of its package (aionet_test.go and so on), which complete_test.go holds
// against the code. It is run on a loop that is stepped turn by turn: once without, and then again and again, cancelled
// after its first turn, its second, and so on until it ends before that. Each time twice: once as it waits, and once as
// what it waits for comes in the same turn. After that nothing may be left, no task, timer, thread or descriptor, nothing
// may have been reported, and what the walk itself looks at must hold: a connection is usable, or closed, as documented,
// and no data is lost.
package cancelwalk
