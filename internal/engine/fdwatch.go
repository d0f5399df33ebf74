package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// fdWatch is a descriptor with callbacks.
type fdWatch struct {
	loop        *Loop
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

// WatchFD lets fn be called whenever the descriptor is ready for m, which is
// poller.Read or poller.Write, until UnwatchFD.
func (l *Loop) WatchFD(call string, fd uintptr, m poller.Mode, fn func(), origin uintptr) error {
	if l.Closed() {
		return fmt.Errorf("asyncio: %s: %w", call, ErrLoopClosed)
	}
	l.Check(call)
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

// UnwatchFD takes the callback away, and reports whether there was one.
func (l *Loop) UnwatchFD(call string, fd uintptr, m poller.Mode) bool {
	if l.Closed() {
		return false
	}
	l.Check(call)
	w := l.fds[fd]
	return w != nil && w.remove(m)
}

// fdWatch returns what watches fd, a new one if there was none.
func (l *Loop) fdWatch(fd uintptr) (*fdWatch, error) {
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

// drop keeps the callback from being called, even if it is in the ready queue.
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
func (c *fdCallback) run(l *Loop) {
	if c.fn == nil {
		return
	}
	l.call(c.fn, c.origin)
	if c.fn == nil || l.closed {
		return
	}
	if err := c.of.watch.Arm(c.mode); err != nil {
		c.of.remove(c.mode)
		l.Report(ExceptionInfo{Message: "watching a descriptor failed; was it closed before its callback was removed?", Err: err})
	}
}

// clearFDs removes all callbacks at the loop's end.
func (l *Loop) clearFDs() {
	for _, fd := range slices.Sorted(maps.Keys(l.fds)) {
		w := l.fds[fd]
		w.remove(poller.Read)
		w.remove(poller.Write)
	}
}
