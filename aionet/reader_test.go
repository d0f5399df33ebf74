package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// feed is a source that gives one piece a call, and then err.
type feed struct {
	pieces []string
	err    error
	calls  int
}

func (f *feed) Read(p []byte) (int, error) {
	f.calls++
	if len(f.pieces) == 0 {
		return 0, f.err
	}
	n := copy(p, f.pieces[0])
	if f.pieces[0] = f.pieces[0][n:]; f.pieces[0] == "" {
		f.pieces = f.pieces[1:]
	}
	return n, nil
}

// fed returns a Reader of the pieces and then the end.
func fed(limit int, pieces ...string) *aionet.Reader {
	return aionet.NewReader(&feed{pieces: pieces, err: io.EOF}, aionet.WithLimit(limit))
}

func wantBytes(t *testing.T, what string, got []byte, err error, want string) {
	t.Helper()
	if string(got) != want || err != nil {
		t.Errorf("%s = %q, %v, want %q", what, got, err, want)
	}
}

// wantOverrun checks a LimitOverrunError, and that so much is still in the buffer.
func wantOverrun(t *testing.T, r *aionet.Reader, err error, consumed int, found bool, left int) {
	t.Helper()
	over, ok := errors.AsType[*aionet.LimitOverrunError](err)
	if !ok || over.Consumed != consumed || over.Found != found {
		t.Errorf("error %#v, want a LimitOverrunError of %d bytes, found %v", err, consumed, found)
	}
	if r.Buffered() != left {
		t.Errorf("%d bytes are left, want %d", r.Buffered(), left)
	}
}

func wantIncomplete(t *testing.T, r *aionet.Reader, err error, partial string, expected int) {
	t.Helper()
	e, ok := errors.AsType[*aionet.IncompleteReadError](err)
	if !ok || string(e.Partial) != partial || e.Expected != expected || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %#v, want an IncompleteReadError of %q and %d", err, partial, expected)
	}
	if r.Buffered() != 0 || !r.AtEOF() {
		t.Errorf("%d bytes are left", r.Buffered())
	}
}

// conformance: stream-reader-02 stream-reader-03 stream-reader-04 stream-reader-05 stream-reader-09 stream-reader-12
// conformance: stream-04
func TestReader_read_givesWhatIsThere(t *testing.T) {
	source := &feed{pieces: []string{"line1\nline2", "", "end"}, err: io.EOF}
	r := aionet.NewReader(source, aionet.WithLimit(3))
	if n, err := r.Read(nil); n != 0 || err != nil || source.calls != 0 {
		t.Errorf("a Read into nothing = %d, %v, after %d calls of the source", n, err, source.calls)
	}
	buf := make([]byte, 5)
	n, err := r.Read(buf)
	wantBytes(t, "the first Read", buf[:n], err, "line1")
	if r.Buffered() != 6 || source.calls != 1 {
		t.Errorf("%d bytes left after %d calls, want 6 after 1", r.Buffered(), source.calls)
	}
	if n, err := r.Read(nil); n != 0 || err != nil || r.Buffered() != 6 {
		t.Errorf("a Read into nothing = %d, %v, and left %d", n, err, r.Buffered())
	}
	big := make([]byte, 100)
	n, err = r.Read(big)
	wantBytes(t, "a large Read", big[:n], err, "\nline2")
	n, err = r.Read(big)
	wantBytes(t, "a Read after an empty piece", big[:n], err, "end")
	if r.AtEOF() {
		t.Error("AtEOF before the end was met")
	}
	for range 2 {
		if n, err := r.Read(big); n != 0 || err != io.EOF || !r.AtEOF() {
			t.Errorf("Read at the end = %d, %v, AtEOF %v", n, err, r.AtEOF())
		}
	}
	r = fed(10, "left")
	if _, err := r.Peek(5); err != io.EOF || r.AtEOF() {
		t.Errorf("Peek = %v, AtEOF %v with data left", err, r.AtEOF())
	}
}

