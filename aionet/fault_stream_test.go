//go:build unix

package aionet_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// What is promised of Reader and Writer, besides: each call returns what it would of the whole stream at once, however
// the pieces come and whenever it was cancelled before; what was left at the end is given; a lost connection stays so.
func TestFaults_readersAndWriters(t *testing.T) {
	for _, kind := range faultKinds {
		underFaults(t, kind, func(seed uint64) error {
			return newConversation(seed, kind, streams{}, streams{}).hold()
		})
	}
}

// streams are ends that use Reader and Writer.
type streams struct{}

func (streams) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	options := append(k.streamOptions(), aionet.WithServe(aionet.WithDrain(v.limit)))
	if v.tls {
		options = append(options, aionet.WithTLS(serverConfig()))
	}
	s, err := aionet.StartServer(ctx, v.network, v.address(), func(ctx context.Context, r *aionet.Reader, w *aionet.Writer) error {
		k.talkInStream(ctx, v, r, w)
		return nil
	}, options...)
	if err != nil {
		return nil, nil, err
	}
	return s.Addrs()[0], func() error { return v.endOfServer(s.Shutdown(ctx)) }, nil
}

func (streams) call(ctx context.Context, v *conversation, k *talker, address string) error {
	options := k.streamOptions()
	if v.tls {
		options = append(options, aionet.WithTLS(clientConfig()))
	}
	var r *aionet.Reader
	var w *aionet.Writer
	err := v.within(ctx, func(ctx context.Context) (err error) {
		r, w, err = aionet.OpenConnection(ctx, v.network, address, options...)
		return err
	})
	if err == nil {
		k.talkInStream(ctx, v, r, w)
	}
	return err
}

func (k *talker) streamOptions() []aionet.StreamOption {
	k.limit = []int{16, 100, 1000, 1 << 16}[k.random.IntN(4)]
	high := k.random.IntN(1 << 16)
	return []aionet.StreamOption{aionet.WithLimit(k.limit), aionet.WithWaterMarks(k.random.IntN(1+high), high)}
}

// talkInStream ends with the connection closed.
func (k *talker) talkInStream(ctx context.Context, v *conversation, r *aionet.Reader, w *aionet.Writer) {
	narrow(w.Conn().(net.Conn))
	err := v.within(ctx, func(ctx context.Context) error {
		return k.both(ctx,
			func(ctx context.Context, random *rand.Rand) { k.writeStream(ctx, w, random) },
			func(ctx context.Context, random *rand.Rand) {
				k.readStream(ctx, r, random)
				if k.readErr != nil {
					w.Close()
				}
			})
	})
	w.Close()
	closed := v.within(ctx, func(inner context.Context) error {
		if err != nil {
			return asyncio.Timeout(inner, 0, w.WaitClosed)
		}
		return w.WaitClosed(inner)
	})
	k.writeErr = cmp.Or(k.writeErr, err, closed)
}

func (k *talker) writeStream(ctx context.Context, w *aionet.Writer, r *rand.Rand) {
	for k.sent < k.size && k.writeErr == nil {
		p := k.next(r)
		var n int
		var err error
		switch cut := r.IntN(len(p) + 1); r.IntN(3) {
		case 0:
			n, err = w.Write(p)
		case 1:
			n, err = w.WriteString(string(p))
		case 2:
			n, err = w.Writev(p[:cut], p[cut:])
		}
		k.sent += n
		if err == nil && r.IntN(3) > 0 {
			_, err = k.try(ctx, r, nil, func(ctx context.Context) (int, error) { return 0, w.Drain(ctx) })
		}
		k.writeErr = err
	}
	if k.writeErr == nil {
		k.writeErr = w.WriteEOF()
	}
}

// readStream reads with all that a Reader has, until the end or an error.
func (k *talker) readStream(ctx context.Context, r *aionet.Reader, random *rand.Rand) {
	s := &streamReader{talker: k, r: r, random: random, all: stream(k.expect, 0, k.size)}
	calls := []func() error{s.readLine, s.readUntil, s.readExactly, s.read, s.peekAndDiscard, s.lines, s.readAll}
	var err error
	for err == nil && k.wrong == nil {
		call := calls[random.IntN(len(calls)-1)]
		if random.IntN(50) == 0 {
			call = s.readAll
		}
		_, err = k.try(ctx, random, nil, func(context.Context) (int, error) { return 0, call() })
	}
	switch {
	case k.wrong != nil:
		k.readErr = k.wrong
	case errors.Is(err, io.EOF):
		s.checkEnd()
	default:
		k.readErr = err
		s.checkLost()
	}
}

// streamReader compares what a Reader returns with what is in the stream. At the end its methods return io.EOF.
type streamReader struct {
	*talker
	r      *aionet.Reader
	random *rand.Rand
	all    []byte // what the peer sends, if it comes to that
}

func (s *streamReader) rest() []byte { return s.all[min(s.got, len(s.all)):] }

func (s *streamReader) read() error {
	p := make([]byte, 1+s.random.IntN(1<<(1+s.random.IntN(14))))
	n, err := s.r.Read(p)
	s.take(p[:n])
	return err
}

func (s *streamReader) readExactly() error {
	n := s.random.IntN(1 << (1 + s.random.IntN(17)))
	p, err := s.r.ReadExactly(n)
	s.take(p)
	if err == nil && len(p) != n {
		s.fault("ReadExactly(%d) returned %d bytes", n, len(p))
	}
	if e, ok := errors.AsType[*aionet.IncompleteReadError](err); ok {
		if e.Expected != n || len(e.Partial) >= n {
			s.fault("ReadExactly(%d): %d of %d bytes", n, len(e.Partial), e.Expected)
		}
		s.take(e.Partial)
		return io.EOF
	}
	return err
}

