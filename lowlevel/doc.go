// Package lowlevel is for building primitives of your own, as the locks, queues
// and connections of this library are built (trio calls its own trio.lowlevel).
// Programs do not need it.
//
//   - A [WaitQueue] is a line of tasks that wait: the one way to suspend a task
//     until something of yours happens.
//   - A [Selectable] is a call of yours that asyncio.Select can make.
//   - A [Source] brings what happens outside the loop, as on a device, to a
//     callback.
//   - A [Local] is a variable of which each loop has its own.
//   - [AddCloser] has something closed at the loop's end.
//   - [CurrentContext] is for interfaces that leave no room for a context.
//
// Everything here belongs to one loop and is not locked: use it from coroutines
// and callbacks of that loop only.
package lowlevel