// conformance: stream-reader-06
func TestReader_readAll_isNotLimitedAndOwned(t *testing.T) {
	want := strings.Repeat("0123456789", 10_000)
	r := fed(5, want[:7], want[7:50_000], want[50_000:])
	if _, err := r.Discard(3); err != nil {
		t.Fatal(err)
	}
	got, err := r.ReadAll()
	if string(got) != want[3:] || err != nil || !r.AtEOF() {
		t.Errorf("%d bytes, %v, AtEOF %v", len(got), err, r.AtEOF())
	}
	got, err = r.ReadAll()
	wantBytes(t, "ReadAll at the end", got, err, "")
}

// conformance: stream-reader-10 stream-reader-15 stream-reader-16
func TestReader_readLine_collectsPiecesAndKeepsTheRest(t *testing.T) {
	r := fed(100, "chunk1 ", "chunk2 ", "chunk3 \n chunk4", "\nxyz12345\nlast")
	for _, want := range []string{"chunk1 chunk2 chunk3 \n", " chunk4\n"} {
		line, err := r.ReadLine()
		wantBytes(t, "ReadLine", line, err, want)
	}
	buf := make([]byte, 3)
	n, err := r.Read(buf)
	wantBytes(t, "Read between lines", buf[:n], err, "xyz")
	exact, err := r.ReadExactly(2)
	wantBytes(t, "ReadExactly between lines", exact, err, "12")
	line, err := r.ReadLine()
	wantBytes(t, "ReadLine", line, err, "345\n")
	line, err = r.ReadLine()
	wantBytes(t, "the last line", line, err, "last")
	if line, err := r.ReadLine(); line != nil || err != io.EOF {
		t.Errorf("ReadLine at the end = %q, %v", line, err)
	}
}

// conformance: stream-reader-01
func TestReader_lines_includeALastOneWithoutNewline(t *testing.T) {
	var got []string
	for line, err := range fed(100, "a\nb", "b\n\nc").Lines() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	if fmt.Sprintf("%q", got) != `["a\n" "bb\n" "\n" "c"]` {
		t.Errorf("%q", got)
	}
	rounds := 0
	for _, err := range fed(3, "too long\nb\n").Lines() {
		if rounds++; err == nil || rounds > 1 {
			t.Errorf("round %d: %v", rounds, err)
		}
	}
	r := fed(100, "a\nb\n")
	for range r.Lines() {
		break
	}
	line, err := r.ReadLine()
	wantBytes(t, "ReadLine after a range that was left", line, err, "b\n")
}

// conformance: stream-reader-11 stream-reader-13
// pitfall: 35
func TestReader_lineAboveTheLimit_isDropped(t *testing.T) {
	t.Run("with its newline if that is there", func(t *testing.T) {
		r := fed(3, "line1\nline2\n")
		_, err := r.ReadLine()
		wantOverrun(t, r, err, 5, true, 6)
		r = fed(3, "li", "ne1\nab\n")
		_, err = r.ReadLine()
		wantOverrun(t, r, err, 5, true, 3)
		line, err := r.ReadLine()
		wantBytes(t, "the line after it", line, err, "ab\n")
	})
	t.Run("with all that has come if not", func(t *testing.T) {
		r := fed(3, "li", "ne1", "ne\nabc\n")
		_, err := r.ReadLine()
		wantOverrun(t, r, err, 5, false, 0)
		line, err := r.ReadLine()
		wantBytes(t, "its rest", line, err, "ne\n")
	})
	t.Run("but not with exactly the limit", func(t *testing.T) {
		for _, pieces := range [][]string{{"123\n1234\n"}, {"123", "\n123", "4\n"}} {
			r := fed(3, pieces...)
			line, err := r.ReadLine()
			wantBytes(t, "a line of the limit", line, err, "123\n")
			if _, err := r.ReadLine(); !errors.As(err, new(*aionet.LimitOverrunError)) {
				t.Errorf("one more = %v", err)
			}
		}
	})
}

