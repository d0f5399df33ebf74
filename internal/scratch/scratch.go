// Package scratch lends buffers for the time of a call, so that thousands of connections and files do not each hold
// one.
//
// A Read or Write that was left, because its context or its loop has ended, may go on in a thread, with the buffer that it
// was given. So a buffer is lent again only after a call that has ended well; any other is left to the garbage collector.
// There is no way to give one back by hand, or too early.
package scratch

import (
	"io"
	"sync"
)

// Buffers are buffers of one size. Any goroutine may use them.
type Buffers struct{ pool sync.Pool }

// Of returns buffers of size bytes.
func Of(size int) *Buffers {
	b := new(Buffers)
	b.pool.New = func() any {
		buf := make([]byte, size)
		return &buf
	}
	return b
}

// Lend calls fn with a buffer, which has anything in it, and returns what fn returns. When it is nil or io.EOF, nobody
// may use the buffer any more.
func Lend[N any](b *Buffers, fn func(buf []byte) (N, error)) (N, error) {
	buf := b.pool.Get().(*[]byte)
	n, err := fn(*buf)
	if err == nil || err == io.EOF {
		b.pool.Put(buf)
	}
	return n, err
}
