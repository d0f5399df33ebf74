// Package engine is what the event loop is made of: it suspends, wakes, cancels,
// times and counts. Users never see it. The root package is its face, and
// declares each type and method that users have; the packages of this module
// build on the engine directly where users need not know how; package lowlevel
// is the part of it that others may build on.
//
// How it hangs together, from the inside out:
//   - A [Loop] has one ready queue (ring.go). An entry is a [Task] to start or
//     resume, a [Handle] to call, an [Alarm] that is due, a [Source] that has
//     news, or a descriptor that is ready. Turns are taken in turn.go, which is
//     the one place that chooses who runs next; loop.go and sleep.go ask the
//     operating system when nobody can.
//   - A task waits by [Parking.Wait] and is resumed by Parking.resume (park.go):
//     the only code that switches, looks at cancellation and knows what a task
//     waits for. A [WaitQueue] is a line of parked tasks, on which every lock,
//     queue and socket stands. A [Selection] is a wait in several lines, of which
//     one serves it; helper.go is the goroutine that waits for channels.
//   - A turn has a budget (fair.go): what waits only if need be begins with [Step],
//     so that it cannot keep the others out for ever.
//   - A [Scope] is what is cancelled as a whole (scope.go); a [Ctx] is the same
//     thing as a context, which is all that users see of it (ctx.go).
//   - A [Future] is a result to come without its type, which the face adds.
//   - config.go says in which environment a loop lives: what it gets from outside
//     comes through that one value (package env). step.go is for those who step
//     several loops on one clock.
//   - outside.go counts what can come from elsewhere; deadlock.go says when
//     nothing can, and cycle.go when tasks wait for one another while the rest
//     lives; failure.go sees to it that no error is lost; watchdog.go says what
//     blocks the loop, for which blocker.go finds the line and report.go the
//     words; dump.go writes what all tasks do.
//
// Everything belongs to the loop's goroutine, but for what says otherwise.
// Methods do not check who calls them, except where a comment says so: the face
// does ([Loop.Check]), once a call.
package engine