// conformance: stream-reader-14
func TestReader_completeLine_asksForNothingMore(t *testing.T) {
	source := &feed{pieces: []string{"a\nbb\nc"}, err: errors.New("asked again")}
	r := aionet.NewReader(source)
	for _, want := range []string{"a\n", "bb\n"} {
		line, err := r.ReadLine()
		wantBytes(t, "ReadLine", line, err, want)
	}
	if source.calls != 1 {
		t.Errorf("the source was asked %d times", source.calls)
	}
}

// conformance: stream-reader-18 stream-reader-26 stream-reader-08
func TestReader_misuse(t *testing.T) {
	r := fed(100, "data")
	for _, separators := range [][][]byte{{}, {nil}, {[]byte("a"), {}}} {
		if _, err := r.ReadUntil(separators...); err == nil || !strings.Contains(err.Error(), "at least one separator") {
			t.Errorf("ReadUntil(%q) = %v", separators, err)
		}
	}
	if p, err := r.ReadExactly(0); p == nil || len(p) != 0 || err != nil {
		t.Errorf("ReadExactly(0) = %v, %v", p, err)
	}
	for what, call := range map[string]func() error{
		"ReadExactly": func() error { _, err := r.ReadExactly(-1); return err },
		"Peek":        func() error { _, err := r.Peek(-1); return err },
		"Discard":     func() error { _, err := r.Discard(-1); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "Reader."+what+": -1 bytes") {
			t.Errorf("%s(-1) = %v", what, err)
		}
	}
	if p, err := r.ReadAll(); string(p) != "data" || err != nil {
		t.Errorf("after all that %q, %v", p, err)
	}
	mustPanicWith(t, "WithLimit: the limit must be positive, not 0", func() { aionet.WithLimit(0) })
	mustPanicWith(t, "WithLimit: the limit must be positive, not -1", func() { aionet.WithLimit(-1) })
	mustPanicWith(t, "NewReader: nil source", func() { aionet.NewReader(nil) })
}

func mustPanicWith(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("panic %v, want %q", v, want)
		}
	}()
	fn()
}

// conformance: stream-reader-19 stream-reader-22 stream-reader-24 stream-reader-25
// pitfall: 35
func TestReader_readUntil_theMatchThatEndsFirstWins(t *testing.T) {
	for _, c := range []struct {
		pieces     string // separated by |
		separators string
		want       string
	}{
		{"first,AAAsecond", "AAA", "first,AAA"},
		{"xxxA|AA|rest", "AAA", "xxxAAA"},
		{"QWERTYUI|OPASDFGH|JKL", "UIOP", "QWERTYUIOP"},
		{"aaAA|AA", "AAAA", "aaAAAA"},
		{"some data ;; more", ";; ;", "some data ;"},
		{"aXbYc", "Y X", "aX"},
		{"no0xabc", "no0 0xa", "no0"},
		{"abcdef", "bcde cd", "abcd"},  // the shorter one ends first, though it begins later
		{"abcdef", "cdef bcd", "abcd"}, // the longer one
		{"abc", "abc bc c", "abc"},     // all end at once
		{"a|b|c|d|e", "bcd de", "abcd"},
		{"ab|", "b abcdefgh", "ab"},
		{"1\r|\n2", "\r\n \n", "1\r\n"},
	} {
		r := fed(100, strings.Split(c.pieces, "|")...)
		var separators [][]byte
		for s := range strings.SplitSeq(c.separators, " ") {
			separators = append(separators, []byte(s))
		}
		if c.separators == ";; ;" {
			separators = [][]byte{[]byte(";"), []byte(";;")}
		}
		got, err := r.ReadUntil(separators...)
		wantBytes(t, fmt.Sprintf("%s until %q", c.pieces, separators), got, err, c.want)
		rest, err := r.ReadAll()
		wantBytes(t, "the rest of "+c.pieces, rest, err, strings.ReplaceAll(c.pieces, "|", "")[len(c.want):])
	}
}