func (s *streamReader) readAll() error {
	p, err := s.r.ReadAll()
	s.take(p)
	return cmp.Or(err, io.EOF)
}

func (s *streamReader) peekAndDiscard() error {
	n := s.random.IntN(1 << (1 + s.random.IntN(10)))
	p, err := s.r.Peek(n)
	if !bytes.HasPrefix(s.rest(), p) || err == nil && len(p) != n {
		s.fault("Peek(%d) at byte %d returned %d others, %v", n, s.got, len(p), err)
	}
	if err != nil && err != io.EOF {
		return err
	}
	n, err = s.r.Discard(s.random.IntN(n + 1))
	s.got += n
	return err
}

func (s *streamReader) readLine() error {
	line, err := s.r.ReadLine()
	return s.tookLine(line, err)
}

func (s *streamReader) lines() error {
	left := s.random.IntN(20)
	for line, err := range s.r.Lines() {
		if lost := s.tookLine(line, err); lost != nil || err != nil || left == 0 {
			return lost
		}
		left--
	}
	return io.EOF
}

func (s *streamReader) tookLine(line []byte, err error) error {
	start, end := firstIn(s.rest(), [][]byte{{'\n'}})
	over, isOver := errors.AsType[*aionet.LimitOverrunError](err)
	switch {
	case err == nil && end == len(line) && start <= s.limit:
		s.take(line)
	case err == nil: // the last one has no end
		if bytes.IndexByte(line, '\n') >= 0 || len(line) == 0 {
			s.fault("at byte %d the line has %d bytes, not %d", s.got, len(line), end)
		}
		s.take(line)
		if n, err := s.r.Peek(1); err != io.EOF {
			s.fault("after a line without an end comes %q, %v", n, err)
		}
	case isOver && s.checkOverrun(over, start) && over.Found:
		s.got = s.got + end
	case isOver:
		s.got = s.got + over.Consumed
	default:
		return err
	}
	return nil
}

func (s *streamReader) checkOverrun(e *aionet.LimitOverrunError, start int) bool {
	if e.Consumed <= s.limit || e.Limit != s.limit || e.Found && e.Consumed != start || start >= 0 && e.Consumed > start {
		s.fault("at byte %d, with a separator %d bytes after it: %+v", s.got, start, e)
	}
	return true
}

func (s *streamReader) readUntil() error {
	separators := s.separators()
	start, end := firstIn(s.rest(), separators)
	p, err := s.r.ReadUntil(separators...)
	over, isOver := errors.AsType[*aionet.LimitOverrunError](err)
	incomplete, isIncomplete := errors.AsType[*aionet.IncompleteReadError](err)
	switch {
	case err == nil:
		if len(p) != end || start > s.limit {
			s.fault("ReadUntil(%q) at byte %d: %d bytes, not %d", separators, s.got, len(p), end)
		}
		s.take(p)
	case isOver:
		s.checkOverrun(over, start)
		p, err := s.r.ReadExactly(over.Consumed) // they stayed
		s.take(p)
		return err
	case isIncomplete:
		if at, _ := firstIn(incomplete.Partial, separators); at >= 0 {
			s.fault("ReadUntil(%q) at byte %d overlooked one, and found the end", separators, s.got)
		}
		s.take(incomplete.Partial)
		return io.EOF
	}
	return err
}

// separators are pieces of the stream, for the most part.
func (s *streamReader) separators() [][]byte {
	separators := make([][]byte, 1+s.random.IntN(3))
	for i := range separators {
		from := s.random.IntN(len(s.all) - 4)
		separators[i] = bytes.Clone(s.all[from : from+1+s.random.IntN(4)])
	}
	if s.random.IntN(4) == 0 {
		separators[0] = []byte("no such thing")
	}
	return separators
}

// firstIn looks, in the plainest of ways, for what ends first, and where the shortest of those begins.
func firstIn(p []byte, separators [][]byte) (start, end int) {
	start = -1
	for end = 1; end <= len(p); end++ {
		for _, sep := range separators {
			if bytes.HasSuffix(p[:end], sep) {
				start = max(start, end-len(sep))
			}
		}
		if start >= 0 {
			return start, end
		}
	}
	return -1, -1
}

// checkEnd holds the end to being one.
func (s *streamReader) checkEnd() {
	line, errLine := s.r.ReadLine()
	all, errAll := s.r.ReadAll()
	if len(line) > 0 || errLine != io.EOF || len(all) > 0 || errAll != nil || !s.r.AtEOF() || s.r.Err() != nil {
		s.fault("after the end: %d bytes, %v; %d bytes, %v; %v", len(line), errLine, len(all), errAll, s.r)
	}
}

// checkLost holds a lost connection to being so. A read that came too late may be tried again.
func (s *streamReader) checkLost() {
	buffered, _ := s.r.Peek(s.r.Buffered())
	if !bytes.HasPrefix(s.rest(), buffered) {
		s.fault("%d bytes that were buffered are wrong", len(buffered))
	}
	if isTimeout(s.readErr) {
		return
	}
	_, line := s.r.ReadLine()
	_, until := s.r.ReadUntil([]byte{0})
	_, exactly := s.r.ReadExactly(1)
	_, all := s.r.ReadAll()
	_, discard := s.r.Discard(1)
	for i, err := range []error{s.r.Err(), line, until, exactly, all, discard} {
		if err != s.readErr {
			s.fault("%d: after %v came %v", i, s.readErr, err)
		}
	}
}
