package aiofile

import (
	"context"
	"io"
)

// step is how much is written before a look at whether to go on.
const step = 1 << 20

// Write writes all of p at the position, or at the end of a file that was opened with os.O_APPEND. It returns fewer
// than len(p) only with an error.
//
// It is ended by the context of the running block, after the mebibyte that is being written; the number of bytes is
// exact, and the position is after them. Appending is not ended half-way.
func (f *File) Write(p []byte) (int, error) {
	never := func() bool { return false }
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return plainly(f.loop, "write", f.Name(), func() (int, error) { return f.writeHere(never, p) })
	}
	return f.write(ctx, p)
}

// write is Write under a context that is given.
func (f *File) write(ctx context.Context, p []byte) (int, error) {
	if err := f.turn.Acquire(ctx); err != nil {
		return 0, pathError("write", f.Name(), err)
	}
	defer f.turn.Release()
	return change(ctx, f.loop, "write", f.Name(), func(stop func() bool) (int, error) { return f.writeHere(stop, p) })
}

// WriteString is Write of a string.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// WriteAt writes all of p at off, and leaves the position alone. It is ended as Write is. When the disk is full it may
// have written a part of a mebibyte more than it says, as os.File.WriteAt may.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return plainly(f.loop, "write", f.Name(), func() (int, error) { return f.os.WriteAt(p, off) })
	}
	return change(ctx, f.loop, "write", f.Name(), func(stop func() bool) (int, error) {
		return inSteps(stop, p, func(part []byte, done int) (int, error) { return f.os.WriteAt(part, off+int64(done)) })
	})
}

// writeHere writes at the position, and blocks.
func (f *File) writeHere(stop func() bool, p []byte) (int, error) {
	f.lock()
	defer f.unlock()
	switch {
	case f.append:
		n, err := f.os.Write(p)
		if at, failed := f.os.Seek(0, io.SeekCurrent); failed == nil {
			f.pos = at
		}
		return n, err
	case !f.placed:
		return f.os.Write(p)
	}
	// The system's own position is used only here, since os.File.WriteAt does not count what came before an error.
	if _, err := f.os.Seek(f.pos, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := inSteps(stop, p, func(part []byte, _ int) (int, error) { return f.os.Write(part) })
	f.pos += int64(n)
	return n, err
}

// inSteps writes p, and looks between the steps whether to stop.
func inSteps(stop func() bool, p []byte, write func(part []byte, done int) (int, error)) (done int, err error) {
	for {
		n, err := write(p[done:min(done+step, len(p))], done)
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
		if stop() {
			return done, errStopped
		}
	}
}
