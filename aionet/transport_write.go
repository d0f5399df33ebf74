package aionet

import (
	"errors"
	"fmt"
	"math"
	"net"

	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// This file is how a transport sends: at once if it can, from its buffer when there is room.

var (
	errAfterEOF   = errors.New("after WriteEOF nothing can be written")
	errFileOnWire = errors.New("SendFile is sending a file; write when it has returned")
	errUpgrading  = errors.New("StartTLS is shaking hands; write when it has returned")
)

func (t *transport) Write(p []byte) (int, error) {
	t.check("Write")
	if err := t.mayWriteMore(); err != nil {
		return 0, err
	}
	n, err := t.send(p)
	if err == nil {
		err = t.mayPause()
	}
	return n, err
}

func (t *transport) Writev(parts ...[]byte) (done int, err error) {
	t.check("Writev")
	if err := t.mayWriteMore(); err != nil {
		return 0, err
	}
	v := vectorOf(parts)
	defer v.free()
	if t.unsent() == 0 && len(v.parts) > 1 {
		if done, err = t.sendParts(v); err != nil {
			return done, err
		}
	}
	for _, p := range v.parts {
		n, err := t.send(p)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, t.mayPause()
}

// sendParts takes off v what can be sent together: by the system, or else as one small piece, which is one record of TLS.
func (t *transport) sendParts(v *vector) (done int, err error) {
	s, ok := t.wire.(poller.Socket)
	if !ok {
		return t.sendJoined(v)
	}
	for len(v.parts) > 0 {
		n, err := v.writeTo(s)
		t.wrote(n)
		done += n
		if err == poller.ErrAgain {
			break
		}
		if err != nil {
			t.fatal("write", err)
			return done, t.err
		}
	}
	return done, nil
}

func (t *transport) sendJoined(v *vector) (int, error) {
	if sizeOf(v.parts) > receiveSize {
		return 0, nil
	}
	whole := t.hub.takeSpare()
	for _, p := range v.parts {
		whole = append(whole, p...)
	}
	v.drop(len(whole))
	n, err := t.send(whole)
	t.hub.giveSpare(whole)
	return n, err
}

// mayWrite reports why nothing can be written. A protocol that was told to pause may still have something to say when
// it may go on, though its transport is closing.
func (t *transport) mayWrite() error {
	switch {
	case t.is(lost), t.is(closing) && !t.is(paused|resuming):
		if t.dropped++; t.dropped == droppedBeforeReport {
			t.report(fmt.Sprintf("%d writes to a transport that was closed were dropped", t.dropped), net.ErrClosed)
		}
		return t.fail("write", net.ErrClosed)
	case t.is(finishing):
		return t.fail("write", errAfterEOF)
	case t.is(fileOnWire):
		return t.fail("write", errFileOnWire)
	case t.is(upgrading):
		return t.fail("write", errUpgrading)
	}
	return nil
}

// send tries, and keeps what is left.
func (t *transport) send(p []byte) (int, error) {
	done, before := 0, t.unsent()
	if before == 0 {
		n, err := t.writeSome(p)
		if err != nil {
			return n, err
		}
		done = n
	}
	if done < len(p) || t.unsent() > 0 {
		t.keep(p[done:])
		if before == 0 && t.served != nil {
			t.served.sends()
		}
		if err := t.wire.Arm(poller.Write); err != nil {
			t.fatal("write", err)
			return done, t.err
		}
	}
	return len(p), nil
}

// mayWriteMore is mayWrite for what may have to be kept. It ends a transport whose protocol has written on without regard
// for its peer.
func (t *transport) mayWriteMore() error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	unsent := t.unsent()
	if unsent <= int(t.most) || t.most == math.MaxInt32 {
		return nil
	}
	err := t.fail("write", bufferLimit(unsent, int(t.most)))
	if t.served != nil {
		t.served.server.note(limitReached, t.RemoteAddr(), err)
	}
	t.cut(err)
	return err
}

func (t *transport) SetBufferLimit(n int) error {
	t.check("SetBufferLimit")
	if n < 1 {
		return fmt.Errorf("aionet: Transport.SetBufferLimit: the limit must be positive, not %d", n)
	}
	t.most = int32(min(n, math.MaxInt32))
	return nil
}

// writeSome writes until there is no more room. An error ends the transport.
func (t *transport) writeSome(p []byte) (done int, err error) {
	for done < len(p) {
		n, err := t.wire.Write(p[done:])
		t.wrote(n)
		done += n
		if err == poller.ErrAgain {
			break
		}
		if err != nil {
			t.fatal("write", err)
			return done, t.err
		}
	}
	return done, nil
}

// wrote notes for a server's watch that bytes were sent. Any goroutine may call it.
func (t *transport) wrote(n int) {
	if n > 0 && !t.moved.Load() {
		t.moved.Store(true)
	}
}

// keep copies p to the end of the buffer.
func (t *transport) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	if t.out == nil {
		t.out = t.hub.takeSpare()
	}
	if t.sent > len(t.out)/2 { // so that each byte is moved once, on average
		t.out = t.out[:copy(t.out, t.out[t.sent:])]
		t.sent = 0
	}
	t.out = append(t.out, p...)
}

