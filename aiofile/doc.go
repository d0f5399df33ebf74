// Package aiofile is files and pipes on the event loop.
//
// # The idea
//
// The system has no call that waits for a disk without a thread. So what may wait runs in a thread, and the
// coroutine is suspended meanwhile ([asyncio.ToThreadIn]); but most reads are served by the page cache, and those are
// done on the loop itself, at a quarter of the cost: preadv2 with RWF_NOWAIT (Linux) reads what is in memory and
// refuses the rest, which then goes to a thread. Up to 128 KiB are read so; the copy of more would hold the loop for
// longer than a thread takes. [ReadFile] finds and opens a file in the same way, by openat2 with RESOLVE_CACHED (Linux
// 5.12), if it is on a disk: FUSE and NFS would ask a program or a server.
//
//	err := asyncio.Run(ctx, func(ctx context.Context) error {
//		f, err := aiofile.Open(ctx, "access.log")
//		if err != nil {
//			return err
//		}
//		defer f.Close()
//		for line, err := range f.Lines(ctx) {
//			...
//		}
//	})
//
// A [File] is an io.Reader, Writer, Seeker, ReaderAt, WriterAt and Closer in both worlds: in a coroutine its calls
// suspend that coroutine and obey the innermost block of the running task; on any other goroutine they block that
// goroutine and need nothing from the loop. The functions that take a context, such as [ReadFile], are for coroutines;
// elsewhere there is package os. io_uring was measured and lost: a thread there and back takes 1 to 4 µs, a ring 3.7.
//
// # Pipes and terminals
//
// What can be waited for needs no thread: a [Pipe] is one end of a pipe, a FIFO or a terminal, tried on the loop and
// waited for in its poller, as a connection of package aionet is. [OpenPipe] makes a new one, [NewPipe] takes one over,
// [Stdin], [Stdout] and [Stderr] are the program's own, be they terminals, pipes or files, and [OpenPTY] is a terminal
// for somebody else. The flags of a descriptor that others may share (the shell's terminal) are never changed, so there
// is nothing to restore after a panic or Ctrl-C; NewPipe says how. A Read that is cancelled has taken nothing; a Write
// returns how much is on its way.
//
// # Cancellation
//
// Nothing can stop a thread that the disk keeps waiting. So it matters what it does:
//
//   - What only looks (Open, Read, ReadAt, Stat, Sync, [ReadFile], [ReadDir]) returns at once when it is cancelled.
//     The thread goes on, and what it gets is dropped: nothing is written to the caller's buffer, no file stays open,
//     and the position of a File is where it was. What had come in the same moment is returned.
//   - What changes something (Write, WriteAt, Truncate, [WriteFile], [AppendFile], [Copy], [CopyFS], [Rename], [Chmod]
//     and so on) does not begin if it is cancelled before; if it has begun, it stops at its next step (a mebibyte, as a
//     rule), cleans up, and only then returns. What it reports is final: no thread is left behind that writes what
//     nobody expects any more. A disk that hangs holds it up.
//   - [RemoveAll] returns at once, and goes on in its thread.
//
// Under a context that is done already, each call yields once and fails with the cause.
//
// # Errors
//
// Errors are those of package os: an *fs.PathError, to which errors.Is(err, fs.ErrNotExist) applies. The cause of a
// cancellation is wrapped in the same way.
//
// # Costs
//
// A cached read of 4 KiB takes about 1 µs and allocates nothing, a ReadFile of as much 10 µs, as os.ReadFile does. A
// call in a thread costs 1 to 4 µs more than the same in package os, and up to 40 µs when it takes so long that the loop
// sleeps meanwhile and has to be woken. Each loop has 32 threads for files; see [SetThreadLimit]. A cached read in a
// thread copies twice, since the caller's buffer may be gone. A call on the loop takes 4 of the 128 steps of a turn, and
// one more for each KiB; opening a file takes 32, and a step of [WalkDir] one. So nobody who reads the page cache all the
// time keeps the others out.
//
// # The end
//
// Who opened a File closes it. What is still open when the loop ends is closed then.
package aiofile
