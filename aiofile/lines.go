package aiofile

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
)

// maxLine is the longest line of Lines, in bytes.
const maxLine = 1 << 20

// Lines returns an iterator over the lines from the position on, without their ends, which are LF or CR LF. The last
// one need not have an end. What is not UTF-8 is handed on as it is. A line of more than 1 MiB is an error; see
// LinesLimit.
//
// With an error the line is "". If ctx ends, or reading fails, that comes last. Lines reads ahead: the position is
// behind the last line only at the end of the file.
func (f *File) Lines(ctx context.Context) iter.Seq2[string, error] { return f.LinesLimit(ctx, maxLine) }

// LinesLimit is Lines with another limit for a line, in bytes without its end. For a longer one comes an error that
// is bufio.ErrTooLong; who does not leave the loop then goes on with the line after it. It needs as much memory as
// the longest line that is allowed and comes. It panics if limit < 1.
func (f *File) LinesLimit(ctx context.Context, limit int) iter.Seq2[string, error] {
	if limit < 1 {
		panic(fmt.Sprintf("aiofile: File.LinesLimit: the limit is %d; it must be at least 1", limit))
	}
	return lines(f.Name(), limit, func(p []byte) (int, error) { return f.read(ctx, p) })
}

func lines(name string, limit int, read func([]byte) (int, error)) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s := splitter{name: name, limit: limit, yield: yield, buf: make([]byte, 0, 32<<10)}
		for {
			if len(s.buf) == cap(s.buf) {
				s.buf = append(s.buf, 0)[:len(s.buf)]
			}
			n, err := read(s.buf[len(s.buf):cap(s.buf)])
			s.buf = s.buf[:len(s.buf)+n]
			if n > 0 && !s.split() {
				return
			}
			if err == io.EOF {
				s.rest()
				return
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

// splitter holds what was read and not handed on yet.
type splitter struct {
	name  string
	limit int
	yield func(string, error) bool
	buf   []byte
	seen  int  // of buf, without an end of line
	line  int  // how many have ended
	long  bool // the line is too long, and has been reported
}

// split hands on the lines that are complete. It reports false if the iterator's user has left.
func (s *splitter) split() bool {
	start := 0
	for {
		i := bytes.IndexByte(s.buf[start+s.seen:], '\n')
		if i < 0 {
			break
		}
		end := start + s.seen + i
		line := s.buf[start:end]
		start, s.seen = end+1, 0
		if !s.hand(bytes.TrimSuffix(line, []byte{'\r'})) {
			return false
		}
		s.line++
		s.long = false
	}
	s.buf = append(s.buf[:0], s.buf[start:]...)
	s.seen = len(s.buf)
	if len(s.buf) > s.limit+1 || s.long { // one more may be a CR
		s.buf, s.seen = s.buf[:0], 0
		return s.tooLong()
	}
	return true
}

// rest hands on what comes after the last end of a line.
func (s *splitter) rest() {
	if len(s.buf) > 0 {
		s.hand(s.buf)
	}
}

func (s *splitter) hand(line []byte) bool {
	if len(line) > s.limit || s.long {
		return s.tooLong()
	}
	return s.yield(string(line), nil)
}

// tooLong reports that a line is, once.
func (s *splitter) tooLong() bool {
	if s.long {
		return true
	}
	s.long = true
	err := fmt.Errorf("line %d is longer than %d bytes: %w", s.line+1, s.limit, bufio.ErrTooLong)
	return s.yield("", pathError("read", s.name, err))
}
