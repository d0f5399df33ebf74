package aionet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

const (
	// defaultLimit is asyncio's, too.
	defaultLimit = 64 << 10
	// firstBuffer is what a Reader begins with, in bytes.
	firstBuffer = 4 << 10
	// trustedSize is up to where ReadExactly makes room for what is only announced, in bytes.
	trustedSize = 64 << 10
	// emptyReads is how often in a row a source may return neither data nor an error, as for bufio.
	emptyReads = 100
)

// A Reader reads lines and messages from a stream, by the rules of asyncio's StreamReader. It works on any io.Reader; on
// a connection of this package its methods suspend the coroutine and obey the running block. bufio.Reader works on
// connections as well; a Reader adds limits, separators, and that nothing is lost when a read ends early: what had come
// is for the next call after a cancellation, a deadline or an error that can be retried. When the connection is lost,
// each call from then on returns that error, before what had come.
//
// What a method returns belongs to the caller (that is one allocation); [Reader.Peek] returns a view. The buffer grows
// with what it has to hold, up to about twice the limit. A Reader is for one task at a time; a second one that reads while
// the first waits panics.
type Reader struct {
	src   io.Reader
	turn  stepper // src, if it is a connection of this package
	limit int
	store []byte // all of the buffer
	buf   []byte // what was read and not taken, in store
	busy  bool   // a call waits for the source
	eof   bool
	err   error // the connection is lost
}

// A LimitOverrunError is returned by [Reader.ReadUntil], which leaves the data where they are, and by
// [Reader.ReadLine], which drops the line.
type LimitOverrunError struct {
	Consumed int  // bytes before the separator, or in which there is none
	Found    bool // the separator is there
	Limit    int
}

func (e *LimitOverrunError) Error() string {
	if e.Found {
		return fmt.Sprintf("aionet: the separator is found, but after %d bytes, and the Reader's limit is %d", e.Consumed, e.Limit)
	}
	return fmt.Sprintf("aionet: there is no separator in %d bytes, and the Reader's limit is %d", e.Consumed, e.Limit)
}

// An IncompleteReadError is returned when the stream ends too early. errors.Is says that it is io.ErrUnexpectedEOF.
type IncompleteReadError struct {
	Partial  []byte // what came before the end, which the Reader does not have any more
	Expected int    // bytes that were asked for, 0 if it was a separator
}

func (e *IncompleteReadError) Error() string {
	if e.Expected == 0 {
		return fmt.Sprintf("aionet: the stream ended after %d bytes without a separator", len(e.Partial))
	}
	return fmt.Sprintf("aionet: the stream ended after %d of %d bytes", len(e.Partial), e.Expected)
}

// Unwrap returns io.ErrUnexpectedEOF.
func (e *IncompleteReadError) Unwrap() error { return io.ErrUnexpectedEOF }

// NewReader returns a Reader of src. [WithLimit] is its option.
func NewReader(src io.Reader, opts ...StreamOption) *Reader {
	if src == nil {
		panic("aionet: NewReader: nil source")
	}
	r := &Reader{limit: streamOptionsOf(opts).limit}
	r.setSource(src)
	return r
}

func (r *Reader) setSource(src io.Reader) {
	r.src = src
	r.turn, _ = src.(stepper)
}

// step begins a call. Many of them need nothing from the source: what is buffered, the end, or an error.
func (r *Reader) step() {
	if r.turn != nil {
		r.turn.step()
	}
}