// conformance: stream-reader-20 stream-reader-29
// pitfall: 35
func TestReader_endTooEarly_givesThePart(t *testing.T) {
	r := fed(100, "some ", "dataAA")
	_, err := r.ReadUntil([]byte("AAA"))
	wantIncomplete(t, r, err, "some dataAA", 0)
	if want := "aionet: the stream ended after 11 bytes without a separator"; err.Error() != want {
		t.Errorf("%v", err)
	}
	for _, n := range []int{10, 10_000} { // by way of the buffer, and straight
		r = fed(100, "some", "data")
		_, err = r.ReadExactly(n)
		wantIncomplete(t, r, err, "somedata", n)
		_, err = r.ReadExactly(n)
		wantIncomplete(t, r, err, "", n)
	}
}

// conformance: stream-reader-21 stream-reader-23
// pitfall: 35
func TestReader_readUntilAboveTheLimit_keepsTheData(t *testing.T) {
	r := fed(3, "some dataAAA")
	for range 2 {
		_, err := r.ReadUntil([]byte("AAA"))
		wantOverrun(t, r, err, 9, true, 12)
	}
	r = fed(3, "some dataAAAmore")
	_, err := r.ReadUntil([]byte("A"), []byte("AA"))
	wantOverrun(t, r, err, 9, true, 16)
	// Several that end at the same place: the shortest decides about the limit.
	r = fed(3, "ab:AAA")
	_, err = r.ReadUntil([]byte("b:AAA"), []byte("AAA"), []byte("AA A"))
	if err != nil {
		t.Errorf("a separator at the limit: %v", err)
	}
	r = fed(2, "ab:AAA")
	_, err = r.ReadUntil([]byte("b:AAA"), []byte("AAA"))
	wantOverrun(t, r, err, 3, true, 6)
	r = fed(3, "some", "data")
	_, err = r.ReadUntil([]byte("AA"))
	wantOverrun(t, r, err, 7, false, 8)
	if want := "aionet: there is no separator in 7 bytes, and the Reader's limit is 3"; err.Error() != want {
		t.Errorf("%v", err)
	}
}

// conformance: stream-reader-27 stream-reader-28
func TestReader_readExactly_isNotLimitedAndLeavesTheRest(t *testing.T) {
	for _, n := range []int{7, 4_000, 5_000, 300_000} {
		data := strings.Repeat("abcdefg", n/7+2)
		r := fed(3, data[:2], data[2:n/2], data[n/2:])
		got, err := r.ReadExactly(n)
		wantBytes(t, fmt.Sprint("ReadExactly ", n), got, err, data[:n])
		rest, err := r.ReadAll()
		wantBytes(t, "the rest", rest, err, data[n:])
	}
}

// What is announced and does not come must cost nothing.
func TestReader_readExactly_ofAHugeNumber_makesNoRoomForIt(t *testing.T) {
	r := fed(3, "short")
	_, err := r.ReadExactly(1 << 50)
	wantIncomplete(t, r, err, "short", 1<<50)
}

// conformance: stream-reader-07 stream-reader-17 stream-reader-30 stream-reader-31
func TestReader_lostConnection_isSaidBeforeWhatHadCome(t *testing.T) {
	for _, cause := range []error{syscall.ECONNRESET, io.ErrUnexpectedEOF} { // a reset; TLS that was cut off
		testLostReader(t, cause)
	}
}

