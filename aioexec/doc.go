// Package aioexec is subprocesses on the event loop, in the shape of os/exec.
//
// # The idea
//
// A [Cmd] is a program to run. Its streams are connected to nothing (as in os/exec, that is /dev/null), to files, to
// readers and writers, which coroutines of the loop feed and empty, or to pipes that you read and write yourself
// ([Cmd.StdoutPipe]). Waiting for its end suspends the coroutine that waits, and nothing else.
//
//	out, err := aioexec.Command("git", "log", "--oneline").Output(ctx)
//
// To start a program takes a millisecond and more, so a thread does it. Its end is seen by the poller, through a
// pidfd; elsewhere than on Linux a goroutine waits for each process. No thread waits, so a thousand processes at once
// are no trouble.
//
// # Cancellation
//
// A process belongs to the context of its [Cmd.Start], or [Cmd.Run]: when that ends, the process is asked to end
// ([Cmd.Cancel]: by SIGTERM), and is killed if it has not after [Cmd.WaitDelay]. Start and Run return only then; no
// process is left behind, also not at the end of the loop. To let one live on, start it under context.WithoutCancel.
//
// Children of the process may hold its streams open when it has ended. If the context ends then, a [Cmd.Group] is asked
// to end as the process would be, and is killed after WaitDelay. Without a Group the children are left alone, and the
// streams are closed: at once, or if WaitDelay is set when that has passed since the process's end.
//
// Awaiting does not own: a [Cmd.Wait] that is cancelled leaves the process alone, and any number of tasks may Wait.
//
// # What differs from os/exec
//
//   - What waits takes a context.
//   - Cancellation sends SIGTERM first. Set Cancel to the method Kill for the other way.
//   - [Cmd.Group] makes signals and cancellation reach the process's children, too.
//   - Wait does not close the pipes of StdoutPipe and its kind: what the process has written can be read after its
//     end. Close them, or read them to the end. What is open when the loop ends is closed then.
//   - Wait may be called again, and by several tasks; each gets the same result.
//   - A reader that feeds Stdin is left when the process has ended.
//
// # Costs
//
// A start takes about as long as in os/exec, in a thread; the loop spends some ten microseconds on a process, and two
// descriptors besides its pipes. Under Linux the fork is a vfork: memory is not copied, but the process's other
// threads go on only when it has happened.
package aioexec
