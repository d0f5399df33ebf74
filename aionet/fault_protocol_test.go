//go:build unix

package aionet_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// What is promised of transports, besides: ConnectionMade once and first, EOFReceived at most once, ConnectionLost once
// and last; nothing between PauseReading and ResumeReading; PauseWriting and ResumeWriting in turns.
func TestFaults_protocols(t *testing.T) {
	for _, kind := range faultKinds {
		for name, ends := range map[string][2]end{
			"protocols":              {protocols{}, protocols{}},
			"buffered, from streams": {streams{}, protocols{buffered: true}},
			"buffered, to streams":   {protocols{buffered: true}, streams{}},
		} {
			underFaults(t, kind+" "+name, func(seed uint64) error {
				return newConversation(seed, kind, ends[0], ends[1]).hold()
			})
		}
	}
}

// protocols are ends in callback style.
type protocols struct{ buffered bool }

func (e protocols) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	ln, err := v.listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	return untilClosed(ctx, ln, func(ctx context.Context) error {
		return aionet.ServeProtocol(ctx, ln, e.of(ctx, k, v.limit), aionet.WithDrain(v.limit))
	})
}

func (e protocols) call(ctx context.Context, v *conversation, k *talker, address string) error {
	p := e.of(ctx, k, v.limit)()
	err := v.within(ctx, func(ctx context.Context) (err error) {
		if v.tls {
			_, err = aionet.DialProtocolTLS(ctx, v.network, address, clientConfig(), p)
		} else {
			_, err = aionet.DialProtocol(ctx, v.network, address, p)
		}
		return err
	})
	if !k.began {
		return err
	}
	k.writeErr = cmp.Or(k.writeErr, err)
	return speakerOf(p).waitLost(ctx)
}

func (e protocols) of(ctx context.Context, k *talker, limit time.Duration) func() aionet.Protocol {
	return func() aionet.Protocol {
		s := &speaker{talker: k, loop: asyncio.RunningLoop(ctx), limit: limit, r: rand.New(rand.NewPCG(k.random.Uint64(), 0))}
		if e.buffered {
			return &bufferedSpeaker{speaker: s}
		}
		return s
	}
}

func speakerOf(p aionet.Protocol) *speaker {
	if b, ok := p.(*bufferedSpeaker); ok {
		return b.speaker
	}
	return p.(*speaker)
}

// speaker is a talker in callback style.
type speaker struct {
	*talker
	loop  *asyncio.Loop
	t     aionet.Transport
	r     *rand.Rand
	limit time.Duration
	late  *asyncio.Timer
	ended lowlevel.WaitQueue

	notReading, notWriting, wroteAll, eof, closed, lost bool
}

func (s *speaker) waitLost(ctx context.Context) error {
	for !s.lost {
		if err := s.ended.WaitOutside(ctx, never2{}); err != nil {
			return err
		}
	}
	return nil
}

// told checks the order of callbacks.
func (s *speaker) told(what string) {
	if s.t == nil || s.lost {
		s.fault("%s: before ConnectionMade %v, after ConnectionLost %v", what, s.t == nil, s.lost)
	}
}

func (s *speaker) ConnectionMade(t aionet.Transport) {
	if s.began {
		s.fault("ConnectionMade came again")
	}
	s.began, s.t = true, t
	if raw, err := t.SyscallConn(); err == nil {
		narrowRaw(raw)
	}
	high := s.r.IntN(1 << 16)
	if err := t.SetWriteBufferLimits(s.r.IntN(1+high), high); err != nil {
		s.fault("%v", err)
	}
	s.late = s.loop.CallLater(s.limit, func() {
		s.readErr = context.DeadlineExceeded
		s.closed = true
		t.Abort()
	})
	s.speak()
}

// speak writes until it is told to pause, or until all is written.
func (s *speaker) speak() {
	for s.sent < s.size && !s.notWriting && s.writeErr == nil {
		p := s.next(s.r)
		var n int
		var err error
		if cut := s.r.IntN(len(p) + 1); s.r.IntN(2) == 0 {
			n, err = s.t.Write(p)
		} else {
			n, err = s.t.Writev(p[:cut], p[cut:])
		}
		s.sent, s.writeErr = s.sent+n, err
	}
	if s.sent < s.size || s.wroteAll || s.writeErr != nil {
		return
	}
	s.wroteAll = true
	if s.writeErr = s.t.WriteEOF(); s.eof {
		s.close()
	}
}