func testLostReader(t *testing.T, cause error) {
	source := &feed{pieces: []string{"some data\n"}, err: fmt.Errorf("read: %w", cause)}
	r := aionet.NewReader(source)
	if r.Err() != nil {
		t.Errorf("Err = %v", r.Err())
	}
	for what, call := range map[string]func() error{
		"ReadExactly": func() error { _, err := r.ReadExactly(100); return err },
		"ReadLine":    func() error { _, err := r.ReadLine(); return err },
		"ReadUntil":   func() error { _, err := r.ReadUntil([]byte("\n")); return err },
		"ReadAll":     func() error { _, err := r.ReadAll(); return err },
		"Read":        func() error { _, err := r.Read(make([]byte, 1)); return err },
		"Discard":     func() error { _, err := r.Discard(1); return err },
		"Lines": func() error {
			for _, err := range r.Lines() {
				return err
			}
			return nil
		},
	} {
		if _, err := r.ReadExactly(100); !errors.Is(err, cause) {
			t.Errorf("the read that met it = %v", err)
		}
		if err := call(); !errors.Is(err, cause) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if !errors.Is(r.Err(), cause) {
		t.Errorf("Err = %v", r.Err())
	}
	if p, err := r.Peek(r.Buffered()); string(p) != "some data\n" || err != nil {
		t.Errorf("Peek at what had come = %q, %v", p, err)
	}
}

// conformance: stream-03 stream-reader-32 stream-reader-33
func TestReader_reset_wakesWhoReadsAlsoAfterACancellation(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		r, w := aionet.NewReader(ours), aionet.NewWriter(ctx, ours)
		first := asyncio.Go(ctx, func(context.Context) error { _, err := r.ReadLine(); return err })
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		first.Cancel()
		if _, err := first.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		second := asyncio.Go(ctx, func(context.Context) error { _, err := r.ReadLine(); return err })
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		theirs.(*net.TCPConn).SetLinger(0)
		theirs.Close()
		if _, err := second.Await(ctx); !errors.Is(err, syscall.ECONNRESET) && runtime.GOOS != "windows" {
			t.Errorf("after the reset: %v", err)
		}
		w.Close()
		if err := w.WaitClosed(ctx); err != nil {
			t.Errorf("closing = %v", err)
		}
		return nil
	})
}

// A read that was cancelled, or late, leaves what had come for the next.
func TestReader_readThatEndsEarly_losesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			r := aionet.NewReader(b)
			for what, call := range map[string]func() error{
				"ReadLine":         func() error { _, err := r.ReadLine(); return err },
				"ReadExactly":      func() error { _, err := r.ReadExactly(10); return err },
				"a long exact one": func() error { _, err := r.ReadExactly(100_000); return err },
				"ReadUntil":        func() error { _, err := r.ReadUntil([]byte("never")); return err },
				"ReadAll":          func() error { _, err := r.ReadAll(); return err },
				"Peek":             func() error { _, err := r.Peek(10); return err },
			} {
				if _, err := a.Write([]byte("half")); err != nil {
					return err
				}
				if _, err := r.Peek(4); err != nil {
					return err
				}
				err := asyncio.Timeout(ctx, time.Millisecond, func(context.Context) error { return call() })
				if !errors.Is(err, context.DeadlineExceeded) || r.Buffered() != 4 {
					t.Errorf("%s: %v, %d bytes left", what, err, r.Buffered())
				}
				if _, err := a.Write([]byte(" and half\n")); err != nil {
					return err
				}
				line, err := r.ReadLine()
				wantBytes(t, "after "+what, line, err, "half and half\n")
			}
			return nil
		})
	})
}

// What came within the call that failed is kept, too.
func TestReader_errorThatCanBeRetried_losesNothing(t *testing.T) {
	for what, call := range map[string]func(r *aionet.Reader) error{
		"ReadLine":         func(r *aionet.Reader) error { _, err := r.ReadLine(); return err },
		"ReadExactly":      func(r *aionet.Reader) error { _, err := r.ReadExactly(100); return err },
		"a long exact one": func(r *aionet.Reader) error { _, err := r.ReadExactly(100_000); return err },
		"ReadUntil":        func(r *aionet.Reader) error { _, err := r.ReadUntil([]byte("never")); return err },
		"ReadAll":          func(r *aionet.Reader) error { _, err := r.ReadAll(); return err },
		"Peek":             func(r *aionet.Reader) error { _, err := r.Peek(100); return err },
	} {
		r := aionet.NewReader(&feed{pieces: []string{"abc", "def"}, err: errAgainLater})
		if err := call(r); err != errAgainLater {
			t.Errorf("%s = %v", what, err)
		}
		got, err := r.ReadExactly(6)
		wantBytes(t, "after "+what, got, err, "abcdef")
	}
}

