package asyncio

import (
	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// AddReader lets fn run on the loop, as a callback, whenever there is something
// to read from the descriptor: again and again, once a turn, until it has been
// read or the callback is removed (asyncio's add_reader). The end of a stream
// and an error count as something to read. It replaces the callback for reading
// that fd has, and leaves that for writing alone.
//
// It is for what this library has no type for. The descriptor stays the
// caller's, who removes its callbacks before closing it. It should not block;
// of an os.File, get it by SyscallConn (its Fd method makes it block).
//
// AddReader returns [ErrLoopClosed] on a loop that has ended, and an error if
// fd is no open descriptor, if the system cannot wait for it
// (errors.ErrUnsupported on Windows), or if it is known that a connection or a
// pipe of this loop waits for it already. A regular file is always ready. While
// there are callbacks the loop does not report a deadlock. fn must not wait.
//
//go:noinline
func (l *Loop) AddReader(fd uintptr, fn func()) error {
	mustFunc("Loop.AddReader", fn)
	return l.loop.WatchFD("Loop.AddReader", fd, poller.Read, fn, callerpc.Get())
}

// AddWriter is [Loop.AddReader] for when the descriptor has room for writing
// (asyncio's add_writer).
//
//go:noinline
func (l *Loop) AddWriter(fd uintptr, fn func()) error {
	mustFunc("Loop.AddWriter", fn)
	return l.loop.WatchFD("Loop.AddWriter", fd, poller.Write, fn, callerpc.Get())
}

// RemoveReader takes the callback for reading away, and reports whether there
// was one (asyncio's remove_reader). It is not called any more. After the loop's
// end there is none.
func (l *Loop) RemoveReader(fd uintptr) bool {
	return l.loop.UnwatchFD("Loop.RemoveReader", fd, poller.Read)
}

// RemoveWriter is [Loop.RemoveReader] for writing (asyncio's remove_writer).
func (l *Loop) RemoveWriter(fd uintptr) bool {
	return l.loop.UnwatchFD("Loop.RemoveWriter", fd, poller.Write)
}
