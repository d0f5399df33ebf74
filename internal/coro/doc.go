// Package coro runs functions on pooled coroutines.
//
// A [Worker] is a goroutine that is only ever entered by a coroutine switch
// ([iter.Pull]), so exactly one of {the hub, its workers} runs at a time. The
// hub calls [Worker.Resume]; the worker runs until it calls [Worker.Suspend]
// or has nothing left to do. What a worker does is the owner's function: it is
// called each time the worker is entered afresh, and may well run thousands of
// short jobs before it returns, so that a job that never suspends costs no
// switch and no new coroutine.
//
// Why iter.Pull: a switch there costs a fifth of a channel hand-over, keeps
// the whole stack (so any function may wait, however deep), and is part of the
// language's promise, unlike assembly that swaps stacks by itself.
//
// Alternatives that lost: a goroutine a task with channel hand-over (320 ns a
// switch instead of 65); state machines (they colour every function); switching
// from worker to worker without the hub (10 % faster, but then the end of a
// coroutine and runtime.Goexit have to be routed by hand).
//
// Three rules of the runtime shape this package:
//   - runtime.Goexit in a coroutine travels to whoever resumes it. A worker in
//     which it was called is therefore retired on a goroutine of its own.
//   - A coroutine that is suspended is never collected. Every worker has to be
//     resumed to its end: see [Pool.Close].
//   - runtime.LockOSThread must not be held across a switch; the runtime ends
//     the program if it is.
package coro