// flush sends what is in the buffer, as there may be room; no more of it than a turn may move.
func (t *transport) flush() {
	over, before := false, t.unsent()
	if len(t.out) > t.sent {
		part := t.out[t.sent:min(len(t.out), t.sent+worlds.TurnBytes)]
		n, err := t.writeSome(part)
		if err != nil {
			return
		}
		t.sent += n
		over = n == len(part)
	}
	if w, ok := t.wire.(*tlsWire); ok && len(t.out) == t.sent {
		if err := w.drain(); err != nil && err != poller.ErrAgain {
			t.fatal("write", err)
			return
		}
	}
	if t.served != nil && t.unsent() < before {
		t.served.sends()
	}
	t.mayResume()
	switch {
	case t.unsent() == 0:
		t.flushed()
	case over:
		t.state |= flushDue
		t.source.Ready()
	default:
		if err := t.wire.Arm(poller.Write); err != nil {
			t.fatal("write", err)
		}
	}
}

// flushed does what was put off until all was sent, if it was.
func (t *transport) flushed() {
	if t.is(lost) || t.unsent() > 0 {
		return
	}
	t.dropOutput()
	t.wakeDrained()
	if t.is(fileOnWire | upgrading | resuming) { // it comes again after that
		return
	}
	_, isTLS := t.wire.(*tlsWire)
	if !t.is(finished) && (t.is(finishing) || t.is(closing) && isTLS) {
		t.state |= finished
		if err := t.wire.CloseWrite(); err != nil && t.is(closing) {
			t.cut(t.err) // nobody is left to be told
			return
		} else if err != nil {
			t.fatal("close", err)
			return
		}
		if t.unsent() > 0 { // TLS says goodbye
			if err := t.wire.Arm(poller.Write); err != nil {
				t.fatal("write", err)
			}
			return
		}
	}
	if t.is(closing) {
		t.cut(t.err)
	}
}

// unsent is how many bytes wait to be sent.
func (t *transport) unsent() int {
	n := len(t.out) - t.sent
	if w, ok := t.wire.(*tlsWire); ok {
		n += w.pending()
	}
	return n
}

// dropOutput leaves an idle transport without a buffer.
func (t *transport) dropOutput() {
	if t.out != nil {
		t.hub.giveSpare(t.out)
		t.out, t.sent = nil, 0
	}
}

func (t *transport) wakeDrained() {
	if t.rare != nil {
		t.rare.drained.WakeAll()
	}
}

// mayPause tells the protocol that too much waits to be sent. It fails if the protocol aborts, or panics.
func (t *transport) mayPause() error {
	if t.is(paused|lost) || t.unsent() <= int(t.high) {
		return nil
	}
	t.state |= paused
	if p, ok := t.proto.(WritePauser); ok {
		if t.call(p.PauseWriting); t.is(lost) {
			return t.fail("write", net.ErrClosed)
		}
	}
	return nil
}

// mayResume tells the protocol that little is left.
func (t *transport) mayResume() {
	if !t.is(paused) || t.unsent() > int(t.low) {
		return
	}
	t.state = t.state&^paused | resuming
	if p, ok := t.proto.(WritePauser); ok {
		t.call(p.ResumeWriting)
	}
	t.state &^= resuming
}

func (t *transport) WriteEOF() error {
	t.check("WriteEOF")
	if t.is(closing | finishing) {
		return nil
	}
	if t.isPipe() {
		return t.Close()
	}
	t.state |= finishing // after SendFile or StartTLS, if one is under way
	t.flushed()
	return nil
}

func (t *transport) SetWriteBufferLimits(low, high int) error {
	t.check("SetWriteBufferLimits")
	if low < 0 || high < low || high > 1<<31-1 {
		return fmt.Errorf("aionet: Transport.SetWriteBufferLimits: low %d and high %d do not fit 0 <= low <= high < 2 GiB", low, high)
	}
	t.low, t.high = int32(low), int32(high)
	return t.mayPause()
}

func (t *transport) WriteBufferLimits() (low, high int) {
	t.check("WriteBufferLimits")
	return int(t.low), int(t.high)
}

func (t *transport) WriteBufferSize() int {
	t.check("WriteBufferSize")
	return t.unsent()
}