// fill reads once from the source, into a buffer with room for more.
func (r *Reader) fill(call string) error {
	if len(r.buf) == cap(r.buf) {
		r.makeRoom()
	}
	n, err := r.readSource(call, r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	return err
}

// makeRoom moves what is in the buffer to its beginning, or into one twice as large.
func (r *Reader) makeRoom() {
	if len(r.buf) > cap(r.store)/2 || cap(r.store) == 0 {
		r.store = make([]byte, max(firstBuffer, 2*cap(r.store)))
	}
	r.buf = r.store[:copy(r.store, r.buf)]
}

const secondRead = ": another task is waiting in a read of this Reader"

// readSource reads once from the source and remembers its end. It returns nil or else io.EOF or another error, with data
// or not.
func (r *Reader) readSource(call string, p []byte) (int, error) {
	if r.busy {
		panic("aionet: Reader." + call + secondRead)
	}
	if r.err != nil || r.eof {
		return 0, r.end()
	}
	for range emptyReads {
		n, err := r.readOnce(p)
		switch {
		case err == io.EOF:
			r.eof = true
		case err != nil && final(err):
			r.err = err
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func (r *Reader) readOnce(p []byte) (int, error) {
	r.busy = true
	defer func() { r.busy = false }() // also after a panic
	return r.src.Read(p)
}

func (r *Reader) end() error {
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

// take removes the first n bytes and returns a copy of them.
func (r *Reader) take(n int) []byte {
	p := append(make([]byte, 0, n), r.buf[:n]...)
	r.drop(n)
	return p
}

// drop removes the first n bytes. A read that waits adds to what is there now, so that nothing may go meanwhile.
func (r *Reader) drop(n int) {
	if r.busy {
		panic("aionet: Reader" + secondRead)
	}
	if r.buf = r.buf[n:]; len(r.buf) > 0 {
		return
	}
	if cap(r.store) > keepBuffer {
		r.store = nil
	}
	r.buf = r.store[:0]
}

// adopt makes p the buffer.
func (r *Reader) adopt(p []byte) { r.store, r.buf = p[:cap(p)], p }

// Read reads up to len(p) bytes, and waits while there are none. It is that of io.Reader: at the end it returns io.EOF.
// The limit is none for it.
//
// It ends early as the source's Read does, and has taken nothing then.
func (r *Reader) Read(p []byte) (int, error) {
	r.step()
	if len(p) == 0 || r.err != nil {
		return 0, r.err
	}
	if len(r.buf) == 0 {
		if len(p) >= firstBuffer {
			return r.readSource("Read", p)
		}
		if err := r.fill("Read"); len(r.buf) == 0 {
			return 0, err
		}
	}
	n := copy(p, r.buf)
	r.drop(n)
	return n, nil
}

// ReadLine returns the next line, with its "\n". The last line may have none; after it comes io.EOF. A line of more than
// limit bytes before the "\n" is a [LimitOverrunError] and is dropped, up to its "\n" if that has come, else with all that
// has.
//
// It ends early as the source's Read does; the line's beginning is kept.
func (r *Reader) ReadLine() ([]byte, error) {
	r.step()
	if i := bytes.IndexByte(r.buf, '\n'); i >= 0 && i <= r.limit && r.err == nil {
		return r.take(i + 1), nil
	}
	end, err := r.find("ReadLine", newline)
	if end >= 0 {
		return r.take(end), nil
	}
	if over, ok := err.(*LimitOverrunError); ok {
		if over.Found {
			r.drop(over.Consumed + 1)
		} else {
			r.drop(len(r.buf))
		}
		return nil, err
	}
	if err == io.EOF && len(r.buf) > 0 {
		return r.take(len(r.buf)), nil
	}
	return nil, err
}

var newline = [][]byte{{'\n'}}

// Lines iterates over the lines that are left, as [Reader.ReadLine] returns them. An error is the last pair; the end is
// none.
func (r *Reader) Lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			line, err := r.ReadLine()
			if err == io.EOF || !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// ReadUntil returns what comes up to and including a separator. Of several separators that one counts whose first match
// ends first; of those that end at the same place the shortest. If more than limit bytes come before it, the error is a
// [LimitOverrunError], and the data stay; if the stream ends before it, an [IncompleteReadError] that has the data. No
// separator, or an empty one, is an error.
//
// It ends early as the source's Read does; what had come is kept.
func (r *Reader) ReadUntil(separators ...[]byte) ([]byte, error) {
	r.step()
	if len(separators) == 0 || slices.ContainsFunc(separators, func(s []byte) bool { return len(s) == 0 }) {
		return nil, errors.New("aionet: Reader.ReadUntil: it takes at least one separator, and none that is empty")
	}
	end, err := r.find("ReadUntil", separators)
	if end >= 0 {
		return r.take(end), nil
	}
	if err == io.EOF {
		return nil, &IncompleteReadError{Partial: r.take(len(r.buf))}
	}
	return nil, err
}

// find reads until a separator is in the buffer, and returns where it ends; or -1 and an error.
func (r *Reader) find(call string, separators [][]byte) (end int, err error) {
	longest := 0
	for _, s := range separators {
		longest = max(longest, len(s))
	}
	if r.err != nil {
		return -1, r.err
	}
	from := 0 // no separator begins before this
	for {
		if start, end := match(r.buf, from, separators); end >= 0 {
			if start > r.limit {
				return -1, &LimitOverrunError{Consumed: start, Found: true, Limit: r.limit}
			}
			return end, nil
		}
		from = max(0, len(r.buf)+1-longest)
		if from > r.limit {
			return -1, &LimitOverrunError{Consumed: from, Limit: r.limit}
		}
		if err != nil {
			return -1, err
		}
		err = r.fill(call) // with an error may have come data
	}
}

// match returns where in p, from an index on, the separator begins and ends that ends first; of those the shortest; -1 if
// there is none.
func match(p []byte, from int, separators [][]byte) (start, end int) {
	start, end = -1, -1
	p = p[min(from, len(p)):]
	for _, s := range separators {
		i := bytes.Index(p, s)
		if i < 0 {
			continue
		}
		if e := from + i + len(s); end < 0 || e < end || e == end && from+i > start {
			start, end = from+i, e
			p = p[:i+len(s)] // what ends later does not count
		}
	}
	return start, end
}

// ReadExactly returns the next n bytes. If the stream ends before, the error is an [IncompleteReadError] that has what was
// left. The limit is none for it: memory grows with what has come, not with n. A negative n is an error.
//
// It ends early as the source's Read does; what had come is kept.
func (r *Reader) ReadExactly(n int) ([]byte, error) {
	r.step()
	switch {
	case n < 0:
		return nil, fmt.Errorf("aionet: Reader.ReadExactly: %d bytes cannot be read", n)
	case r.err != nil:
		return nil, r.err
	case n == 0:
		return []byte{}, nil
	case n <= len(r.buf):
		return r.take(n), nil
	case n < firstBuffer:
		if _, err := r.peek("ReadExactly", n); err == io.EOF {
			return nil, &IncompleteReadError{Partial: r.take(len(r.buf)), Expected: n}
		} else if err != nil {
			return nil, err
		}
		return r.take(n), nil
	}
	return r.readLong(n)
}

// readLong reads straight into what will be returned. If it will not be, it becomes the buffer.
func (r *Reader) readLong(n int) ([]byte, error) {
	p := append(make([]byte, 0, min(n, max(trustedSize, len(r.buf)))), r.buf...)
	for len(p) < n {
		if len(p) == cap(p) {
			p = slices.Grow(p, min(n-len(p), len(p)))
		}
		k, err := r.readSource("ReadExactly", p[len(p):min(n, cap(p))])
		p = p[:len(p)+k]
		if err == nil || len(p) == n {
			continue
		}
		if err == io.EOF {
			r.drop(len(r.buf))
			return nil, &IncompleteReadError{Partial: p, Expected: n}
		}
		r.adopt(p)
		return nil, err
	}
	r.drop(len(r.buf))
	return p, nil
}

// ReadAll returns all that comes until the end of the stream, which is nothing at the end. The limit is none for it.
//
// It ends early as the source's Read does; what had come is kept.
func (r *Reader) ReadAll() ([]byte, error) {
	r.step()
	for {
		if r.err != nil {
			return nil, r.err
		}
		if err := r.fill("ReadAll"); err == io.EOF {
			p := r.buf
			r.adopt(nil)
			return p, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// Peek returns the next n bytes and leaves them there. They are a view that is good until the next call. If the stream
// ends before n, it returns what is left with io.EOF; a lost connection still shows what is buffered.
//
// It ends early as the source's Read does.
func (r *Reader) Peek(n int) ([]byte, error) {
	r.step()
	if n < 0 {
		return nil, fmt.Errorf("aionet: Reader.Peek: %d bytes cannot be read", n)
	}
	return r.peek("Peek", n)
}

func (r *Reader) peek(call string, n int) ([]byte, error) {
	for len(r.buf) < n {
		if err := r.fill(call); err != nil && len(r.buf) < n {
			return r.buf, err
		}
	}
	return r.buf[:n:n], nil
}

// Discard drops the next n bytes, and waits for them. At the end of the stream it returns io.EOF, and how many it dropped.
//
// It ends early as the source's Read does, and returns how many it dropped.
func (r *Reader) Discard(n int) (dropped int, err error) {
	r.step()
	if n < 0 {
		return 0, fmt.Errorf("aionet: Reader.Discard: %d bytes cannot be dropped", n)
	}
	if r.err != nil {
		return 0, r.err
	}
	for {
		k := min(n-dropped, len(r.buf))
		r.drop(k)
		if dropped += k; dropped == n || err != nil {
			return dropped, err
		}
		err = r.fill("Discard")
	}
}

// Buffered returns how many bytes can be had without asking the source.
func (r *Reader) Buffered() int { return len(r.buf) }

// AtEOF reports whether the stream has ended and all of it was taken. It is true only after a call has met the end.
func (r *Reader) AtEOF() bool { return r.eof && len(r.buf) == 0 }

// Err returns the error with which the connection was lost, or nil (asyncio's exception).
func (r *Reader) Err() error { return r.err }

// String shows the state, for reports.
func (r *Reader) String() string {
	s := fmt.Sprintf("Reader(%s, %d bytes", nameOf(r.src), len(r.buf))
	if r.eof {
		s += ", eof"
	}
	if r.limit != defaultLimit {
		s += fmt.Sprintf(", limit %d", r.limit)
	}
	if r.busy {
		s += ", waits"
	}
	if r.err != nil {
		s += fmt.Sprintf(", lost: %v", r.err)
	}
	return s + ")"
}
