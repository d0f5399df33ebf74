package aiofile

import (
	"context"
	"errors"
	"io"

	"github.com/go-asyncio/asyncio/internal/scratch"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// onLoop is how much is read on the loop at once, if the page cache has it: 5 µs, as long as a thread takes for
// nothing. 1 MiB would be 50 µs.
const onLoop = 128 << 10

// errNotCached is what a cache says that has not got it.
var errNotCached = errors.New("aiofile: not in the page cache")

// Read reads up to len(p) bytes at the position, and io.EOF at the end. What the page cache has is read on the loop.
//
// It is ended by the context of the running block, and has taken nothing then.
func (f *File) Read(p []byte) (int, error) {
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return plainly(f.loop, "read", f.Name(), func() (int, error) {
			f.lock()
			defer f.unlock()
			n, err := f.readHere(p, f.pos)
			f.pos += int64(n)
			return n, err
		})
	}
	return f.read(ctx, p)
}

// read is Read under a context that is given.
func (f *File) read(ctx context.Context, p []byte) (int, error) {
	if err := f.turn.Acquire(ctx); err != nil {
		return 0, pathError("read", f.Name(), err)
	}
	if len(p) <= onLoop && f.mu.TryLock() {
		n, err := f.cache.read(p, f.pos)
		f.pos += int64(n)
		f.mu.Unlock()
		if err != errNotCached {
			f.turn.Release()
			f.loop.Moved(n)
			worlds.Step(ctx, f.loop)
			return n, err
		}
	}
	defer f.turn.Release()
	return f.readInThread(ctx, p)
}

// readInThread reads at the position, and moves it only if the coroutine gets what was read.
func (f *File) readInThread(ctx context.Context, p []byte) (n int, err error) {
	if !f.placed {
		p = p[:min(len(p), onLoop)] // one system call: the next might wait
	}
	c := &call{fn: func(c *call) {
		f.lock()
		defer f.unlock()
		at := f.pos
		k, failed := fill(c, p, func(part []byte) (int, error) {
			k, failed := f.readHere(part, at)
			at += int64(k)
			return k, failed
		})
		if failed == io.EOF && k > 0 {
			failed = nil // the next one says so
		}
		c.settle(func() {
			f.pos = at
			n, err = k, failed
		})
	}}
	if failed := c.await(ctx, f.loop); failed != nil {
		return 0, pathError("read", f.Name(), failed)
	}
	return n, err
}

// ReadAt reads len(p) bytes at off, or fewer with an error, which is io.EOF at the end. It leaves the position alone.
// What the page cache has is read on the loop.
//
// It is ended by the context of the running block, and what it has read then is not for use.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	ctx := f.loop.CurrentContext()
	if ctx == nil {
		return plainly(f.loop, "read", f.Name(), func() (int, error) { return f.os.ReadAt(p, off) })
	}
	if len(p) <= onLoop && off >= 0 && ctx.Err() == nil {
		for n < len(p) && err == nil {
			var k int
			k, err = f.cache.read(p[n:], off+int64(n))
			n += k
		}
		if err != errNotCached {
			f.loop.Moved(n)
			worlds.Step(ctx, f.loop)
			return n, err
		}
	}
	k, err := f.readAtInThread(ctx, p[n:], off+int64(n))
	return n + k, err
}

func (f *File) readAtInThread(ctx context.Context, p []byte, off int64) (n int, err error) {
	c := &call{fn: func(c *call) {
		at := off
		k, failed := fill(c, p, func(part []byte) (int, error) {
			k, failed := f.os.ReadAt(part, at)
			at += int64(k)
			return k, failed
		})
		c.settle(func() { n, err = k, failed })
	}}
	if failed := c.await(ctx, f.loop); failed != nil {
		return 0, pathError("read", f.Name(), failed)
	}
	return n, err
}

// readHere reads at a position, if the file has positions, and blocks.
func (f *File) readHere(p []byte, at int64) (int, error) {
	if !f.placed {
		return f.os.Read(p)
	}
	n, err := f.os.ReadAt(p, at)
	if err == io.EOF && n > 0 {
		err = nil // the next one says so
	}
	return n, err
}

// lock takes the position, of a file that has one: a Write to a terminal must not wait for a Read.
func (f *File) lock() {
	if f.placed {
		f.mu.Lock()
	}
}

func (f *File) unlock() {
	if f.placed {
		f.mu.Unlock()
	}
}

// buffers are for reads in threads, and for copies.
var buffers = scratch.Of(onLoop)

// fill fills p in the thread of c. The coroutine may be gone before the system is done, and p with it: so the system
// fills a buffer of ours first.
func fill(c *call, p []byte, read func([]byte) (int, error)) (int, error) {
	return scratch.Lend(buffers, func(buf []byte) (n int, err error) {
		for {
			part := buf[:min(len(p)-n, len(buf))]
			k, err := read(part)
			if !c.touch(func() { copy(p[n:], part[:k]) }) {
				return 0, errStopped
			}
			n += k
			if err != nil || k < len(part) || n == len(p) {
				return n, err
			}
		}
	})
}
