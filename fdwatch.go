package asyncio

import (
	"fmt"
	"math"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// fdWatch is a descriptor with callbacks.
type fdWatch struct {
	loop        *loop
	fd          uintptr
	watch       poller.Watch
	read, write *fdCallback // nil: none
}

// fdCallback is called again and again while the descriptor is ready.
type fdCallback struct {
	of     *fdWatch
	mode   poller.Mode
	fn     func() // nil: removed
	origin uintptr
}

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
	return l.watchFD("Loop.AddReader", fd, poller.Read, fn, callerpc.Get())
}

// AddWriter is [Loop.AddReader] for when the descriptor has room for writing
// (asyncio's add_writer).
//
//go:noinline
func (l *Loop) AddWriter(fd uintptr, fn func()) error {
	return l.watchFD("Loop.AddWriter", fd, poller.Write, fn, callerpc.Get())
}

// RemoveReader takes the callback for reading away, and reports whether there
// was one (asyncio's remove_reader). It is not called any more. After the loop's
// end there is none.
func (l *Loop) RemoveReader(fd uintptr) bool {
	return l.unwatchFD("Loop.RemoveReader", fd, poller.Read)
}

// RemoveWriter is [Loop.RemoveReader] for writing (asyncio's remove_writer).
func (l *Loop) RemoveWriter(fd uintptr) bool {
	return l.unwatchFD("Loop.RemoveWriter", fd, poller.Write)
}

func (l *loop) watchFD(call string, fd uintptr, m poller.Mode, fn func(), origin uintptr) error {
	mustFunc(call, fn)
	if l.isClosed() {
		return fmt.Errorf("asyncio: %s: %w", call, ErrLoopClosed)
	}
	l.check(call)
	if l.closing {
		return fmt.Errorf("asyncio: %s: %w", call, ErrLoopClosed)
	}
	if fd > math.MaxInt32 {
		return fmt.Errorf("asyncio: %s: %d is not a descriptor", call, int(fd))
	}
	w, err := l.fdWatch(fd)
	if err == nil {
		err = w.set(m, &fdCallback{of: w, mode: m, fn: fn, origin: origin})
	}
	if err != nil {
		return fmt.Errorf("asyncio: %s: descriptor %d: %w", call, fd, err)
	}
	return nil
}

func (l *loop) unwatchFD(call string, fd uintptr, m poller.Mode) bool {
	if l.isClosed() {
		return false
	}
	l.check(call)
	w := l.fds[fd]
	return w != nil && w.remove(m)
}

// fdWatch returns what watches fd, a new one if there was none.
func (l *loop) fdWatch(fd uintptr) (*fdWatch, error) {
	if w := l.fds[fd]; w != nil {
		return w, nil
	}
	w := &fdWatch{loop: l, fd: fd}
	var err error
	if w.watch, err = l.poller.Watch(int(fd), w, poller.Level); err != nil {
		return nil, err
	}
	if l.fds == nil {
		l.fds = map[uintptr]*fdWatch{}
	}
	l.fds[fd] = w
	return w, nil
}

// of returns where the callback of a direction is kept.
func (w *fdWatch) of(m poller.Mode) **fdCallback {
	if m == poller.Read {
		return &w.read
	}
	return &w.write
}

func (w *fdWatch) set(m poller.Mode, c *fdCallback) error {
	if !w.drop(m) {
		w.loop.outside++
	}
	*w.of(m) = c
	err := w.watch.Arm(m)
	if err != nil {
		w.remove(m)
	}
	return err
}

// drop keeps the callback from being called, be it that its turn has come already.
func (w *fdWatch) drop(m poller.Mode) bool {
	c := *w.of(m)
	if c != nil {
		c.fn = nil
	}
	return c != nil
}

func (w *fdWatch) remove(m poller.Mode) bool {
	if !w.drop(m) {
		return false
	}
	*w.of(m) = nil
	w.loop.outside--
	if w.read == nil && w.write == nil {
		delete(w.loop.fds, w.fd)
		_ = w.watch.Close()
	}
	return true
}

// Ready is the poller's call.
func (w *fdWatch) Ready(m poller.Mode) {
	if m&poller.Read != 0 && w.read != nil {
		w.loop.ready.push(w.read)
	}
	if m&poller.Write != 0 && w.write != nil {
		w.loop.ready.push(w.write)
	}
}

// run calls the callback, and lets it be called again.
func (c *fdCallback) run(l *loop) {
	if c.fn == nil {
		return
	}
	l.call(c.fn, c.origin)
	if c.fn == nil || l.closed {
		return
	}
	if err := c.of.watch.Arm(c.mode); err != nil {
		c.of.remove(c.mode)
		l.exception(ExceptionInfo{Message: "watching a descriptor failed; was it closed before its callback was removed?", Err: err})
	}
}

// clearFDs removes all callbacks at the loop's end.
func (l *loop) clearFDs() {
	for _, w := range l.fds {
		w.remove(poller.Read)
		w.remove(poller.Write)
	}
}
