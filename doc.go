// Package asyncio is Python's asyncio for Go: an event loop on which coroutines
// take turns.
//
//	err := asyncio.Run(ctx, func(ctx context.Context) error {
//		pages, err := asyncio.Gather(ctx, fetch("/a"), fetch("/b"))
//		...
//	})
//
// The guide in docs/ teaches it in thirteen chapters; one of them, docs/07-python.md,
// has every name of asyncio and what stands for it here.
//
// # The model
//
// A coroutine is an ordinary function that is given a context and waits, if at
// all, with that context. It runs until it waits for something; then another
// one runs. Between two waits nothing else on that loop runs, so what the
// loop's coroutines share needs no locks and has no data races. A [Task] is a
// coroutine that was started; a [Future] is a result that somebody will set.
//
// Coroutines have stacks of their own, so there are no coloured functions: any
// function may wait, however deep in a library it is called, and suspends its
// own coroutine only. That is how a connection of package aionet can be a plain
// net.Conn, and bufio, encoding/json or crypto/tls run on it unchanged.
//
// # Nobody is kept out
//
// A call that waits if need be may turn out not to have to: the queue has an
// item, the lock is open, the future is done. A loop of such calls lets the
// others in all the same. A turn has a budget of 128 steps; a call that may wait
// takes one step, whether it waits or not, succeeds or fails, and the call that
// finds none left lets everybody who is ready have a turn first, and timers and
// events, too. It looks at its context and at what it waits for after that, so
// nothing that was granted is lost. A task that really waits has a full budget
// when it goes on. docs/01-model.md has the table of what counts how much.
//
// So assume that a call with a ctx may let others run, although it has nothing to
// wait for. What never does: TryAcquire, TryPut, TryGet and TrySelect, Release, Set,
// Notify, CreateTask, and all else that is given no context and returns no error of a wait.
//
// # Contexts are scopes
//
// [CreateTask], [Timeout], [Group] and [Shield] each hand on a context of their
// own: a scope. Cancelling a scope cancels what was started below it, and
// nothing else. It is a state and not an event: from then on every wait in the
// scope fails with the cause, at once, until the scope is left. (An exception
// that is thrown once, as in asyncio, is lost when it is caught in the wrong
// place; trio and Go's own contexts are right here.)
//
//   - What a waiter was granted it keeps. A result, permit or item that comes in
//     the same turn as the cancellation is delivered; the next wait reports.
//   - A wait under a done context yields once, so that a loop of failing waits
//     does not starve the others.
//   - Where there is nothing to wait for, what takes something (a lock, an item)
//     fails under a done context, and what only asks whether something has
//     happened (a set [Event], a [Task] that is done) is answered.
//   - Clean-up that has to wait runs under [Shield] or [context.WithoutCancel].
//   - The contexts of the standard library work on ours, and are accepted by
//     every wait: WithValue costs nothing, WithTimeout and WithCancel cost a
//     goroutine-safe hook a wait; [WithTimeout] and [WithCancel] of this package
//     are cheaper and run on the loop's clock.
//
// Awaiting never owns: when a waiter is cancelled, what it awaits goes on.
// Owners (a [Group], [Gather], [Map], [Race], [WaitFor], a range over a [TaskSet]
// or [MapSeq], a [Timeout] around a call) end only when what they own has ended.
//
// # What must not be done
//
// A call that blocks, or computes for long, holds up every task of the loop:
// move it into [ToThread]. A watchdog names those that you have missed, while
// they block. A task must not wait while a library above it on the stack holds a
// sync.Mutex that another task may want. runtime.LockOSThread must not be held
// across a wait; the Go runtime ends the program then.
//
// A loser of [Race] may have succeeded, too, and its result is dropped: what takes
// something (an item, a permit) is waited for with [Select], which takes from one
// only.
//
// Everything belongs to its loop and is used there, on its coroutines and
// callbacks; other goroutines come in by [RunThreadsafe] and
// [Loop.CallSoonThreadsafe], and [Recv] and [Send] wait for Go's channels. A wait from a wrong goroutine or with another
// task's context returns an error that says so; other misuse panics, since it
// would corrupt the loop.
//
// # Failures
//
// A panic in a task becomes the task's error, a [PanicError] with its stack. A
// failed task that nobody awaits is reported through the exception handler when
// it is dropped, or when the loop ends, once, with its name and the place where
// it was created. When nothing can ever go on, [Run] returns a [DeadlockError]
// that says who waits for what, who holds it, and in which line. Of tasks that
// wait for one another while others go on the exception handler is told.
// [CaptureCallGraph] shows the same of a program that is well: what a task is
// doing, and who awaits it.
//
// # Costs
//
// A task is one allocation, and needs a coroutine (2.7 KB) only while it is
// suspended. A switch costs about as much as runtime.Gosched, and allocates
// nothing, as do locks, semaphores, queues, sleeps and timers that are re-armed.
// One loop uses one core. See bench/RESULTS.md for numbers beside goroutines,
// CPython and tokio.
//
// # How the package is built
//
// One primitive suspends a task and one resumes it (park.go); the loop runs what
// is ready, turn by turn (loop.go); scopes carry cancellation (scope.go).
// Everything else stands on these three.
package asyncio
