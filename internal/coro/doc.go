// Package coro runs functions on pooled coroutines.
//
// A [Worker] is a goroutine that is only ever entered by a coroutine switch
// ([iter.Pull]), so exactly one of {the hub, its workers} runs at a time. The
// hub enters a worker with [Pool.Enter]; a worker that has to wait hands on to
// another one, or back to the hub, with [Worker.Suspend] or [Worker.Switch]. What a worker does is
// the owner's function: it is called each time the worker is entered afresh,
// and may well run thousands of short jobs before it returns, so that a job
// that never suspends costs no switch and no new coroutine.
//
// Why iter.Pull: a switch there costs an eighth of a channel hand-over, keeps
// the whole stack (so any function may wait, however deep), and is part of the
// language's promise, unlike assembly that swaps stacks by itself.
//
// How one switch gets from any worker to any other: an iter.Pull is a place in
// which one goroutine is parked, and next and yield both mean "park me here and
// let that one run". Nothing ties the place to the goroutine that it was made
// for. So each worker only remembers in which slot it is parked, each slot
// whether next or yield is due, and a switch is one crossing of a slot. Only at
// its end a goroutine has to be back in its own slot: see Pool.bringHome.
//
// Alternatives that lost: a goroutine a task with channel hand-over (320 ns a
// switch instead of 35); a hub that resumes each worker (two switches instead
// of one for each turn); state machines (they colour every function).
//
// Three rules of the runtime shape this package:
//   - runtime.Goexit in a coroutine travels to whoever resumes it. A worker in
//     which it was called is therefore retired on a goroutine of its own.
//   - A coroutine that is suspended is never collected. Every worker has to be
//     resumed to its end: see [Pool.Close].
//   - runtime.LockOSThread must not be held across a switch; the runtime ends
//     the program if it is.
package coro
