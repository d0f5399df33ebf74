package aionet_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/go-asyncio/asyncio/aionet"
)

// chopped gives a stream in pieces whose sizes the fuzzer chooses, and now and then an error that can be retried.
type chopped struct {
	data  []byte
	at    int
	sizes []byte
	turn  int
}

var errAgainLater = errors.New("again later")

func (c *chopped) Read(p []byte) (int, error) {
	size := 1
	if len(c.sizes) > 0 {
		size = int(c.sizes[c.turn%len(c.sizes)])
		c.turn++
	}
	if size == 255 {
		return 0, errAgainLater
	}
	n := copy(p[:min(len(p), size%16+1)], c.data[c.at:])
	if c.at += n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// FuzzReader compares a Reader with a model that has the whole stream at once, and knows where the Reader is in it.
func FuzzReader(f *testing.F) {
	f.Add([]byte("hello\nworld\r\n\r\nAAAsecond"), []byte{0, 3, 255, 7}, []byte("AAA"), []byte("\r\n"), uint8(4), []byte{0, 1, 2, 3, 4, 5})
	f.Add(bytes.Repeat([]byte("ab"), 40), []byte{1}, []byte("ba"), []byte("b"), uint8(1), []byte{1, 1, 2, 2, 0, 4})
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n"), []byte{9, 255}, []byte("aab"), []byte("ab"), uint8(200), []byte{1, 4, 1})
	f.Fuzz(func(t *testing.T, data, sizes, sep1, sep2 []byte, limit uint8, calls []byte) {
		if len(sep1) == 0 || len(sep2) == 0 || len(calls) > 100 || !bytes.ContainsFunc(sizes, func(r rune) bool { return r != 255 && r != 0xfffd }) {
			return
		}
		source := &chopped{data: data, sizes: sizes}
		m := &model{t: t, data: data, source: source, limit: int(limit) + 1}
		m.r = aionet.NewReader(source, aionet.WithLimit(m.limit))
		for _, c := range calls {
			n := int(c) / 6
			switch c % 6 {
			case 0:
				m.line()
			case 1:
				m.until(sep1, sep2)
			case 2:
				m.exactly(n)
				if n == 42 {
					m.exactly(5000) // straight into the result
				}
			case 3:
				m.read(n)
			case 4:
				m.peek(n)
			case 5:
				m.until(sep1)
			}
			m.check()
		}
		m.all()
	})
}

// model is what the Reader should do; at is where it is in data.
type model struct {
	t      *testing.T
	data   []byte
	at     int
	limit  int
	r      *aionet.Reader
	source *chopped
}

// check sees that nothing of the stream is lost or doubled: what is not in the source any more is in the buffer.
func (m *model) check() {
	m.t.Helper()
	if at := m.source.at - m.r.Buffered(); at != m.at {
		m.t.Fatalf("the Reader is at %d of the stream, want %d", at, m.at)
	}
}

// took checks what was returned, and moves on.
func (m *model) took(what string, got []byte, want int) {
	m.t.Helper()
	if want < 0 || !bytes.Equal(got, m.data[m.at:m.at+want]) {
		m.t.Fatalf("%s at %d = %q, want %d bytes of %q", what, m.at, got, want, m.data[m.at:])
	}
	m.at += want
}

// first returns where the first match begins and ends, slowly: -1 if there is none.
func (m *model) first(separators ...[]byte) (start, end int) {
	rest := m.data[m.at:]
	for end := range len(rest) + 1 {
		start := -1
		for _, s := range separators {
			if bytes.HasSuffix(rest[:end], s) {
				start = max(start, end-len(s))
			}
		}
		if start >= 0 {
			return start, end
		}
	}
	return -1, -1
}

// retry calls until the error is not the one to be retried.
func retry[T any](call func() (T, error)) (T, error) {
	for range 1000 {
		if v, err := call(); err != errAgainLater {
			return v, err
		}
	}
	panic("no progress")
}

func (m *model) line() {
	start, end := m.first([]byte("\n"))
	if end < 0 {
		start, end = len(m.data)-m.at, len(m.data)-m.at
	}
	got, err := retry(m.r.ReadLine)
	over, tooLong := errors.AsType[*aionet.LimitOverrunError](err)
	switch {
	case tooLong && start > m.limit && over.Consumed > m.limit && over.Found && over.Consumed == start:
		m.at += end
	case tooLong && start > m.limit && over.Consumed > m.limit && !over.Found && over.Consumed <= start:
		m.at = m.source.at // all that had come
	case err == nil && start <= m.limit && end > 0:
		m.took("ReadLine", got, end)
	case err == io.EOF && m.at == len(m.data):
	default:
		m.t.Fatalf("ReadLine at %d = %q, %v, want %d bytes of %q, limit %d", m.at, got, err, end, m.data[m.at:], m.limit)
	}
}

func (m *model) until(separators ...[]byte) {
	start, end := m.first(separators...)
	got, err := retry(func() ([]byte, error) { return m.r.ReadUntil(separators...) })
	over, tooLong := errors.AsType[*aionet.LimitOverrunError](err)
	short, tooShort := errors.AsType[*aionet.IncompleteReadError](err)
	switch {
	case tooLong && over.Consumed > m.limit && (over.Found && over.Consumed == start || !over.Found && (end < 0 || over.Consumed < end)):
	case tooShort && end < 0:
		m.took("ReadUntil's part", short.Partial, len(m.data)-m.at)
	case err == nil && start <= m.limit:
		m.took("ReadUntil", got, end)
	default:
		m.t.Fatalf("ReadUntil %q at %d = %q, %v, want %d bytes of %q, limit %d", separators, m.at, got, err, end, m.data[m.at:], m.limit)
	}
}

func (m *model) exactly(n int) {
	got, err := retry(func() ([]byte, error) { return m.r.ReadExactly(n) })
	if left := len(m.data) - m.at; n <= left {
		m.took("ReadExactly", got, n)
	} else if short, ok := errors.AsType[*aionet.IncompleteReadError](err); ok && short.Expected == n {
		m.took("ReadExactly's part", short.Partial, left)
	} else {
		m.t.Fatalf("ReadExactly(%d) of %d = %v", n, left, err)
	}
}

func (m *model) read(n int) {
	buf := make([]byte, n)
	k, err := retry(func() (int, error) { return m.r.Read(buf) })
	if err == io.EOF && m.at == len(m.data) {
		return
	}
	if err != nil || k == 0 && n > 0 {
		m.t.Fatalf("Read(%d) at %d of %d = %d, %v", n, m.at, len(m.data), k, err)
	}
	m.took("Read", buf[:k], k)
}

func (m *model) peek(n int) {
	got, err := retry(func() ([]byte, error) { return m.r.Peek(n) })
	want := m.data[m.at:min(len(m.data), m.at+n)]
	if !bytes.Equal(got, want) || (err == io.EOF) != (len(want) < n) {
		m.t.Fatalf("Peek(%d) = %q, %v, want %q", n, got, err, want)
	}
}

func (m *model) all() {
	got, err := retry(m.r.ReadAll)
	if err != nil || !m.r.AtEOF() {
		m.t.Fatalf("ReadAll = %v", err)
	}
	m.took("ReadAll", got, len(m.data)-m.at)
}