func (s *speaker) close() {
	s.closed = true
	s.t.Close()
}

func (s *speaker) PauseWriting() {
	s.told("PauseWriting")
	if s.notWriting {
		s.fault("PauseWriting came again")
	}
	s.notWriting = true
}

func (s *speaker) ResumeWriting() {
	s.told("ResumeWriting")
	if !s.notWriting {
		s.fault("ResumeWriting came without PauseWriting")
	}
	s.notWriting = false
	s.speak()
}

func (s *speaker) DataReceived(p []byte) {
	s.received("DataReceived")
	s.take(p)
	s.act()
}

func (s *speaker) received(what string) {
	s.told(what)
	if s.notReading || s.eof || s.closed {
		s.fault("%s: while paused %v, after the end %v, after Close %v", what, s.notReading, s.eof, s.closed)
	}
}

// act does now and then what a protocol may do at any time.
func (s *speaker) act() {
	switch s.r.IntN(8) {
	case 0:
		s.t.PauseReading()
		s.notReading = true
		s.loop.CallLater(time.Duration(s.r.IntN(1000))*time.Microsecond, func() {
			s.notReading = false
			s.t.ResumeReading()
		})
	case 1:
		s.t.SetProtocol(s)
	case 2:
		s.t.SetProtocol(&bufferedSpeaker{speaker: s})
	}
}

func (s *speaker) EOFReceived() bool {
	s.received("EOFReceived")
	s.eof = true
	if !s.wroteAll {
		return true
	}
	s.closed = true
	return false
}

func (s *speaker) ConnectionLost(err error) {
	s.told("ConnectionLost")
	s.lost = true
	s.late.Stop()
	switch {
	case err == nil && !s.closed && s.writeErr == nil:
		s.fault("ConnectionLost(nil), and nobody had closed the transport; the end came before: %v", s.eof)
	case !s.eof:
		s.readErr = cmp.Or(s.readErr, err)
	}
	s.writeErr = cmp.Or(s.writeErr, err)
	s.ended.WakeAll()
}

// bufferedSpeaker is a speaker that receives into a buffer of its own.
type bufferedSpeaker struct {
	*speaker
	buf []byte
}

func (s *bufferedSpeaker) DataReceived([]byte) {
	s.fault("DataReceived of a BufferedProtocol was called")
}

func (s *bufferedSpeaker) GetBuffer(int) []byte {
	s.received("GetBuffer")
	s.buf = make([]byte, 1+s.r.IntN(1<<(1+s.r.IntN(16))))
	return s.buf
}

func (s *bufferedSpeaker) BufferUpdated(n int) {
	s.received("BufferUpdated")
	s.take(s.buf[:n])
	s.act()
}

// A read over TLS sends what is left, too, if there is room. The protocol may write then as after any other sending.
func TestTransportTLS_sentWhileReading_writingIsResumed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		r := &recorder{}
		ours, theirs := pipe(t, ctx, "unix")
		peer := aionet.TLSClient(theirs, clientConfig())
		shaking := asyncio.Go(ctx, peer.HandshakeContext)
		tr, err := aionet.NewTransportTLS(ctx, ours, serverConfig(), aionet.ServerSide, r)
		must(t, err)
		_, err = shaking.Await(ctx)
		must(t, err)
		must(t, tr.SetWriteBufferLimits(0, 0))
		for !r.has("pause") {
			tr.Write(make([]byte, 1<<10))
		}
		r.onData = func() { discardAll(t, theirs) }
		for range 10 { // the first makes room, and one of the others is read while there is some
			peer.Write([]byte("x"))
		}
		must(t, r.wait(ctx, "resume"))
		tr.Abort()
		return nil
	})
}

// discardAll drops what has come, without waiting.
func discardAll(t *testing.T, c *aionet.Conn) {
	raw, err := c.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		for p := make([]byte, 64<<10); ; {
			runtime.Gosched() // the portable poller's goroutine has more
			if n, err := syscall.Read(int(fd), p); n <= 0 || err != nil {
				return
			}
		}
	}))
}