func TestReader_twoTasksAtOnce_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		r := aionet.NewReader(b)
		first := asyncio.Go(ctx, func(context.Context) error { _, err := r.ReadLine(); return err })
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		mustPanicWith(t, "aionet: Reader.ReadExactly: another task is waiting in a read", func() { _, _ = r.ReadExactly(3) })
		if _, err := a.Write([]byte("line\n")); err != nil {
			return err
		}
		_, err := first.Await(ctx)
		return err
	})
}

// What is buffered is the first one's, who waits for more to come behind it.
func TestReader_twoTasksAtOnce_theSecondTakesNothingOfTheBuffer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		r := aionet.NewReader(b)
		if _, err := a.Write([]byte("half a ")); err != nil {
			return err
		}
		if _, err := r.Peek(len("half a ")); err != nil {
			return err
		}
		first := asyncio.Go(ctx, func(context.Context) error {
			line, err := r.ReadLine()
			wantBytes(t, "ReadLine", line, err, "half a line\n")
			return err
		})
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		for _, take := range []func(){
			func() { _, _ = r.Read(make([]byte, 100)) },
			func() { _, _ = r.ReadExactly(7) },
			func() { _, _ = r.Discard(7) },
		} {
			mustPanicWith(t, "aionet: Reader: another task is waiting in a read", take)
		}
		if _, err := a.Write([]byte("line\n")); err != nil {
			return err
		}
		_, err := first.Await(ctx)
		return err
	})
}

// conformance: stream-08
func TestReader_string_showsItsState(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		r := aionet.NewReader(b, aionet.WithLimit(5))
		who := "Reader(tcp " + b.RemoteAddr().String()
		reading := asyncio.Go(ctx, func(context.Context) error { _, err := r.Peek(3); return err })
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		if got := r.String(); got != who+", 0 bytes, limit 5, waits)" {
			t.Error(got)
		}
		if _, err := a.Write([]byte("abc")); err != nil {
			return err
		}
		a.Close()
		if _, err := reading.Await(ctx); err != nil {
			return err
		}
		if _, err := r.Peek(4); err != io.EOF {
			t.Errorf("Peek = %v", err)
		}
		if got := r.String(); got != who+", 3 bytes, eof, limit 5)" {
			t.Error(got)
		}
		return nil
	})
	r := aionet.NewReader(&feed{err: syscall.ECONNRESET})
	_, _ = r.ReadLine()
	if got := r.String(); got != "Reader(a stream, 0 bytes, lost: connection reset by peer)" {
		t.Error(got)
	}
}

// What is returned belongs to the caller: later reads do not change it.
func TestReader_whatItReturns_stays(t *testing.T) {
	r := fed(100_000, strings.Repeat("aaaa\n", 1000), strings.Repeat("bbbb\n", 1000), strings.Repeat("c", 10_000))
	first, err := r.ReadLine()
	exact, _ := r.ReadExactly(5)
	until, _ := r.ReadUntil([]byte("\n"))
	for range 1997 {
		_, _ = r.ReadLine()
	}
	all, _ := r.ReadAll()
	if !bytes.Equal(first, exact) || !bytes.Equal(first, until) || string(first) != "aaaa\n" || err != nil || len(all) != 10_000 {
		t.Errorf("%q %q %q, %d, %v", first, exact, until, len(all), err)
	}
}

func TestReader_readLine_allocatesTheLineOnly(t *testing.T) {
	source := &endless{line: "a line of some length that is usual\n"}
	r := aionet.NewReader(source)
	if _, err := r.ReadLine(); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1000, func() { _, _ = r.ReadLine() }); got > 1 {
		t.Errorf("ReadLine: %v allocations", got)
	}
	if got := testing.AllocsPerRun(1000, func() { _, _ = r.Peek(30); _, _ = r.Discard(30) }); got > 0 {
		t.Errorf("Peek and Discard: %v allocations", got)
	}
}

// endless gives the same line for ever.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.line[e.at:])
		n += k
		e.at = (e.at + k) % len(e.line)
	}
	return n, nil
}
